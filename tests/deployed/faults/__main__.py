"""bin/test --faults: causes every fault, prints what users noticed, and writes the table.

With names of faults, such as "Redis killed", causes only these and writes nothing.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.deployed.faults.report import table, write_table
from tests.deployed.faults.systems import Systems
from tests.deployed.faults.table import FAULTS
from tests.deployed.faults.trial import Result, run_trial


def main(names: list[str]) -> int:
    """Run the faults. Returns 1 if a promise was broken."""
    if os.geteuid() != 0:
        print("Run this as root: it mounts small disks.")
        return 1
    results: list[Result] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        systems = Systems(stack, folder)
        for fault in FAULTS:
            if names and str(fault) not in names:
                continue
            result = run_trial(systems.get(fault.on), fault)
            print({k: round(v, 1) for k, v in result.longest.items()}, round(result.recovered, 1))
            results.append(result)
            print(table([result]).splitlines()[-1])
            for problem in result.problems():
                print(f"  BROKEN: {problem}")
            sys.stdout.flush()
    if not names:
        write_table(results)
    return 1 if any(result.problems() for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
