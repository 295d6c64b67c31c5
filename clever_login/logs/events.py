"""Log events: one line each, without anything that identifies a user or grants access."""

from __future__ import annotations

import logging
import re
import traceback

from clever_login.errors import (
    AccountRefused,
    DatabaseUnavailable,
    LoginError,
    ReceiverFailed,
    StoreUnavailable,
    WrongHost,
)

logger = logging.getLogger("clever_login")
_CLEVER_ID = re.compile(r"\b[0-9a-f]{24}\b")


def log_event(name: str, *, level: int = logging.INFO, **fields: str | int | bool) -> None:
    """Log one event. Field values come from this code, never from a user's input.

    Users and districts are logged by pseudonym. The reason of a failure may contain the Clever id
    of a record, for commands to print; this function replaces the id with "...".
    """
    safe = {key: _CLEVER_ID.sub("...", v) if isinstance(v, str) else v for key, v in fields.items()}
    logger.log(level, name, extra={"fields": safe})


def log_failure(error: BaseException, *, code: str, status: int, reference: str) -> None:
    """Log a failure once: the types of its causes and, for a crash, the stack.

    Only the messages of the library's own errors are logged: others may quote a child's record.
    """
    fields = {"causes": " <- ".join(causes_of(error))}
    if _has_message_of_ours(error):
        fields["reason"] = str(error)
    elif status == 500:
        cause = error.error if isinstance(error, ReceiverFailed) else error
        fields["where"] = stack_of(cause)
    if isinstance(error, ReceiverFailed):
        fields["reason"] = str(error)
    level = logging.ERROR if status >= 500 else logging.WARNING
    log_event("failure", level=level, code=code, status=status, reference=reference, **fields)


def causes_of(error: BaseException) -> list[str]:
    """Return the names of the classes of an error and of its causes."""
    return [type(cause).__name__ for cause in _exception_chain(error)]


def stack_of(error: BaseException) -> str:
    """Return the lines of code that led to an error, without its message."""
    return "".join(traceback.format_tb(error.__traceback__))


def describe_safely(error: BaseException) -> str:
    """Return the message of an error of the library, and the class of any other."""
    return str(error) if _has_message_of_ours(error) else type(error).__name__


def _has_message_of_ours(error: BaseException) -> bool:
    """Whether the library wrote the message. A product's subclass has a message of the product."""
    ours = isinstance(error, LoginError | StoreUnavailable | DatabaseUnavailable | WrongHost)
    is_products = isinstance(error, AccountRefused) or not type(error).__module__.startswith(
        f"{__name__.partition('.')[0]}."
    )
    return ours and not is_products


def _exception_chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
