"""Refresh (RFC 6749 section 6) with rotation and replay detection (RFC 9700 section 4.14)."""

from flask import Blueprint

from auth import access, sessions
from auth.endpoint import endpoint
from auth.fields import Body, RefreshToken, TokensAnswer
from auth.problems import TokenReused
from auth.sessions import Tokens

bp = Blueprint("refresh", __name__)


class Refresh(Body):
    """The refresh token, when it comes neither in the Authorization header nor in a cookie."""

    refresh_token: RefreshToken | None = None


@endpoint(
    bp, "POST", "/auth/refresh", body=Refresh, returns=TokensAnswer, auth="refresh", limit="refresh",
    errors=(TokenReused, *sessions.STATES),
)  # fmt: skip
def refresh(body: Refresh) -> Tokens:
    """Exchange a refresh token for its successor and a new access token."""
    return sessions.rotate(access.claims())
