"""CleverLogin, the Flask extension."""

from clever_login.extension.extension import CleverLogin

__all__ = ["CleverLogin"]
