"""Who am I: from the token alone, from the database, and for a proxy that asks on behalf of others."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response

from auth import access
from auth.answers import NoContent
from auth.endpoint import endpoint
from auth.fields import Answer, Unread
from auth.problems import TokenInvalid

bp = Blueprint("me", __name__)


class Protected(Answer):
    """What the access token says."""

    message: str
    logged_in_as: str
    user_id: int
    session_id: str
    roles: list[str]
    amr: list[str]
    acr: str
    auth_time: int
    expires_at: int


class Account(Answer):
    """The account of the person."""

    id: int
    username: str
    email: str
    email_verified: bool
    roles: list[str]
    created_at: datetime
    updated_at: datetime
    mfa: bool


@endpoint(bp, "GET", "/auth/protected", returns=Protected, auth="access")
def protected() -> dict[str, Any]:
    """Answer from the token alone; no account is read."""
    claims = access.claims()
    return {
        "message": "You are signed in",
        "logged_in_as": claims["preferred_username"],
        "user_id": int(claims["sub"]),
        "session_id": claims["sid"],
        "roles": claims["roles"],
        "amr": claims["amr"],
        "acr": claims["acr"],
        "auth_time": claims["auth_time"],
        "expires_at": claims["exp"],
    }


@endpoint(bp, "GET", "/auth/me", returns=Account, auth="access", enrolling=True)
def me() -> dict[str, Any]:
    """The account as it is now."""
    account = access.account()
    return {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "email_verified": account.email_verified_at is not None,
        "roles": account.roles,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
        "mfa": account.mfa_since is not None,
    }


@endpoint(bp, "GET", "/auth/verify", query=Unread, status=204, auth="access", enrolling=TokenInvalid)
def verify() -> Response:
    """204 with the person in headers, or 401: for nginx auth_request, and for Traefik's and Caddy's forward_auth.

    A session that can only enrol is none to other services, whose audience its token does not have.
    """
    claims = access.claims()
    headers = {
        "X-Auth-User": claims["sub"],
        "X-Auth-Roles": ",".join(claims["roles"]),
        "X-Auth-Session": claims["sid"],
        "Cache-Control": "no-store",
    }
    return NoContent(headers=headers)
