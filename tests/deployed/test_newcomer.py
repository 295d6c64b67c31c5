"""Tests the afternoon of a newcomer, in a clone of the last commit."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import newcomer
from tests.support.running_app import ROOT

pytestmark = [pytest.mark.servers, pytest.mark.long]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a repository to clone")
def test_the_afternoon_of_a_newcomer_works_as_documented() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tests.newcomer"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(result.stdout.splitlines()) >= len(newcomer.STEPS)
