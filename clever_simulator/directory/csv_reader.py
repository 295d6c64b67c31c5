"""Reads Clever's CSV files from a folder or a zip, and reports errors with the file and line."""

import csv
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

T = TypeVar("T")

# What Python's zip module raises for an encrypted, damaged or unsupported zip.
UNZIP_ERRORS = (RuntimeError, NotImplementedError, EOFError, ValueError, struct.error, zlib.error)
MAX_BYTES = 64_000_000  # per file, uncompressed

# The columns that each file must have with a value in every row, in the order of Clever's docs.
REQUIRED_COLUMNS = {
    "schools.csv": ("School_id", "School_name"),
    "students.csv": ("School_id", "Student_id", "Last_name", "First_name"),
    "teachers.csv": ("School_id", "Teacher_id", "Last_name", "First_name"),
    "sections.csv": ("School_id", "Section_id", "Teacher_id"),
    "enrollments.csv": ("School_id", "Section_id", "Student_id"),
    "staff.csv": ("School_id", "Staff_id", "Last_name", "First_name"),
}
OPTIONAL_FILES = {"staff.csv"}


class DataError(ValueError):
    """An error in a district's files: one sentence with the file and, if known, the line."""


class LineError(DataError):
    """An error in one line, which can be left out."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}, line {line}: {problem}")
        self.line = (file, line)


Lines = frozenset[tuple[str, int]]  # lines by file and number


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of one file. `values` is keyed by lowercase column name."""

    file: str
    line: int
    values: dict[str, str]

    def get(self, column: str) -> str:
        """Returns the stripped value, or an empty string if the file has no such column."""
        return self.values.get(column.lower(), "").strip()

    def resolve(self, column: str, objects: Mapping[str, T]) -> T:
        """Returns the object that this value refers to. Raises DataError if there is none."""
        referenced_id = self.get(column)
        if referenced_id not in objects:
            file = f"{column.partition('_')[0].lower()}s.csv"
            raise self.error(f"{file} has no {column.partition('_')[0]}_id {referenced_id!r}.")
        return objects[referenced_id]

    def error(self, problem: str) -> LineError:
        """Returns a LineError for this line."""
        return LineError(self.file, self.line, problem)


def read_rows(path: Path, left_out: Lines = frozenset()) -> dict[str, list[Row]]:
    """Returns the rows of each of Clever's six files, without the lines that are left out.

    Raises DataError if they cannot be read.
    """
    contents = _read_contents(path)
    missing = [
        name for name in REQUIRED_COLUMNS if name not in contents and name not in OPTIONAL_FILES
    ]
    if missing:
        raise DataError(f"{path} contains no {' and no '.join(missing)}.")
    return {
        name: list(_parse_rows(name, contents.get(name, b""), left_out))
        for name in REQUIRED_COLUMNS
    }


def index_rows(rows: Iterable[Row], column: str) -> dict[str, Row]:
    """Returns the rows by ID. Raises DataError for a duplicate ID."""
    rows_by_id: dict[str, Row] = {}
    for row in rows:
        row_id = row.get(column)
        if row_id in rows_by_id:
            raise row.error(
                f"the {column} {row_id!r} is already used on line {rows_by_id[row_id].line}."
            )
        rows_by_id[row_id] = row
    return rows_by_id


def _read_contents(path: Path) -> dict[str, bytes]:
    try:
        return _read_folder(path) if path.is_dir() else _read_zip(path)
    except OSError as error:
        raise DataError(f"The simulator cannot read {path}: {error.strerror or error}.") from error


def _read_folder(path: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for entry in sorted(path.iterdir()):
        if entry.name.lower() in REQUIRED_COLUMNS:
            _check_unique(contents, entry.name, path)
            with entry.open("rb") as file:
                contents[entry.name.lower()] = _check_size(file.read(MAX_BYTES + 1), entry.name)
    return contents


def _read_zip(path: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                name = _entry_name(entry.filename, path)
                if name.lower() in REQUIRED_COLUMNS:
                    _check_unique(contents, name, path)
                    contents[name.lower()] = _unzip_entry(archive, entry, name)
    except DataError:
        raise
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is neither a folder nor a readable zip file.") from error
    except UNZIP_ERRORS as error:
        reason = " ".join(str(error).split())
        raise DataError(f"The zip file {path} cannot be unpacked ({reason}).") from error
    return contents


def _unzip_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{name} uses an unsupported kind of compression. Create a plain zip file.")
    with archive.open(entry) as file:
        return _check_size(file.read(MAX_BYTES + 1), name)


def _entry_name(name: str, path: Path) -> str:
    """Returns the last part of an entry's name.

    Nothing is written to disk, but a zip with a path that leaves the zip is probably malicious.
    Raises DataError for such a path.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or re.match(r"[/\\]|[A-Za-z]:", name):
        raise DataError(f"The zip file {path} has an entry outside its own folder: {name!r}.")
    return "" if not parts or name.endswith("/") else parts[-1]


def _check_unique(contents: dict[str, bytes], name: str, path: Path) -> None:
    if name.lower() in contents:
        raise DataError(f"{path} contains {name.lower()} more than once.")


def _check_size(content: bytes, name: str) -> bytes:
    if len(content) > MAX_BYTES:
        raise DataError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB.")
    return content


def _parse_rows(name: str, content: bytes, left_out: Lines) -> Iterator[Row]:
    records = _split_records(name, _decode(name, content))
    first_line, header = next(records, (1, []))
    columns = [column.strip().lower() for column in header]
    while columns and not columns[-1]:
        columns.pop()
    if content or name not in OPTIONAL_FILES:
        _check_columns(name, first_line, columns)
    for line, fields in (record for record in records if (name, record[0]) not in left_out):
        while len(fields) > len(columns) and not fields[-1].strip():
            fields.pop()
        row = Row(file=name, line=line, values=dict(zip(columns, fields, strict=False)))
        if len(fields) != len(columns):
            raise row.error(
                f"this line has {len(fields)} values, but there are {len(columns)} columns."
            )
        for column in REQUIRED_COLUMNS[name]:
            if not row.get(column):
                raise row.error(f"{column} is empty.")
        yield row


def _decode(name: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}, line {line}: the file is not UTF-8. Save it as UTF-8.") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{name}, line {line}: the file is not text. Save it as CSV in UTF-8.")
    return text


def _split_records(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yields each nonblank record and the line on which it starts."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{name}, line {line}: the file is not CSV ({error}).") from error
        if fields is None:
            return
        if any(field.strip() for field in fields):
            yield line, fields


def _check_columns(name: str, line: int, columns: list[str]) -> None:
    missing = [column for column in REQUIRED_COLUMNS[name] if column.lower() not in columns]
    duplicates = [column for column in columns if column and columns.count(column) > 1]
    if missing:
        raise DataError(f"{name}, line {line}: there is no column {' and no '.join(missing)}.")
    if duplicates:
        raise DataError(f"{name}, line {line}: the column {duplicates[0]} appears more than once.")
