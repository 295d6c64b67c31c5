"""Checks the import contracts of pyproject.toml. Runs in the test environment.

Does the same as `lint-imports`, whose script does not work in a copied environment.
"""

from __future__ import annotations

import sys

from importlinter.cli import lint_imports

if __name__ == "__main__":
    sys.exit(lint_imports(no_cache=True))
