"""Tests a district from Clever's CSV files: user names as in production, one message per error."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clever_simulator.config import Config, default_config
from clever_simulator.directory import csv_fields
from clever_simulator.directory.csv_district import find_bad_lines
from clever_simulator.directory.csv_reader import DataError
from clever_simulator.directory.models import Person
from clever_simulator.server import RunningSimulator, run_in_background
from tests.simulator.test_edge_cases import APP_URL, VERSIONS, read, read_list, record, token
from tests.support import running_app
from tests.support.browser_client import Visitor
from tests.support.running_app import ROOT

FOLDER = ROOT / "tests" / "data" / "pine_hollow"
SHORTNAME = "demo-pine-hollow"


def config(path: Path) -> Config:
    return replace(default_config(APP_URL), data=path)


@pytest.fixture(scope="module")
def clever() -> Iterator[RunningSimulator]:
    with run_in_background(config(FOLDER)) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the files that a test may damage."""
    return Path(shutil.copytree(FOLDER, tmp_path / "pine_hollow"))


def people(clever: RunningSimulator) -> dict[str, Person]:
    district = clever.people.portal(SHORTNAME)
    assert district is not None
    return {person.user_name: person for person in clever.people.people_of(district)}


def refusal_message(path: Path) -> str:
    """Return the message with which the simulator refuses files."""
    with pytest.raises(DataError) as caught, run_in_background(config(path)):
        pass
    return str(caught.value)


# The content of the files


def test_everyone_logs_in_with_their_clever_user_name(clever: RunningSimulator) -> None:
    names = {user_name: person.name.full for user_name, person in people(clever).items()}
    assert names == {
        "700001": "Ngozi Okafor",
        "zoe.n": "Zoë Ñandú-O'Connor",
        "s-3": 'Henrik Lindqvist "Lin"',
        "800001": "Winona Begay",
        "800002": "Keiko Sato",
        "800003": "Dmitri Petrov",
        "900002": "Hugo Bakshi",
    }
    for user_name in ("700001", "Zoe.N", "S-3", "800001", "900002"):
        data = record(clever, user_name, shortname=SHORTNAME)
        assert data["id"] == people(clever)[user_name.lower()].id


@pytest.mark.parametrize(
    ("user_name", "password", "is_in"),
    [("700001", "700001", True), ("700001", "clever", True), ("700001", "800001", False)],
)
def test_the_number_is_also_the_password_as_in_clevers_sandboxes(
    clever: RunningSimulator, user_name: str, password: str, is_in: bool
) -> None:
    visitor = Visitor("https://app.example").open(f"{clever.url}/in/{SHORTNAME}")
    visitor.press("Log in", username=user_name, password=password)
    assert ("Log out of Clever" in visitor.text) == is_in


def test_a_csv_district_is_added_and_marked_as_a_sandbox(clever: RunningSimulator) -> None:
    names = [district.name for district in clever.people.districts]
    assert names[-1] == "#DEMO pine_hollow"
    assert len(names) == 4
    assert clever.people.person("student").name.full == "Ada Moreno"
    page = Visitor(APP_URL).open(f"{clever.url}/in/{SHORTNAME}").press("Keiko Sato")
    assert page.heading == "Hello, Keiko"


def record_for_district(clever: RunningSimulator, user_name: str) -> dict[str, Any]:
    """Return a user's record with the fields that only the district's token can read."""
    person_id = record(clever, user_name, "v3.1", SHORTNAME)["id"]
    users = read_list(clever, SHORTNAME, "v3.1", "users")
    return next(user for user in users if user["id"] == person_id)


def test_student_columns_appear_in_the_record_with_clevers_spelling(
    clever: RunningSimulator,
) -> None:
    student = record_for_district(clever, "700001")["roles"]["student"]
    expected = {
        "sis_id": "S-1",
        "student_number": "700001",
        "state_id": "OR-1",
        "grade": "Kindergarten",
        "gender": "F",
        "graduation_year": "2038",
        "dob": "3/9/2019",
        "race": "Black or African American",
        "hispanic_ethnicity": "N",
        "home_language": "English",
        "ell_status": "N",
        "frl_status": "Free",
        "iep_status": "N",
    }
    assert {name: student[name] for name in expected} == expected
    assert student["location"]["address"] == "2 Cone Court"
    assert "credentials" not in student


def test_fields_missing_from_the_files_are_not_invented(clever: RunningSimulator) -> None:
    data = record_for_district(clever, "s-3")
    student = data["roles"]["student"]
    assert not data.get("email")
    for name in ("dob", "race", "ell_status", "graduation_year", "home_language", "student_number"):
        assert not student[name]
    assert not any(student["location"].values())


