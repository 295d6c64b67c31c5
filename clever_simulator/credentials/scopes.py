"""The scopes of access tokens. Clever grants them by tier; apps do not request them."""

from clever_simulator.config import RegisteredApp, Tier

_SCOPES_BY_TIER: dict[Tier, str] = {
    "secure_sync": "read:district_admins read:districts read:resources read:school_admins"
    " read:schools read:sections read:student_contacts read:students read:teachers read:user_id",
    "sso": "read:district_admins_basic read:school_admins_basic read:students_basic"
    " read:teachers_basic read:user_id",
    "library": "read:sections read:students read:teachers read:user_id",
}


def scopes_of(app: RegisteredApp) -> list[str]:
    """Returns the scopes that Clever grants every app of a tier. Apps do not request scopes."""
    return _SCOPES_BY_TIER[app.tier].split() if app.scopes == "all" else []
