"""A second provider: your own staff log in with Google, through Authlib."""

import os

from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Blueprint, Flask, current_app, redirect
from flask.typing import ResponseReturnValue
from joserfc.errors import JoseError
from requests import RequestException

from clever_login import AccountRefused, Identity, Settings, log_in, public

TRY_AGAIN = "The login with Google did not work. Try again."
bp = Blueprint("google", __name__, url_prefix="/google")


@bp.get("/login")
@public
def start() -> ResponseReturnValue:
    """Redirect to Google. The session keeps the state, the nonce, and the PKCE verifier."""
    google, address = current_app.extensions["google"], current_app.config["GOOGLE_CALLBACK"]
    try:
        return google.authorize_redirect(address)  # type: ignore[no-any-return]
    except RequestException as error:
        raise AccountRefused(TRY_AGAIN) from error


@bp.get("/callback")
@public
def callback() -> ResponseReturnValue:
    """Log in a member of our staff. Everybody else reads a sentence."""
    google, config = current_app.extensions["google"], current_app.config
    checks = {
        "iss": {"essential": True, "value": config["GOOGLE_ISSUER"]},
        "aud": {"essential": True, "value": config["GOOGLE_CLIENT_ID"]},
    }
    try:
        claims = google.authorize_access_token(claims_options=checks).get("userinfo", {})
    except (OAuthError, JoseError, RequestException) as error:
        raise AccountRefused(TRY_AGAIN) from error
    domain = config["GOOGLE_DOMAIN"]
    if not domain or claims.get("email_verified") is not True or claims.get("hd") != domain:
        raise AccountRefused("This login is only for our staff.")
    log_in(
        Identity(
            provider="google",
            subject=claims["sub"],
            first_name=claims.get("given_name", ""),
            last_name=claims.get("family_name", ""),
            email=claims.get("email"),
        )
    )
    return redirect("/")


def init_app(app: Flask, *, issuer: str = "https://accounts.google.com") -> None:
    """Register the views. Without GOOGLE_DOMAIN, nobody can log in with Google."""
    settings: Settings = app.extensions["clever_login"].settings
    app.config.update(GOOGLE_ISSUER=issuer, GOOGLE_CALLBACK=f"{settings.app_url}/google/callback")
    for name in ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "GOOGLE_DOMAIN"):
        app.config.setdefault(name, os.environ.get(name, ""))
    app.extensions["google"] = OAuth(app).register(  # type: ignore[no-untyped-call]
        "google",
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "default_timeout": 10,  # seconds; without it, Authlib waits without limit
        },
    )
    app.register_blueprint(bp)
