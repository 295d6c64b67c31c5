"""Tests what users notice when a store, Clever, the disk, the clock, or a worker fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.deployed.faults.report import PAGE, TABLE
from tests.deployed.faults.systems import Systems
from tests.deployed.faults.table import FAULTS, Fault
from tests.deployed.faults.trial import run_trial

pytestmark = pytest.mark.servers
IN_EVERY_RUN = {"Redis killed", "PostgreSQL refusing connections"}  # of CI


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    with ExitStack() as stack:
        yield Systems(stack, tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            fault, id=str(fault), marks=[] if str(fault) in IN_EVERY_RUN else [pytest.mark.long]
        )
        for fault in FAULTS
    ],
)
def test_a_fault_causes_no_crash_no_mixed_up_user_and_no_lost_data(
    systems: Systems, fault: Fault
) -> None:
    if fault.needs_root and os.geteuid() != 0:
        assert os.environ.get("CI") != "true", "run this as root: it needs a mount namespace"
        pytest.skip("needs a mount namespace of its own: run this as root")
    result = run_trial(systems.get(fault.on), fault)
    print(result)
    assert result.problems() == []


def test_the_document_has_every_fault_and_none_that_mixes_up_users_or_loses_data() -> None:
    table = TABLE.search(PAGE.read_text())
    assert table
    rows = [row.strip("| ").split(" | ") for row in table[0].splitlines() if row.startswith("| ")]
    assert [row[0] for row in rows[2:]] == [str(fault) for fault in FAULTS]
    for row in rows[2:]:
        assert row[-2:] == ["0", "nothing"]
        assert "500" not in " ".join(row)
