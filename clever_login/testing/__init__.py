"""For the tests of your product: log in as any user, without Clever.

`login_as(client, "teacher")` runs a complete login of your app in the test's own process. The calls
to Clever are answered by `stand_in`, so no network is needed. See docs/testing.md.
"""

from __future__ import annotations

from clever_login.testing.browser import Browser, browser
from clever_login.testing.login import NotLoggedIn, UserDetails, login_as
from clever_login.testing.sample_settings import sample_settings

__all__ = ["Browser", "NotLoggedIn", "UserDetails", "browser", "login_as", "sample_settings"]
