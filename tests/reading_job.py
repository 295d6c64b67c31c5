"""A job as somebody would write it: reads the students of a district, and may be killed any time.

`python -m tests.reading_job CLEVER_URL DISTRICT FILE` appends each id to the file, and goes on
behind the last one that is in it. Its last line of output is how many bytes it held at most.
"""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

from clever_login.api.district_client import DistrictClient
from clever_login.api.district_tokens import DistrictTokens
from clever_login.api.rosters import Roster
from clever_login.api.transport import Transport
from clever_login.api.versions import VERSIONS, Kind


def main(clever_url: str, district_id: str, file: str, page_size: str) -> None:
    transport = Transport()
    tokens = DistrictTokens(
        transport=transport,
        clever_url=clever_url,
        client_id="simulator",
        client_secret="simulator-secret",
    )
    client = DistrictClient(
        transport=transport,
        tokens=tokens,
        api_url=clever_url,
        version=VERSIONS["v3.0"],
        district_id=district_id,
    )
    roster = Roster(client=client, page_size=int(page_size))
    done = Path(file).read_text().split()
    kept = os.open(file, os.O_WRONLY | os.O_APPEND)
    tracemalloc.start()
    for student in roster.people(Kind.STUDENTS, after=done[-1] if done else None):
        os.write(kept, f"{student.id}\n".encode())
        print(student.id, flush=True)
    print(tracemalloc.get_traced_memory()[1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
