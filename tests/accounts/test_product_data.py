"""Tests that a product's rows are in the export of a person and in the receipt of a deletion."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from click.testing import Result

from clever_login import signals
from tests.accounts.test_privacy import all_rows, run
from tests.conftest import POSTGRESQL_IS_LONG
from tests.support.account_app import flask_app
from tests.support.running_app import Site

Receiver = Callable[..., Any]


def export(school: Site, *receivers: Receiver) -> Result:
    """Export a student while these receivers are connected."""
    for receiver in receivers:
        signals.person_exported.connect(receiver, sender=flask_app(school))
    return run(school, "export", "--user", "ours-student")


def test_an_export_contains_what_receivers_return(school: Site) -> None:
    calls = []

    def books(_app: object, **values: Any) -> dict[str, Any]:
        calls.append((values["person_id"], values["district_id"]))
        assert values["connection"].exec_driver_sql("SELECT 1").scalar() == 1
        return {"books": [{"title": "Emma", "read": True}]}

    def nothing(_app: object, **_values: Any) -> None:
        return None

    def notes(_app: object, **_values: Any) -> dict[str, Any]:
        return {"notes": []}

    result = export(school, books, nothing, notes)
    assert calls == [("ours-student", school.person("student").district.id)]
    expected = {"books": [{"title": "Emma", "read": True}], "notes": []}
    assert json.loads(result.stdout)["app"] == expected


@POSTGRESQL_IS_LONG
def test_an_export_without_receivers_has_no_data_of_the_product(school: Site) -> None:
    assert json.loads(export(school).stdout)["app"] == {}


@pytest.mark.parametrize("wrong", [{"due": date(2026, 1, 1)}, {"books": []}, "books"])
@POSTGRESQL_IS_LONG
def test_an_export_that_would_be_incomplete_fails_and_names_the_receiver(
    school: Site, wrong: Any
) -> None:
    def books(_app: object, **_values: Any) -> dict[str, Any]:
        return {"books": ["CanaryTitle"]}

    def other(_app: object, **_values: Any) -> Any:
        return wrong

    result = export(school, books, other)
    assert result.exit_code == 1
    assert "receiver tests.accounts.test_product_data." in result.output
    assert "other: " in result.output
    assert "Canary" not in result.output


def test_the_receipt_counts_the_rows_that_receivers_deleted(school: Site) -> None:
    def books(_app: object, **_values: Any) -> dict[str, int]:
        return {"reading_tasks": 3}

    signals.people_forgotten.connect(books, sender=flask_app(school))
    result = run(school, "forget", "--user", "ours-student")
    assert result.exit_code == 0
    assert "reading_tasks                  3" in result.output


def test_a_wrong_count_keeps_everything(school: Site) -> None:
    before = all_rows(school)

    def books(_app: object, **_values: Any) -> dict[str, str]:
        return {"reading_tasks": "three"}

    signals.people_forgotten.connect(books, sender=flask_app(school))
    result = run(school, "forget", "--user", "ours-student")
    assert result.exit_code == 1
    assert "books: TypeError" in result.output
    assert all_rows(school) == before
