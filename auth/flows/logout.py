"""Sign out: of this session, of all, or of all others (RFC 7009 in spirit: always 200 for one's own token)."""

from typing import Any

from flask import Blueprint, after_this_request

from auth import access, sessions, transport
from auth.endpoint import endpoint
from auth.fields import Answer, Body, Message, RefreshToken

bp = Blueprint("logout", __name__)


class LogoutAll(Body):
    """Whether the session that asks stays."""

    keep_current: bool = False


class LoggedOut(Answer):
    """How many sessions were ended."""

    message: str
    revoked: int


class Logout(Body):
    """The refresh token, when it comes neither in the Authorization header nor in a cookie."""

    refresh_token: RefreshToken | None = None


@endpoint(bp, "POST", "/auth/logout", body=Logout, returns=Message, auth="session")
def logout(body: Logout) -> dict[str, Any]:
    """End the session of the token, access or refresh, even one that has expired. Doing it twice is no error."""
    sessions.revoke(access.session_id(), "logout")
    after_this_request(transport.clear_cookies)
    return {"message": "Logged out"}


@endpoint(bp, "POST", "/auth/logout-all", body=LogoutAll, returns=LoggedOut, auth="access", enrolling=True)
def logout_all(body: LogoutAll) -> dict[str, Any]:
    """End every session of the person, or every other one."""
    keep = access.session_id() if body.keep_current else None
    revoked = sessions.revoke_all(access.user_id(), "logout", keep=keep)
    if keep is None:
        after_this_request(transport.clear_cookies)
    return {"message": "Logged out everywhere", "revoked": revoked}
