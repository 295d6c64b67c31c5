"""The stand-in's responses, in Clever's format, for any number of students, each with a number."""

from __future__ import annotations

import json
import time
from collections import Counter
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import ECKey

from bench.fake_clever import rosters
from bench.fake_clever.rosters import Listed

CLIENT_ID, OIDC_CLIENT_ID, CLIENT_SECRET = "bench", "bench-with-oidc", "bench-secret"
DISCOVERY_PATH, KEYS_PATH = "/.well-known/openid-configuration", "/oauth/keys"
TEACHERS = 9_000_000  # teachers have this number or a higher one
ENROLLED, TEACHING = 100, 8  # students and teachers in the rosters: the lowest numbers
Json = dict[str, Any]


def first_name(number: int) -> str:
    """Returns a person's first name, which no other student's page can contain."""
    return f"{'Teacher' if number >= TEACHERS else 'Pupil'}{number:07d}"


def new_code(number: int, login: str, nonce: str = "") -> str:
    """Returns an authorization code that contains the user, the login, and the ID token's nonce."""
    return f"{number}.{login}.{nonce}"


class FakeResponses:
    """Clever's responses. The number of districts and schools decides what an app can cache."""

    def __init__(self, issuer: str, districts: int = 1, schools: int = 8) -> None:
        self._issuer, self.districts, self.schools = issuer, districts, schools
        self._key = ECKey.generate_key("P-256", {"kid": "bench", "alg": "ES256", "use": "sig"})
        self.codes: Counter[str] = Counter()

    def to(self, method: str, target: str, headers: str, body: str) -> tuple[int, Json]:
        """Returns the status and the JSON of a response."""
        path = target.partition("?")[0]
        if path == "/oauth/tokens":
            return (
                self._token(body)
                if method == "POST"
                else (200, rosters.tokens(make_district_id(0)))
            )
        if path == DISCOVERY_PATH:
            return 200, {"issuer": self._issuer, "jwks_uri": self._issuer + KEYS_PATH}
        if path == KEYS_PATH:
            return 200, {"keys": [self._key.as_dict(private=False)]}
        if f"Bearer {rosters.TOKEN}\r\n" in f"{headers}\r\n":
            return self._lists.to(target)
        _, _, token = headers.partition("Bearer pupil-")
        return self._record(path, int(token.split("\r", 1)[0] or -1))

    @cached_property
    def _lists(self) -> Listed:
        """The rosters, for `flask clever sync`."""
        schools = [self._school_record(number) for number in range(self.schools)]
        pupils = [self._user(number) for number in range(ENROLLED)]
        teachers = [self._user(TEACHERS + number) for number in range(TEACHING)]
        return Listed(_district_record(make_district_id(0)), schools, pupils, teachers)

    def _token(self, body: str) -> tuple[int, Json]:
        code = parse_qs(body).get("code", [""])[0]
        self.codes[code] += 1
        number, _, nonce = code.split(".")
        if self.codes[code] > 1:
            return 400, {"error": "invalid_grant"}
        token_response = {"access_token": f"pupil-{number}"}
        return 200, token_response | (
            {"id_token": self._id_token(int(number), nonce)} if nonce else {}
        )

    def _id_token(self, number: int, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": OIDC_CLIENT_ID,
            "sub": make_student_id(number),
            "user_id": make_student_id(number),
            "user_type": "teacher" if number >= TEACHERS else "student",
            "district": self._district(number),
            "nonce": nonce,
            "iat": now,
            "exp": now + 3600,
        }
        return jwt.encode({"alg": "ES256", "kid": "bench"}, claims, self._key)

    def _record(self, path: str, number: int) -> tuple[int, Json]:
        collection, _, record_id = path.rpartition("/")
        if path.endswith("/me"):
            return 200, self._me(number)
        if collection.endswith("/users") and record_id == make_student_id(number):
            return 200, {"data": self._user(number), "links": _self_link(path)}
        if collection.endswith("/districts") and record_id == self._district(number):
            return 200, {"data": _district_record(record_id), "links": _self_link(path)}
        if collection.endswith("/schools") and record_id == self._school(number):
            return 200, {"data": self._school_record(number), "links": _self_link(path)}
        return 404, {"error": "Resource not found"}

    def _district(self, number: int) -> str:
        return make_district_id(number % self.districts)

    def _school(self, number: int) -> str:
        return make_school_id(number % self.schools)

    def _me(self, number: int) -> Json:
        district = self._district(number)
        data = {"id": make_student_id(number), "district": district, "type": "user"}
        return {
            "type": "user",
            "data": data | {"authorized_by": "district"},
            "links": [
                {"rel": "self", "uri": "/me"},
                {"rel": "canonical", "uri": f"/v3.0/users/{make_student_id(number)}"},
                {"rel": "district", "uri": f"/v3.0/districts/{district}"},
            ],
        }

    def _user(self, number: int) -> Json:
        role = self._teacher(number) if number >= TEACHERS else self._student(number)
        return {
            "created": "2024-08-12T14:05:00.000Z",
            "district": self._district(number),
            "email": f"{first_name(number).lower()}@bench.example",
            "id": make_student_id(number),
            "last_modified": "2026-01-20T09:30:00.000Z",
            "name": {"first": first_name(number), "last": "Sample", "middle": ""},
            "roles": role,
        }

    def _teacher(self, number: int) -> Json:
        school = self._school(number)
        teacher = {
            "credentials": {"district_username": f"teacher{number}"},
            "ext": {},
            "legacy_id": f"f{number:023x}",
            "school": school,
            "schools": [school],
            "sis_id": str(number),
            "state_id": f"T{number}",
            "teacher_number": str(number),
            "title": "Teacher",
        }
        return {"teacher": teacher}

    def _student(self, number: int) -> Json:
        school = self._school(number)
        student = {
            "credentials": {"district_username": f"pupil{number}"},
            "dob": "10/26/2014",
            "ell_status": "N",
            "enrollments": [{"school": school, "start_date": "2026-08-18"}],
            "ext": {},
            "gender": "M",
            "grade": "6",
            "graduation_year": "2033",
            "hispanic_ethnicity": "",
            "legacy_id": f"e{number:023x}",
            "location": {"address": "101 Sample Street", "city": "", "state": "", "zip": "90000"},
            "race": "",
            "school": school,
            "schools": [school],
            "sis_id": str(number),
            "state_id": f"S{number}",
            "student_number": str(number),
        }
        return {"student": student}

    def _school_record(self, number: int) -> Json:
        return {
            "district": self._district(number),
            "id": self._school(number),
            "name": f"School {number % self.schools}",
            "low_grade": "6",
            "high_grade": "8",
            "location": {"address": "304 Sample Street", "city": "", "state": "", "zip": "90000"},
            "principal": {"name": "Dana Sample", "email": "principal@bench.example"},
            "last_modified": "2026-01-20T09:30:00.000Z",
        }


def make_student_id(number: int) -> str:
    """Returns the Clever ID of a student or teacher."""
    return f"a{number:023x}"


def make_district_id(number: int) -> str:
    """Returns the ID of a district."""
    return f"d{number:023x}"


def make_school_id(number: int) -> str:
    """Returns the ID of a school."""
    return f"5{number:023x}"


def _district_record(district_id: str) -> Json:
    return {
        "id": district_id,
        "name": "A District of Samples",
        "launch_date": "2024-08-12",
        "sis_type": "powerschool",
        "state": "success",
        "error": "",
    }


def _self_link(path: str) -> list[Json]:
    return [{"rel": "self", "uri": path}]


def encode_response(status: int, body: Json) -> bytes:
    """Encodes a response, with Clever's headers."""
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\n"
    head += "X-RateLimit-Limit: 1200\r\nX-RateLimit-Remaining: 1100\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