def test_a_person_with_several_lines_has_several_schools(clever: RunningSimulator) -> None:
    data = record(clever, "zoe.n", shortname=SHORTNAME)["roles"]["student"]
    assert len(data["schools"]) == 2
    assert data["school"] == data["schools"][0]
    assert data["grade"] == "5"
    assert data["credentials"] == {"district_username": "Zoe.N"}
    assert len(record(clever, "700001", shortname=SHORTNAME)["roles"]["student"]["schools"]) == 1


def test_a_teacher_and_staff_with_one_email_are_one_person(clever: RunningSimulator) -> None:
    roles = record(clever, "800001", shortname=SHORTNAME)["roles"]
    assert set(roles) == {"teacher", "staff"}
    assert roles["teacher"]["teacher_number"] == "800001"
    assert (roles["staff"]["staff_id"], roles["staff"]["title"]) == ("900001", "Principal")


def test_sections_have_the_teachers_and_students_from_the_files(clever: RunningSimulator) -> None:
    people_by_name = people(clever)
    [algebra] = [section for section in clever.people.sections if section.name == "Algebra"]
    assert [teacher.user_name for teacher in algebra.teachers] == ["800002", "800001"]
    assert {student.user_name for student in algebra.students} == {"zoe.n", "s-3"}
    assert (algebra.grade, algebra.subject, algebra.period) == ("7", "math", "2")
    assert algebra.facts["term"]["start_date"] == "2025-08-18"
    assert not [section for section in clever.people.sections if section.name == "Nobody comes"]
    assert not clever.people.sections_of(people_by_name["800003"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_district_token_reads_sections_courses_and_terms_from_the_files(
    clever: RunningSimulator, version: str
) -> None:
    sections = {
        section["sis_id"]: section for section in read_list(clever, SHORTNAME, version, "sections")
    }
    assert set(sections) == {"C-1", "C-2"}
    algebra = sections["C-2"]
    assert (algebra["name"], algebra["section_number"]) == ("Algebra", "2")
    assert len(algebra["students"]) == len(algebra["teachers"]) == 2
    year = {"name": "2025-26", "start_date": "2025-08-18", "end_date": "2026-06-12"}
    if version < "v2.0":
        assert (algebra["course_name"], algebra["course_number"]) == ("Algebra", "M7")
        assert algebra["term"] == year
        return
    courses = {course["id"]: course for course in read_list(clever, SHORTNAME, version, "courses")}
    assert {course["name"] for course in courses.values()} == {"Algebra", "Reading"}
    assert courses[algebra["course"]]["number"] == "M7"
    [term] = read_list(clever, SHORTNAME, version, "terms")
    assert algebra["term_id"] == term["id"]
    assert {name: term[name] for name in year} == year


@pytest.mark.parametrize("version", VERSIONS)
def test_every_api_version_can_read_a_csv_district(clever: RunningSimulator, version: str) -> None:
    for user_name in people(clever):
        bearer = token(clever, user_name, SHORTNAME)
        assert read(clever, f"/{version}/me", bearer)["data"]["id"]
        data = record(clever, user_name, version, SHORTNAME)
        assert data["name"]["last"] == people(clever)[user_name].name.last
    school = people(clever)["zoe.n"].schools[1]
    content = read(clever, f"/{version}/schools/{school.id}", token(clever, "zoe.n", SHORTNAME))
    assert content["data"]["name"] == "Pine Hollow Middle, North"


# Every form of valid files


def zipped(folder: Path, prefix: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, prefix + file.name)
        archive.writestr("__MACOSX/pine_hollow/._students.csv", b"\xff")
        archive.writestr("read me.txt", "nothing")
    return path


def test_a_zip_works_like_a_folder_with_or_without_a_top_level_folder(
    clever: RunningSimulator, folder: Path
) -> None:
    for prefix in ("", "pine_hollow/", "a/b/"):
        with run_in_background(config(zipped(folder, prefix))) as other:
            assert people(other) == people(clever)


def as_windows_does(text: str) -> bytes:
    return b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    "change",
    [
        as_windows_does,
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n", "\n\n , ,\n").encode() + b"\n\n",
        lambda text: (text.split("\n", 1)[0].upper() + "\n" + text.split("\n", 1)[1]).encode(),
        lambda text: text.rstrip("\n").replace("\n", ",,\n").encode(),
        lambda text: text.replace(",", " , ").encode() if '"' not in text else text.encode(),
    ],
    ids=["bom_and_crlf", "cr", "empty_rows", "capitals", "empty_columns", "blanks"],
)
def test_the_text_format_of_the_csv_files_does_not_matter(
    clever: RunningSimulator, folder: Path, change: Callable[[str], bytes]
) -> None:
    for file in folder.iterdir():
        file.write_bytes(change(file.read_text()))
    if change is as_windows_does:
        (folder / "students.csv").rename(folder / "Students.CSV")
    with run_in_background(config(folder)) as other:
        assert people(other) == people(clever)


def test_the_staff_file_is_optional(folder: Path) -> None:
    (folder / "staff.csv").unlink()
    with run_in_background(config(folder)) as other:
        assert "900002" not in people(other)
        assert people(other)["800001"].roles == ("teacher",)


def test_two_people_with_the_same_number_can_both_log_in(folder: Path) -> None:
    teachers = folder / "teachers.csv"
    teachers.write_text(teachers.read_text().replace("800003", "700001"))
    with run_in_background(config(folder)) as other:
        assert people(other)["700001"].name.first == "Ngozi"
        assert people(other)["t-3"].name.first == "Dmitri"


def test_two_teachers_with_the_same_email_stay_two_people(folder: Path) -> None:
    teachers = folder / "teachers.csv"
    shared = "Petrov,,Dmitri,winona.begay@pine-hollow.example"
    teachers.write_text(teachers.read_text().replace("Petrov,,Dmitri,", shared))
    with run_in_background(config(folder)) as other:
        assert people(other)["800001"].roles == ("teacher", "staff")
        assert people(other)["800003"].roles == ("teacher",)


# Every kind of invalid files


FAULTS = {
    "unknown_school": ("students.csv", "20,S-3", "99,S-3", "line 6: schools.csv has no School_id"),
    "unknown_student": ("enrollments.csv", "C-2,S-3", "C-2,S-9", "line 5: students.csv has no"),
    "unknown_section": ("enrollments.csv", "20,C-2,S-3", "20,C-9,S-3", "line 5: sections.csv has"),
    "unknown_teacher": ("sections.csv", "C-3,T-2", "C-3,T-9", "line 4: teachers.csv has no"),
    "unknown_second_teacher": (
        "sections.csv",
        "T-2,T-1",
        "T-2,T-9",
        "line 3: teachers.csv has no Teacher_id 'T-9'",
    ),
    "school_twice": (
        "schools.csv",
        "\n20,",
        "\n10,",
        "line 3: the School_id '10' is already used on line 2",
    ),
    "section_twice": (
        "sections.csv",
        "C-3",
        "C-2",
        "line 4: the Section_id 'C-2' is already used on line 3",
    ),
    "student_id_of_another": (
        "students.csv",
        "S-3",
        "S-1",
        "line 6: the Student_id 'S-1' belongs to another person",
    ),
    "empty_id": ("students.csv", "S-3", "", "line 6: Student_id is empty"),
    "no_column": ("teachers.csv", "Teacher_id", "Id", "line 1: there is no column Teacher_id"),
    "column_twice": ("teachers.csv", "Title", "Username", "line 1: the column username appears"),
    "too_many": ("enrollments.csv", "C-2,S-3", "C-2,S-3,x", "line 5: this line has 4 values, but"),
    "too_few": ("enrollments.csv", "20,C-2,S-3", "20,C-2", "line 5: this line has 2 values, but"),
    "open_quote": ("students.csv", '""Lin"""', '""Lin', "line 6: the file is not CSV"),
    "stray_quote": ("schools.csv", ' North"', ' "North"', "line 3: the file is not CSV"),
    "null": ("schools.csv", "Pine Hollow Middle", "Pine\0Hollow", "line 3: the file is not text"),
    "very_long": ("schools.csv", "Dana Fuller", "x" * 200_000, "line 2: the file is not CSV"),
}


@pytest.mark.parametrize(("file", "old", "new", "message"), FAULTS.values(), ids=FAULTS)
def test_a_data_error_names_its_file_and_line(
    folder: Path, file: str, old: str, new: str, message: str
) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert refusal_message(folder).startswith(f"{file}, {message}")


@pytest.mark.parametrize(
    ("encoding", "line"), [("latin-1", 4), ("utf-16", 1), ("cp1252", 4), ("utf-32", 1)]
)
def test_a_wrong_encoding_is_reported(folder: Path, encoding: str, line: int) -> None:
    file = folder / "students.csv"
    file.write_bytes(file.read_text().encode(encoding))
    assert refusal_message(folder).startswith(f"students.csv, line {line}: the file is not ")


@pytest.mark.parametrize(
    "name", ["schools", "students", "teachers", "sections", "enrollments"], ids=str
)
def test_a_missing_or_empty_file_is_reported(folder: Path, name: str) -> None:
    file = folder / f"{name}.csv"
    file.unlink()
    assert refusal_message(folder) == f"{folder} contains no {name}.csv."
    file.touch()
    assert refusal_message(folder).startswith(f"{name}.csv, line 1: there is no column School_id")
    file.unlink()
    file.mkdir()
    assert refusal_message(folder).startswith("The simulator cannot read")


def test_a_missing_folder_or_broken_zip_is_reported(folder: Path) -> None:
    assert "cannot read" in refusal_message(folder / "nowhere")
    assert "neither a folder nor a readable zip file" in refusal_message(folder / "students.csv")
    path = zipped(folder)
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], content[:60] + b"x" * 80 + content[140:], b""):
        path.write_bytes(broken)
        message = refusal_message(path)
        assert "readable zip file" in message or "cannot be unpacked" in message


