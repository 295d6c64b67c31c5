"""Checks the import contracts of pyproject.toml; this runs in the test environment.

Like `lint-imports`, which a copied environment cannot start by name.
"""

from __future__ import annotations

import sys

from importlinter.cli import lint_imports

if __name__ == "__main__":
    sys.exit(lint_imports(no_cache=True))
