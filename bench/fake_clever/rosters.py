"""The stand-in's rosters, which a district token reads, so that any commit can sync."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
TOKEN = "district-token"  # noqa: S105 # a sample, for a server on this machine
SECTIONS, SEATS = 6, 25  # sections per student, students per section
SUBJECTS = ("math", "science", "english/language arts", "social studies", "PE and health", "other")


class Listed:
    """The lists of one district with these students and teachers. Each list is a single page."""

    def __init__(
        self, district: Json, schools: list[Json], pupils: list[Json], teachers: list[Json]
    ) -> None:
        self._district, self._schools = district, schools
        self._pupils, self._teachers = pupils, teachers

    def to(self, target: str) -> tuple[int, Json]:
        """Returns the status and the JSON of a response to the district's token."""
        parts = urlsplit(target)
        kind = parts.path.rpartition("/")[2]
        if kind == self._district["id"]:
            return 200, {"data": self._district, "links": []}
        if kind not in self._lists:
            return 404, {"error": "Resource not found"}
        query = parse_qs(parts.query)
        records = [] if "starting_after" in query else self._lists[kind]
        if role := query.get("role"):
            records = [record for record in records if role[0] in record["roles"]]
        if "count" in query:
            return 200, {"data": [], "count": len(records), "links": []}
        limit = int(query.get("limit", ["10000"])[0])
        data = [
            {"data": record, "uri": f"{parts.path}/{record['id']}"} for record in records[:limit]
        ]
        return 200, {"data": data, "links": [{"rel": "self", "uri": target}]}

    @cached_property
    def _lists(self) -> dict[str, list[Json]]:
        return {
            "districts": [self._district],
            "schools": self._schools,
            "users": sorted([*self._pupils, *self._teachers], key=lambda user: str(user["id"])),
            "sections": self._sections(),
            "terms": [],
            "courses": [],
            "resources": [],
            "events": [],
        }

    def _sections(self) -> list[Json]:
        rooms = [self._pupils[at : at + SEATS] for at in range(0, len(self._pupils), SEATS)]
        classes = [(room, period) for room in range(len(rooms)) for period in range(SECTIONS)]
        return [
            self._section(number, rooms[room], period)
            for number, (room, period) in enumerate(classes)
        ]

    def _section(self, number: int, pupils: list[Json], period: int) -> Json:
        teacher = self._teachers[number % len(self._teachers)]
        return {
            "id": f"c{number:023x}",
            "district": self._district["id"],
            "school": self._schools[0]["id"],
            "name": f"Class {number + 1}",
            "subject": SUBJECTS[period],
            "period": str(period + 1),
            "grade": "6",
            "sis_id": str(number),
            "teacher": teacher["id"],
            "teachers": [teacher["id"]],
            "students": [pupil["id"] for pupil in pupils],
            "created": "2024-08-12T14:05:00.000Z",
            "last_modified": "2026-01-20T09:30:00.000Z",
        }


def tokens(district_id: str) -> Json:
    """Returns the districts that use the app, each with its token."""
    entry = {
        "id": f"7{0:023x}",
        "created": "2024-08-12T14:05:00.000Z",
        "owner": {"type": "district", "id": district_id},
        "access_token": TOKEN,
        "scopes": ["read:district_admins", "read:sections", "read:students", "read:teachers"],
    }
    return {"data": [entry], "links": [{"rel": "self", "uri": "/oauth/tokens"}]}
