"""What an operator checks for each error code. English only: for docs/errors.md and developers.

In development, error pages show the hint. In production they do not: a teacher cannot use it, and
it names settings.
"""

DOCTOR = "Run `python -m clever_login.doctor`"

OPERATOR_HINTS = {
    "login_failed": "The log line with the reference has the reason.",
    "login_cancelled": "Nothing to fix: the person declined at Clever.",
    "login_expired": (
        "Nothing to fix for a few people. For many, check that APP_URL is the address that people "
        "use, and that all processes have the same SECRET_KEY."
    ),
    "cookies_blocked": (
        "Nothing to fix for a few people. For many, check that APP_URL is the address that people "
        "use, and that no proxy removes Set-Cookie."
    ),
    "code_used": (
        "For a few people, nothing. If it happens every time, a web filter opens the callback "
        "before the browser does, or the app's clock is wrong: "
        f"{DOCTOR}."
    ),
    "bad_callback": "Nothing to fix: the parameters of the callback were not Clever's.",
    "login_refused": (
        "Ask the district to share the app with the person. "
        "`flask --app app clever status` shows the state of the district."
    ),
    "not_a_person": "Nothing to fix: Clever's token belongs to a district.",
    "account_refused": "Your `on_login` or `find_or_create` function refused the person.",
    "claim_useless": "Create a new link: `flask --app app clever accounts invite --person ID`.",
    "district_not_allowed": "Add the district's ID to CLEVER_DISTRICT_IDS to let its people in.",
    "too_busy": (
        "Clever is slow. Look at status.clever.com. If it reports no problem, "
        "test the network: `python -m clever_login.doctor`."
    ),
    "crowded": "More workers or threads are needed if this happens often: see docs/deploying.md.",
    "clever_misconfigured": (
        "Clever rejected the client ID, the client secret, or the redirect URI. "
        f"{DOCTOR}: it names the wrong one."
    ),
    "clever_unavailable": (
        "Look at status.clever.com. If it reports no problem, "
        "test the network: `python -m clever_login.doctor`."
    ),
    "clever_unexpected": (
        "Clever's answer did not match its documentation, or the app's clock is wrong. "
        f"{DOCTOR}: it tests both. The log line has the reason."
    ),
    "wrong_person": (
        "Clever's token and its record name different people. The app logged nobody in. Send the "
        "log line to Clever's support."
    ),
    "wrong_host": "Set APP_URL to the address that people use, or let a proxy redirect to it.",
    "store_unavailable": (
        "Open `/readyz`: it shows the cause. The log line has the reason, too. After an upgrade, "
        "run `flask --app app clever db upgrade`, if sessions are in PostgreSQL."
    ),
    "database_unavailable": (
        "Open `/readyz`: it shows the cause. After an upgrade, run "
        "`flask --app app clever db upgrade`."
    ),
    "form_expired": (
        "Nothing to fix for a few people. For many, check that all processes have the same "
        "SECRET_KEY."
    ),
    "read_only": (
        "Nothing to fix: the link of the login had `loginas_by_admin=true`, so the session can "
        "change nothing."
    ),
    "http_400": "Nothing to fix, unless your own pages link there.",
    "http_401": "Nothing to fix. A program that calls the app must log in first.",
    "http_403": (
        "Nothing to fix, if the person's role is right. If a form of your own fails, it must have "
        "a CSRF token."
    ),
    "http_404": "Nothing to fix, unless your own pages link there.",
    "http_405": "Nothing to fix, unless your own pages send this kind of request.",
    "http_413": "Raise the limit of your view if it must accept more: docs/library.md.",
    "http_500": "The log has the traceback, with the same reference.",
}
