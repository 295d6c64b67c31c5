"""Which arguments of CleverLogin go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask.typing import ResponseReturnValue

from clever_login.auth.account_hooks import AccountHooks
from clever_login.auth.identity import Account, Identity
from clever_login.parts import Part
from clever_login.sessions.app_session import AppLogin

FindOrCreate = Callable[[Identity], str | Account]
OnLogin = Callable[[Identity], ResponseReturnValue | None]
OnLink = Callable[[str, Identity], None]


def check_parts(parts: Sequence[Part]) -> None:
    """Raise TypeError for a part that is passed twice, or without one that it needs."""
    names = [type(part).__name__ for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise TypeError(f"CleverLogin got parts.{name} twice: pass it once.")
    for part in parts:
        part.check_packages()
        for needed in part.needed_parts():
            if needed not in names:
                name = type(part).__name__
                raise TypeError(f"parts.{name} needs parts.{needed}: add it to `parts`.")


def check_login(parts: dict[str, Part], hooks: AccountHooks, app_login: AppLogin) -> None:
    """Raise TypeError unless exactly one side, the app or the library, logs users in and out."""
    if "Sessions" in parts:
        for name in ("on_logout", "current_account", "keep_session"):
            if getattr(app_login, name):
                raise TypeError(
                    f"CleverLogin got both {name} and parts.Sessions, which keeps the sessions of "
                    "all users: pass one of them."
                )
        return
    if hooks.find_or_create:
        raise TypeError(
            "CleverLogin got find_or_create without parts.Sessions: add parts.Sessions, or log the "
            "user in yourself in on_login."
        )
    if not hooks.on_login:
        raise TypeError(
            "CleverLogin needs on_login or parts.Sessions: one of them must log the user in."
        )
    if hooks.on_link and not app_login.current_account:
        raise TypeError(
            "CleverLogin got on_link without current_account, which returns the account to connect."
        )


def check_account_functions(
    parts: dict[str, Part], find_or_create: FindOrCreate | None, on_link: OnLink | None
) -> None:
    """Raise TypeError if both the app and parts.Accounts find or connect accounts."""
    if find_or_create and "Accounts" in parts:
        raise TypeError(
            "CleverLogin got both find_or_create and parts.Accounts, which find the account: "
            "pass one of them."
        )
    if on_link and "Accounts" in parts:
        raise TypeError(
            "CleverLogin got both on_link and parts.Accounts, whose claim links connect accounts: "
            "pass one of them."
        )
