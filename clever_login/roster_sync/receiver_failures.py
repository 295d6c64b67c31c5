"""Stores and logs which signal receiver ended the sync of a district."""

from __future__ import annotations

import logging
import traceback

from clever_login.errors import ReceiverFailed
from clever_login.logs.events import log_event
from clever_login.logs.pseudonyms import pseudonym
from clever_login.roster_sync import district_records
from clever_login.roster_sync.district_run import TransactionRunner
from clever_login.services import services

HINT = (
    "This signal receiver of the app raised an error. The sync of this district ended there and "
    "removed nothing. The next sync repeats it: correct the receiver first."
)


def report(transactions: TransactionRunner, district_id: str, error: ReceiverFailed) -> str:
    """Store and log the failure, and return it as sentences for an operator.

    The log has the source lines, and never the error's message, which may quote a child's data.
    """
    district_records.set_failed_receiver(transactions, district_id, str(error))
    log_event(
        "receiver_failed",
        level=logging.ERROR,
        district=pseudonym(services().settings.secret_key, "district", district_id),
        reason=str(error),
        where="".join(traceback.format_tb(error.error.__traceback__)),
    )
    return f"{error}. {HINT}"