@pytest.mark.parametrize(
    "name", ["../students.csv", "a/../../students.csv", "/students.csv", "..\\a.csv", "C:\\a.csv"]
)
def test_a_zip_with_paths_outside_itself_is_refused(folder: Path, name: str) -> None:
    path = zipped(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "School_id")
    assert "has an entry outside its own folder" in refusal_message(path)
    assert not (folder.parent / "students.csv").exists()


def test_a_zip_with_a_duplicate_file_is_refused(folder: Path) -> None:
    path = zipped(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("old/Students.csv", "School_id")
    assert refusal_message(path) == f"{path} contains students.csv more than once."


def test_a_zip_bomb_is_refused(folder: Path) -> None:
    (folder / "students.csv").unlink()
    path = zipped(folder)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("students.csv", "w") as file,
    ):
        for _ in range(70):
            file.write(b"\n" * 1_000_000)
    assert path.stat().st_size < 200_000
    assert refusal_message(path) == "students.csv is larger than 64 MB."


def test_an_unsupported_zip_is_reported(folder: Path) -> None:
    students = (folder / "students.csv").read_bytes()
    (folder / "students.csv").unlink()
    path = zipped(folder)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("students.csv", students)
    assert (
        refusal_message(path)
        == "students.csv uses an unsupported kind of compression. Create a plain zip file."
    )


