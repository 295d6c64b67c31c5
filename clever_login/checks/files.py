"""Checks of the files that the app writes beside itself."""

from __future__ import annotations

from collections.abc import Iterator

from clever_login.checks.case import Case
from clever_login.checks.findings import Finding, fault, ok
from clever_login.checks.storage import FOLDER
from clever_login.private_files import open_to_others

NAME = "file permissions"


def permissions(_case: Case) -> Iterator[Finding]:
    """Whether another user of this machine could read accounts or sessions."""
    instance = FOLDER.parent
    found = [path.name for path in open_to_others(instance)]
    if not found:
        yield ok(NAME, "Other users of this machine cannot read what is in instance/.")
        return
    yield fault(
        NAME,
        f"Other users of this machine have permissions on {', '.join(found)}: they can read "
        "accounts and sessions, or find out who has one.",
        "Start the app once as the owner of these files; it corrects them. If it cannot, run "
        f"`chmod -R go-rwx {instance}` as their owner.",
    )
