"""Tests the table of Clever's API versions: warnings at startup, and the generated docs page."""

from __future__ import annotations

import json

import pytest

from clever_login.api_versions import VERSIONS, RecordKind, support_summary
from docs import write_clever
from tests.conftest import SiteMaker


def warnings(text: str) -> list[str]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line["reason"] for line in lines if line["event"] == "config_warning"]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("v1.1", "gone: Clever switched this version off in December 2022"),
        ("v1.2", "gone: Clever switched this version off in December 2022"),
        ("v2.0", "deprecated: apps that have this version can still use it"),
        ("v2.1", "deprecated: apps that have this version can still use it"),
    ],
)
def test_an_app_on_a_retired_or_deprecated_version_warns_at_startup(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str], version: str, words: str
) -> None:
    make_site(clever_api_version=version)
    (warning,) = warnings(capfd.readouterr().err)
    assert words in warning
    assert version in warning
    assert "v3.0 or v3.1" in warning


@pytest.mark.parametrize("version", ["v3.0", "v3.1"])
def test_an_app_on_a_current_version_does_not_warn(
    make_site: SiteMaker, capfd: pytest.CaptureFixture[str], version: str
) -> None:
    make_site(clever_api_version=version)
    assert warnings(capfd.readouterr().err) == []


def test_every_support_status_names_its_source_and_date() -> None:
    for version in VERSIONS.values():
        sentence = support_summary(version)
        assert version.support.source in sentence
        assert version.support.date in sentence
        assert sentence.endswith(").")


def test_the_versions_doc_is_generated_from_the_table() -> None:
    assert write_clever.PAGE.read_text(encoding="utf-8") == write_clever.text()


def test_the_versions_doc_names_every_list_and_parameter_of_every_version() -> None:
    page = write_clever.text()
    for version in VERSIONS.values():
        for listing in version.lists.values():
            assert listing.path in page
            assert all(f"`{parameter}`" in page for parameter in listing.parameters)


def test_each_version_lists_all_people_and_every_people_list_names_its_role() -> None:
    for version in VERSIONS.values():
        assert set(version.people) <= set(version.lists)
        roles = [version.lists[kind].role for kind in version.lists if kind is not RecordKind.USERS]
        assert len(set(roles) - {None}) == (5 if version.one_id else 0)
