"""Imports Clever ids that another library stored: which of the product's accounts each belongs to.

The rows of these users then exist before their first login. No name and no email address is
imported, and nobody is matched by one.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from clever_login.clever.parsing import is_valid_id
from clever_login.db.database import database
from clever_login.db.models import PROVIDER, Person
from clever_login.db.upsert import chunks

COLUMNS = ("clever_id", "account_id")
MAX_ACCOUNT_ID_LENGTH = 255  # of the column in the database
ROWS_AT_A_TIME = 500


class ImportFileError(ValueError):
    """The file cannot be read as CSV with these columns. The message is for an operator."""


class Outcome(StrEnum):
    """What happens to a row of the file. All values but the first three are refusals."""

    NEW = "new"
    LINKED = "linked to people whom Clever already shared"
    UNCHANGED = "already imported"
    MALFORMED_ID = "the Clever ID is missing or malformed"
    MALFORMED_ACCOUNT = "the account ID is missing, too long, or has unprintable characters"
    REPEATED_ID = "the file has this Clever ID more than once"
    REPEATED_ACCOUNT = "the file has this account ID more than once"
    OTHER_ACCOUNT = "this Clever ID already belongs to another account"
    OTHER_PERSON = "this account already belongs to another Clever ID"


ACCEPTED = (Outcome.NEW, Outcome.LINKED, Outcome.UNCHANGED)


@dataclass(frozen=True, kw_only=True)
class ImportRow:
    """A row of the file, and the number of its last line."""

    line: int
    clever_id: str
    account_id: str


@dataclass
class ImportResult:
    """The outcome of each row: counts of the accepted ones, and the refused lines in order."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    refused: list[tuple[int, Outcome]] = field(default_factory=list)

    def add(self, row: ImportRow, outcome: Outcome) -> None:
        """Count a row."""
        if outcome in ACCEPTED:
            self.counts[outcome] += 1
        else:
            self.refused.append((row.line, outcome))


def read_rows(lines: Iterable[str]) -> list[ImportRow]:
    """Return the rows of a CSV file. Other columns than COLUMNS are ignored.

    Raises ImportFileError.
    """
    reader = csv.DictReader(lines, strict=True)
    try:
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            raise ImportFileError(f"The first line must name the columns {','.join(COLUMNS)}.")
        return [_row(reader.line_num, values) for values in reader]
    except UnicodeDecodeError:
        raise ImportFileError("The file is not UTF-8 text.") from None
    except csv.Error as error:
        raise ImportFileError(f"Line {reader.line_num} is not valid CSV: {error}.") from None


def _row(line: int, values: dict[str, str | None]) -> ImportRow:
    clever_id, account_id = ((values[name] or "").strip() for name in COLUMNS)
    return ImportRow(line=line, clever_id=clever_id, account_id=account_id)


def import_rows(rows: list[ImportRow], *, commit: bool) -> ImportResult:
    """Check all rows, and store the accepted ones in one transaction if `commit` is set.

    A refused row changes nothing, and of rows that contradict each other all are refused. Raises
    DatabaseUnavailable.
    """
    if commit:
        return database().retry_transaction(lambda session: _import_all(session, rows, commit))
    with database().read_session() as session:
        return _import_all(session, rows, commit)


def _import_all(session: Session, rows: list[ImportRow], commit: bool) -> ImportResult:
    result, valid = ImportResult(), []
    for row, problem in _check_file(rows):
        if problem:
            result.add(row, problem)
        else:
            valid.append(row)
    for some_rows in chunks(valid, ROWS_AT_A_TIME):
        _import_some(session, some_rows, result, commit)
    result.refused.sort()
    return result


def _check_file(rows: list[ImportRow]) -> Iterator[tuple[ImportRow, Outcome | None]]:
    """Yield each row with what is wrong with it, as far as the file alone shows."""
    ids = Counter(row.clever_id for row in rows)
    accounts = Counter(row.account_id for row in rows)
    for row in rows:
        if not is_valid_id(row.clever_id):
            yield row, Outcome.MALFORMED_ID
        elif not _is_account_id(row.account_id):
            yield row, Outcome.MALFORMED_ACCOUNT
        elif ids[row.clever_id] > 1:
            yield row, Outcome.REPEATED_ID
        elif accounts[row.account_id] > 1:
            yield row, Outcome.REPEATED_ACCOUNT
        else:
            yield row, None


def _is_account_id(text: str) -> bool:
    return 0 < len(text) <= MAX_ACCOUNT_ID_LENGTH and text.isprintable()


def _import_some(
    session: Session, rows: list[ImportRow], result: ImportResult, commit: bool
) -> None:
    conditions = (
        Person.clever_id.in_([row.clever_id for row in rows]),
        Person.account_id.in_([row.account_id for row in rows]),
    )
    query = select(Person).where(Person.provider == PROVIDER, or_(*conditions))
    people = session.scalars(query.with_for_update() if commit else query).all()
    by_clever_id = {person.clever_id: person for person in people if person.clever_id}
    by_account = {person.account_id: person for person in people if person.account_id}
    for row in rows:
        person = by_clever_id.get(row.clever_id)
        outcome = _outcome(row, person, by_account.get(row.account_id))
        result.add(row, outcome)
        if commit and outcome is Outcome.NEW:
            session.add(Person(clever_id=row.clever_id, account_id=row.account_id))
        elif commit and person and outcome is Outcome.LINKED:
            person.account_id = row.account_id


def _outcome(row: ImportRow, person: Person | None, owner: Person | None) -> Outcome:
    """Return the outcome, given the row of this Clever id and the row of this account, if any."""
    if person is not None and person.account_id == row.account_id:
        return Outcome.UNCHANGED
    if owner is not None:
        return Outcome.OTHER_PERSON
    if person is None:
        return Outcome.NEW
    return Outcome.LINKED if person.account_id is None else Outcome.OTHER_ACCOUNT
