"""Tests every kind of user in every version of Clever's API, with and without OpenID Connect.

Every version leads to the same page. Only data that a version lacks may be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clever_login.api_versions import VERSIONS
from clever_simulator.directory.models import Person, RoleAssignment
from tests.support import running_app
from tests.support.browser_client import Visitor
from tests.support.running_app import Site

ROLES = {"student", "teacher", "staff", "district_admin"}
QUICK = {  # each way of reading a user: by roles or by type, with and without an id token
    ("v1.2", "simulator"),
    ("v2.1", "simulator-oidc"),
    ("v3.0", "simulator"),
    ("v3.1", "simulator-oidc"),
}
OWN_HEADING = {"student": "Hi, {first}!", "none": "Hello, {first}"}


# An app with Clever's default settings, and one with OIDC enabled, in each version.
APPS = [
    pytest.param(
        (version, client_id),
        id=f"{version}-{client_id.partition('-')[2] or 'oauth'}",
        marks=() if (version, client_id) in QUICK else pytest.mark.long,
    )
    for version in VERSIONS
    for client_id in ("simulator", "simulator-oidc")
]


@pytest.fixture(scope="module", params=APPS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """An app for this API version."""
    folder: Path = tmp_path_factory.mktemp("everybody")
    version, client_id = request.param
    with running_app.run_in_process(
        folder, clever_api_version=version, clever_client_id=client_id
    ) as site:
        yield site


def one_id(site: Site) -> bool:
    """Return whether this version has one id per person, regardless of roles."""
    return VERSIONS[site.settings.clever_api_version].one_id


def logins_of(site: Site, person: Person) -> tuple[RoleAssignment, ...]:
    """Return the roles in which a person logs in.

    From v3 on, one login has all roles, and only there a role may be unknown.
    """
    known_roles = tuple(post for post in person.role_assignments if not post.api_role_name)
    return person.role_assignments[:1] if one_id(site) else known_roles


def log_in(site: Site, person: Person, post: RoleAssignment) -> Visitor:
    """Log in with the button. Before v3, Clever asks people with several roles which one to use."""
    visitor = site.visitor().open(f"/login?district_id={person.district.id}")
    visitor.press("Log in", username=person.user_name, password="clever")
    if len(person.role_assignments) > 1 and not one_id(site):
        visitor.press(post.legacy_id)
    return visitor


def role_on_the_page(site: Site, post: RoleAssignment) -> str:
    """Return the role that the page is for. An unknown or unshared role is never guessed."""
    if not post.shared and one_id(site):
        return "none"
    return "none" if post.api_role_name else post.role


def assert_page_of(site: Site, visitor: Visitor, person: Person, post: RoleAssignment) -> None:
    """Assert that the page shows everything it must show of this person."""
    role = role_on_the_page(site, post)
    assert (visitor.path, visitor.role) == ("/dashboard", role)
    first, last = as_displayed(person.name.first), as_displayed(person.name.last)
    heading = OWN_HEADING.get(role, "Welcome, {first} {last}").format(first=first, last=last)
    assert visitor.heading == heading
    assert f"{first} {last}" in visitor.text
    assert person.email is None or as_displayed(person.email) in visitor.text
    assert person.district.name in visitor.text
    for school in schools_on_the_page(site, person, post):
        assert school in visitor.text
    assert "not available right now" not in visitor.text
    (script,) = visitor.page.find_all("script")
    assert "/static/clever_login/page." in str(script["src"])


def schools_on_the_page(site: Site, person: Person, post: RoleAssignment) -> list[str]:
    """Return the schools that this version's record of the person names."""
    if person.guaranteed_only or role_on_the_page(site, post) in {"district_admin", "none"}:
        return []
    only_primary = site.settings.clever_api_version == "v1.1" and post.role != "staff"
    return [school.name for school in post.schools[: 1 if only_primary else None]]


def as_displayed(text: str) -> str:
    """Return a text as a page shows it: at most 255 characters, whitespace collapsed."""
    return " ".join(text[:255].split())


def test_every_simulated_person_lands_on_the_page_of_their_role(site: Site) -> None:
    failures = {}
    for person in site.clever.people.named():
        for post in logins_of(site, person):
            try:
                assert_page_of(site, log_in(site, person, post), person, post)
            except AssertionError as error:
                failures[f"{person.user_name[:40]} as {post.role}"] = str(error).split("\n")[0]
    assert failures == {}


def test_with_oidc_the_me_endpoint_is_never_called(site: Site) -> None:
    person = site.person("teacher")
    log_in(site, person, person.role_assignments[0])
    endpoints = {
        request["path"].rpartition("/")[2] for request in site.clever.received_requests()[-20:]
    }
    assert ("me" in endpoints) == (site.settings.clever_client_id == "simulator")


def test_a_person_with_several_roles_can_switch_where_one_login_has_them_all(site: Site) -> None:
    person = site.person("three_roles")
    visitor = log_in(site, person, person.role_assignments[0])
    other_roles = {"See the school administrator page": "staff"} if one_id(site) else {}
    other_roles |= {"See the district administrator page": "district_admin"} if one_id(site) else {}
    for words, role in other_roles.items():
        assert visitor.press(words).role == role
    assert ("You have more than one role" in visitor.text) == one_id(site)


def test_invalid_or_shared_emails_never_merge_two_accounts(site: Site) -> None:
    texts = []
    for user_name in ("same_email_1", "same_email_2"):
        person = site.person(user_name)
        texts.append(log_in(site, person, person.role_assignments[0]).text)
    assert "Sam Sharer" in texts[0]
    assert "Pat Sharer" in texts[1]
    assert "home@odd-corner.example" in texts[0]
    assert "home@odd-corner.example" in texts[1]


def test_the_simulated_people_cover_every_kind_of_user(site: Site) -> None:
    roles = {post.role for person in site.clever.people.named() for post in person.role_assignments}
    assert roles == ROLES