# The command line


def test_the_command_line_reports_a_data_error_and_exits_with_2(folder: Path) -> None:
    (folder / "teachers.csv").unlink()
    command = [sys.executable, "-m", "clever_simulator", "--port", "0", "--data", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == f"{folder} contains no teachers.csv.\n"
    assert result.stdout == ""


def test_bad_lines_can_be_left_out_and_are_printed(folder: Path, tmp_path: Path) -> None:
    teachers = (folder / "teachers.csv").read_text().splitlines()
    (folder / "teachers.csv").write_text("\n".join([*teachers, "1,2", ",".join("1" * 40)]))
    enrollments = folder / "enrollments.csv"
    enrollments.write_text(f"{enrollments.read_text().rstrip()}\nno-such-school,1,700001\n")
    first, second = len(teachers) + 1, len(teachers) + 2
    command = [sys.executable, "-m", "clever_simulator", "--port", "0", "--data", str(folder)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.stderr.startswith(f"teachers.csv, line {first}: this line has 2 values,")
    log = tmp_path / "log"
    with running_app.run_process([*command, "--skip-bad-lines"], {}, log) as child:
        while "ready at" not in log.read_text():
            assert child.poll() is None, log.read_text()
            time.sleep(0.02)
    left_out = [line for line in log.read_text().splitlines() if line.startswith("Left out: ")]
    assert len(left_out) == 3
    assert left_out[0].startswith(f"Left out: teachers.csv, line {first}: this line has 2 values")
    assert left_out[1].startswith(f"Left out: teachers.csv, line {second}: this line has 40 values")
    assert "no-such-school" in left_out[2]


def test_a_file_with_more_than_a_hundred_bad_lines_is_refused(folder: Path) -> None:
    students = folder / "students.csv"
    students.write_text(f"{students.read_text().rstrip()}\n" + "no-such-school\n" * 101)
    with pytest.raises(DataError, match="More than 100 lines have errors"):
        find_bad_lines(folder)


GRADES = {
    "": "",
    "k": "Kindergarten",
    "0": "Kindergarten",
    "00": "Kindergarten",
    "-1": "PreKindergarten",
    "1st": "1",
    "Grade 09": "9",
    "13": "13",
    "14": "Other",
    "pg": "PostGraduate",
    "Sophomore": "Other",
}


def test_grades_are_read_as_clever_reads_them() -> None:
    assert {text: csv_fields.parse_grade(text) for text in GRADES} == GRADES


def test_words_that_mean_yes_no_or_a_lunch_status_are_read_as_clever_reads_them() -> None:
    yes_or_no = {"y": "Y", "True": "Y", "1": "Y", "n": "N", "false": "N", "0": "N", "?": "", "": ""}
    assert {text: csv_fields.parse_yes_or_no(text) for text in yes_or_no} == yes_or_no
    lunch = {"F": "Free", "r": "Reduced", "Paid": "Paid", "n": "Paid", "o": "Other", "x": ""}
    assert {text: csv_fields.parse_lunch_status(text) for text in lunch} == lunch
