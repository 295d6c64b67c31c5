"""An app that existed before Clever: its own users, passwords, sessions, and pages.

It uses Flask-Login. Clever is added with `CleverLogin(app, on_login=..., on_logout=...)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask, abort, redirect, render_template_string, request, session
from flask.typing import ResponseReturnValue
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)

from clever_login import (
    AccountRefused,
    CleverLogin,
    Identity,
    Role,
    Settings,
    log_out,
    roles_required,
    rosters,
)
from clever_simulator.config import default_config
from tests.conftest import SiteMaker
from tests.support.running_app import Site

PAGE = """<!doctype html><html lang="en"><head><title>Cart</title></head><body>
<h1>{{ heading }}</h1><p>Cart: {{ cart }}</p>
<p>Names: {{ language }}, {{ product }}{{ user }}{{ languages }}{{ home_url }}</p>
<form method="post" action="{{ url_for('clever_login.logout') }}"><button>Log out</button></form>
{% if can_link %}<form method="post" action="{{ url_for('clever_login.link') }}">
<button>Connect Clever</button></form>{% endif %}
</body></html>"""


class User(UserMixin):  # type: ignore[misc] # Flask-Login is untyped
    """A row of the app's own users table."""

    def __init__(self, name: str, clever_id: str | None = None) -> None:
        self.id, self.name, self.clever_id = name, name, clever_id
        self.blocked = False

    @property
    def is_active(self) -> bool:
        """Whether Flask-Login logs the user in."""
        return not self.blocked


@dataclass
class ExistingApp:
    """The app's table, and what its functions were called with."""

    users: dict[str, User] = field(default_factory=dict)
    identities: list[Identity] = field(default_factory=list)
    linked: list[tuple[str, Identity]] = field(default_factory=list)
    logouts: int = 0
    remembers: bool = False  # whether a cookie logs users in again after their session

    def create(self, settings: Settings, *, linking: bool = False, **arguments: Any) -> Flask:
        """Create the Flask app. `linking` allows users to connect Clever to their account."""
        app = Flask(
            "existing_app",
            root_path=str(settings.instance_path),
            instance_path=settings.instance_path,
        )
        app.secret_key = "the secret key of the existing app, which it had before"
        manager = LoginManager(app)
        manager.user_loader(self.users.get)
        app.context_processor(lambda: {"language": "the shop's own"})
        app.add_url_rule("/", "home", self._home)
        app.add_url_rule("/password/<name>", "password", self._password, methods=["POST"])
        app.add_url_rule("/classes", "classes", _show_classes)
        app.add_url_rule("/cart/<item>", "put_in_cart", login_required(_put_in_cart))
        app.add_url_rule("/log-out", "log_out", _log_out, methods=["POST"])
        app.add_url_rule("/grades", "grades", roles_required("student")(_show_grades))
        if linking:
            arguments["on_link"] = self._connect
        own = {"on_logout": self._clever_out, "current_account": _current_account}
        CleverLogin(app, settings, on_login=self._clever_in, **(own | arguments))
        return app

    def _home(self) -> ResponseReturnValue:
        heading = f"Hello {current_user.name}" if current_user.is_authenticated else "Hello"
        cart = ", ".join(session.get("cart", ["empty"]))
        can_link = "clever_login.link" in self._endpoints() and current_user.is_authenticated
        return render_template_string(PAGE, heading=heading, cart=cart, can_link=can_link)

    def _password(self, name: str) -> ResponseReturnValue:
        """Log in without Clever. The test's users have no password."""
        login_user(self.users.setdefault(name, User(name)))
        return redirect("/")

    def _clever_in(self, identity: Identity) -> None:
        self.identities.append(identity)
        if identity.role == Role.STAFF:
            raise AccountRefused("This shop is for students and teachers.")
        name = identity.first_name or identity.subject
        matches = [user for user in self.users.values() if user.clever_id == identity.subject]
        user = matches[0] if matches else self.users.setdefault(name, User(name, identity.subject))
        login_user(user, remember=self.remembers)

    def _clever_out(self) -> None:
        self.logouts += 1
        logout_user()

    def _connect(self, account_id: str, identity: Identity) -> None:
        self.linked.append((account_id, identity))
        self.users[account_id].clever_id = identity.subject

    @staticmethod
    def _endpoints() -> set[str]:
        from flask import current_app

        return set(current_app.view_functions)


def _put_in_cart(item: str) -> ResponseReturnValue:
    if request.method != "GET":
        abort(405)
    session["cart"] = [*session.get("cart", []), item]
    return redirect("/")


def _log_out() -> ResponseReturnValue:
    """Log out with the app's own button. With `?all`, call the function of the library."""
    if "all" in request.args:
        log_out()
    else:
        logout_user()
    return redirect("/")


def _show_grades() -> ResponseReturnValue:
    return "A+"


def _show_classes() -> ResponseReturnValue:
    names = [section.name for section in rosters.sections()]
    return {"names": names}


def _current_account() -> str | None:
    return current_user.id if current_user.is_authenticated else None


def start(make_site: SiteMaker, existing: ExistingApp, **arguments: Any) -> Site:
    """Run the app, whose callback has the default prefix, and register it at the simulator."""
    names = [name for name in ("clever_district_ids", "certificate") if name in arguments]
    changes = {name: arguments.pop(name) for name in names}
    site = make_site(make_app=lambda settings: existing.create(settings, **arguments), **changes)
    register_callback_with_prefix(site)
    return site


def register_callback_with_prefix(site: Site) -> None:
    """Register the callback at the simulator for an app with the default URL prefix."""
    config = default_config(site.url, site.settings.clever_api_version)
    uris = (f"{site.url}/clever/oauth/callback",)
    apps = tuple(replace(app, redirect_uris=uris) for app in config.apps)
    site.clever.configure(replace(config, apps=apps))
