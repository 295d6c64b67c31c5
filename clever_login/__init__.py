"""Log in with Clever: authentication, accounts, rosters, and the web server worker.

The names in `__all__` are public, see docs/library.md. Everything else may change in any release.
Each name is imported at its first use, so importing this package loads nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clever_login import database, parts, rosters, signals, testing
    from clever_login.auth.identity import Account, Identity
    from clever_login.auth.impersonation import impersonation_claimed
    from clever_login.auth.other_logins import log_in, log_out, login_url
    from clever_login.auth.permissions import roles_required
    from clever_login.clever.models import Role
    from clever_login.config import Settings, SettingsError
    from clever_login.errors import AccountRefused
    from clever_login.extension import CleverLogin
    from clever_login.sessions.end_sessions import end_sessions
    from clever_login.sessions.idle_limits import idle_minutes
    from clever_login.sessions.user_session import CurrentUser, current_user, switch_role
    from clever_login.web.body_limits import body_limit
    from clever_login.web.routing import impersonation_allowed, public

__version__ = "1.0.0"
__all__ = [
    "Account",
    "AccountRefused",
    "CleverLogin",
    "CurrentUser",
    "Identity",
    "Role",
    "Settings",
    "SettingsError",
    "body_limit",
    "current_user",
    "database",
    "end_sessions",
    "idle_minutes",
    "impersonation_allowed",
    "impersonation_claimed",
    "log_in",
    "log_out",
    "login_url",
    "parts",
    "public",
    "roles_required",
    "rosters",
    "signals",
    "switch_role",
    "testing",
]
_MODULES = {
    "auth.identity": ("Account", "Identity"),
    "auth.impersonation": ("impersonation_claimed",),
    "auth.other_logins": ("log_in", "log_out", "login_url"),
    "auth.permissions": ("roles_required",),
    "sessions.end_sessions": ("end_sessions",),
    "sessions.idle_limits": ("idle_minutes",),
    "sessions.user_session": ("CurrentUser", "current_user", "switch_role"),
    "clever.models": ("Role",),
    "config": ("Settings", "SettingsError"),
    "errors": ("AccountRefused",),
    "extension": ("CleverLogin",),
    "web.body_limits": ("body_limit",),
    "web.routing": ("impersonation_allowed", "public"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
