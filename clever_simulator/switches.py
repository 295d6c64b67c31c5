"""What nobody outside Clever knows about Clever, as switches: one field for each open question.

The first value of a switch is the default. Nobody knows which value is Clever's, so an app should
work with each of them. The table in README.md is written from this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One open question. `behaviors` has what the simulator does for each value, default first."""

    name: str
    question: str
    behaviors: dict[str | bool, str]

    @property
    def default(self) -> str | bool:
        """The value of an app that says nothing."""
        return next(iter(self.behaviors))

    @property
    def others(self) -> tuple[str | bool, ...]:
        """The values that an app has to ask for."""
        return tuple(value for value in self.behaviors if value != self.default)


class SwitchError(ValueError):
    """There is no such switch, or it has no such value. The message is a sentence."""


def _switch(question: str, behaviors: dict[Any, str]) -> Any:
    metadata = {"question": question, "behaviors": behaviors}
    return field(default=next(iter(behaviors)), metadata=metadata)


def _flag(question: str, off: str, on: str) -> Any:
    return _switch(question, {False: off, True: on})


@dataclass(frozen=True, kw_only=True)
class Switches:
    """How the simulator treats an app where Clever's behavior is unknown."""

    # Requests for tokens
    wrong_redirect_uri: Literal["invalid_grant", "redirect_uri_mismatch", "code_kept"] = _switch(
        "a token request with a valid code, but the wrong app or redirect URI",
        {
            "invalid_grant": "400 `invalid_grant`; the code is spent",
            "redirect_uri_mismatch": "400 `redirect_uri_mismatch`; the code is spent",
            "code_kept": "400 `invalid_grant`; the code remains valid",
        },
    )
    used_code: Literal["token_valid", "token_revoked"] = _switch(
        "a code used twice, which is `invalid_grant`",
        {
            "token_valid": "the first token remains valid",
            "token_revoked": "the first token becomes invalid (RFC 6749, section 4.1.2)",
        },
    )
    wrong_secret: Literal["401", "400"] = _switch(
        "wrong or missing client credentials",
        {
            "401": "401 `invalid_client` with `WWW-Authenticate: Basic`",
            "400": "400 `invalid_client`",
        },
    )
    secret_in_body: bool = _flag(
        "the client secret in the body of a token request, without HTTP Basic",
        "refused; so is a secret in the query, or beside HTTP Basic",
        "accepted",
    )
    bare_content_type: bool = _flag(
        "a Content-Type of the token request with a charset",
        "accepted",
        "400 `invalid content-type`",
    )
    encoded_basic: Literal["both", "plain", "encoded"] = _switch(
        "a client ID and secret in HTTP Basic: as they are, or encoded like form fields (RFC 6749,"
        " section 2.3.1)",
        {
            "both": "both are accepted",
            "plain": "accepted as they are",
            "encoded": "accepted when encoded",
        },
    )
    sends_token_type: bool = _flag(
        "`token_type` in the answer with a token",
        "missing, as in the samples of Clever's documentation",
        "`bearer`",
    )
    length_optional: bool = _flag(
        "no Content-Length on the token request", "400 `invalid_request`", "accepted"
    )
    owner_type_required: bool = _flag(
        "`/oauth/tokens?district=ID` without `owner_type=district`",
        "the token of the district",
        "400 `invalid_request`",
    )
    scopes: Literal["all", "none"] = _switch(
        "scopes of an app, at the redirect URI and in `/oauth/tokeninfo`",
        {"all": "all scopes of its tier", "none": "an empty list"},
    )

    # Links and pages
    repeated_parameter: Literal["refused", "first"] = _switch(
        "a repeated parameter in a link",
        {"refused": "error page", "first": "the first value counts"},
    )
    loose_instant_login: bool = _flag(
        "an Instant Login link without a district, or with an unregistered redirect URI",
        "error page",
        "the user picks a district; the redirect URI has no effect",
    )
    other_district: Literal["login_page", "ignored"] = _switch(
        "a link to another district than the district of the logged-in user",
        {
            "login_page": "login page of the other district",
            "ignored": "the logged-in user continues to the app",
        },
    )
    confirms_unasked: bool = _flag(
        "a student, and a link without `confirmed`", "no confirmation", "a confirmation"
    )
    confirms_after_password: bool = _flag(
        "`confirmed=false` right after the password", "no confirmation", "a confirmation"
    )
    two_accounts: Literal["asked", "first"] = _switch(
        "a user with two roles, before v3",
        {
            "asked": "asked at every login which account to use",
            "first": "the account of the first role",
        },
    )
    two_roles: Literal["first", "last"] = _switch(
        "the role of a login by a user with several roles, from v3 on",
        {"first": "the first of teacher, staff, district administrator", "last": "the last one"},
    )
    login_session: Literal["browser", "2_hours"] = _switch(
        "the login session of a browser at Clever",
        {
            "browser": "lasts until the browser or the simulator is closed",
            "2_hours": "ends two hours after the login",
        },
    )
    refused_consent: Literal["page", "access_denied"] = _switch(
        "a teacher answers No on the consent page",
        {
            "page": "a page of the simulator; the app receives nothing",
            "access_denied": "the app receives `error=access_denied`",
        },
    )
    loginas_repeats: bool = _flag(
        "`loginas_by_admin=true`, which marks an administrator who logs in as a user",
        "at a login that a tile or an Instant Login link starts",
        "at every login",
    )

    # Users
    unversioned_me: Literal["app", "missing"] = _switch(
        "`/me` without a version",
        {"app": "the owner in the version of the app", "missing": "404 with HTML"},
    )
    short_old_me: bool = _flag(
        "`/v1.1/me` and `/v1.2/me` with Secure Sync",
        "contain the whole record, as they once did",
        "contain the ID and the type, as from v2.0 on",
    )
    sends_authorized_by: bool = _switch(
        "`authorized_by` in `/me`", {True: "from v2.1 on", False: "never"}
    )
    roles_order: Literal["alphabetical", "reversed"] = _switch(
        "order of the keys in `roles`",
        {
            "alphabetical": "alphabetical, so the first key has no meaning",
            "reversed": "the reverse",
        },
    )
    userinfo_role: Literal["role", "missing"] = _switch(
        "`user_type` in `/userinfo` for a role that no app knows, or that is not shared",
        {"role": "the name of the role", "missing": "missing"},
    )
    id_token_role: Literal["spaces", "underscores"] = _switch(
        "user types in an ID token",
        {
            "spaces": "`student`, `teacher`, `staff`, `district admin`",
            "underscores": "`district_admin`, and `school_admin` for `staff`",
        },
    )
    id_token_algorithm: Literal["RS256", "ES256"] = _switch(
        "signatures of ID tokens; a new key comes only on request, at `/_simulator` or with"
        " `rotate_keys()`",
        {"RS256": "RS256", "ES256": "ES256"},
    )

    # Records, lists, and events
    unreadable: Literal["404", "403", "html"] = _switch(
        "a resource that the token cannot read",
        {
            "404": '404 `{"message": ...}`; 404 with HTML for endpoints that no user\'s token can'
            " read",
            "403": '403 `{"message": ...}`',
            "html": "404 with HTML",
        },
    )
    missing_version: Literal["404", "501", "html"] = _switch(
        "a request in an API version that the app does not have (see `api_versions`)",
        {
            "404": '404 `{"message": ...}`',
            "501": '501 `{"message": ...}`, which Clever documents as unsupported',
            "html": "404 with HTML",
        },
    )
    sends_retry_after: bool = _flag(
        "`Retry-After` in the answer 429", "missing", "the seconds until the minute ends"
    )
    bad_limit: Literal["400", "default"] = _switch(
        "`limit` of 0, negative, or not a number; above 10,000 is 413",
        {"400": "400", "default": "100 records"},
    )
    unknown_role_filter: Literal["400", "ignored"] = _switch(
        "a `role` that a list does not have (other such parameters are ignored)",
        {"400": "400", "ignored": "ignored"},
    )
    lost_record: Literal["continues", "404"] = _switch(
        "`starting_after` with the ID of a record that no longer exists",
        {"continues": "continues after the position where it would be", "404": "404"},
    )
    sends_prev: bool = _switch(
        "`prev` in the links of a page that was requested with a cursor",
        {True: "present; may lead to an empty page", False: "missing"},
    )
    sends_count: bool = _switch(
        "from v2.1 on: `count=true`",
        {True: "`count` beside `data`, in the lists that have the parameter", False: "no effect"},
    )
    unknown_contact: Literal["empty", "404"] = _switch(
        "v2.x: `/contacts/{id}/students` for an unknown contact",
        {"empty": "an empty list: the description has no 404 for it", "404": "404"},
    )
    old_event: Literal["404", "400", "ignored"] = _switch(
        "a cursor that is not an event of the last 30 days",
        {
            "404": "404, which the description allows only for this list",
            "400": "400",
            "ignored": "the list starts with the oldest event",
        },
    )
    previous_attributes: Literal["in_data", "beside_data"] = _switch(
        "`previous_attributes` of an event",
        {
            "in_data": "inside `data`, beside `object`, as in the sample data",
            "beside_data": "beside `data`, as in the description",
        },
    )
    library_after_leaving: Literal["works", "ends"] = _switch(
        "Library apps after a district leaves (the step `leave` of the school year)",
        {"works": "still work", "ends": "end, like the apps of the district"},
    )


def all_switches() -> Iterator[Switch]:
    """Yields every switch, in the order of the fields."""
    for item in fields(Switches):
        yield Switch(name=item.name, **item.metadata)


def parse_switch(text: str) -> dict[str, str | bool]:
    """Returns the field that a text such as `used_code=token_revoked` sets. Raises SwitchError."""
    name, _, word = text.partition("=")
    switch = next((switch for switch in all_switches() if switch.name == name), None)
    if switch is None:
        names = ", ".join(switch.name for switch in all_switches())
        raise SwitchError(f"There is no switch {name}. The switches are {names}.")
    values = {format_value(value): value for value in switch.behaviors}
    if word not in values:
        raise SwitchError(f"The values of {name} are {' and '.join(values)}.")
    return {name: values[word]}


def format_value(value: str | bool) -> str:
    """Returns a value as it is written on the command line: true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else value
