"""Checks the import contracts of pyproject.toml. Runs in the test environment.

Does the same as `lint-imports`, whose script does not work in a copied environment. Without the
folder clever_simulator, its contracts are left out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from importlinter.cli import lint_imports

from tools.venv import ROOT, has_simulator

CONTRACT = "[[tool.importlinter.contracts]]"
LIBRARY_ALONE = 'root_packages = ["clever_login"]'
BOTH = 'root_packages = ["clever_login", "clever_simulator"]'


def main() -> int:
    """Checks the contracts and returns the exit code."""
    if has_simulator():
        return lint_imports(no_cache=True)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "contracts.toml")
        config.write_text(_contracts_of_the_library((ROOT / "pyproject.toml").read_text()))
        return lint_imports(config_filename=str(config), no_cache=True)


def _contracts_of_the_library(config: str) -> str:
    head, *contracts = config.split(CONTRACT)
    of_the_simulator = 'containers = ["clever_simulator"]', 'source_modules = ["clever_simulator"]'
    library_contracts = [
        contract for contract in contracts if not any(line in contract for line in of_the_simulator)
    ]
    return CONTRACT.join([head.replace(BOTH, LIBRARY_ALONE), *library_contracts])


if __name__ == "__main__":
    sys.exit(main())
