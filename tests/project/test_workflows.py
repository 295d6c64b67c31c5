"""Tests the workflows: actions are pinned, and each job has only the permissions that it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.running_app import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"- uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
# What a job may get besides reading the code.
WRITES = {
    ("security.yml", "codeql"): {"security-events"},
    ("release.yml", "sign"): {"id-token", "attestations"},
}


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    workflow = yaml.safe_load(file.read_text())
    return {
        name: {"permissions": workflow["permissions"]} | job
        for name, job in workflow["jobs"].items()
    }


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_with_its_version_in_a_comment(file: Path) -> None:
    lines = [line.strip() for line in file.read_text().splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert PINNED.fullmatch(line), line


def test_one_action_has_one_commit_in_all_workflows() -> None:
    text = "".join(file.read_text() for file in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w-]+/[\w-]+)[\w/-]*(@\S+ # \S+)", text))
    assert len({name for name, _ in pins}) == len(pins)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.name)
def test_a_job_writes_only_what_it_is_there_for(file: Path) -> None:
    for name, job in jobs(file).items():
        permissions = job["permissions"]
        written = {key for key, value in permissions.items() if value != "read"}
        assert written == WRITES.get((file.name, name), set()), name
        assert {key for key in permissions if key not in written} <= {"contents"}, name


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda path: path.name)
def test_no_step_gets_a_token_or_text_that_others_write(file: Path) -> None:
    for name, job in jobs(file).items():
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), name  # a title of a pull request is code then
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, name
    assert "pull_request_target" not in file.read_text()


def test_the_job_that_signs_runs_nothing_but_pinned_actions() -> None:
    steps = jobs(ROOT / ".github" / "workflows" / "release.yml")["sign"]["steps"]
    assert all("run" not in step for step in steps)
