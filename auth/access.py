"""Who is asking: the claims of the token that came with the request, freshness (step-up) and permissions."""

import time
from typing import Any

from flask_jwt_extended import get_jwt

from auth import users
from auth.problems import FreshTokenRequired, PermissionDenied, TokenRevoked
from auth.users import Account
from config import settings


def claims() -> dict[str, Any]:
    """The claims of the token of this request."""
    found: dict[str, Any] = get_jwt()
    return found


def user_id() -> int:
    """The id of the person who is asking."""
    return int(claims()["sub"])


def session_id() -> str:
    """The session the request belongs to."""
    return str(claims()["sid"])


def account() -> Account:
    """The account of the person who is asking; raises TokenRevoked when it is gone."""
    found = users.get(user_id())
    if found is None:
        raise TokenRevoked
    return found


def check_fresh() -> None:
    """Refuse a proof older than FRESH_MINUTES; raises FreshTokenRequired (RFC 9470)."""
    if time.time() - claims()["auth_time"] > settings().fresh_minutes * 60:
        raise FreshTokenRequired


def check_roles(needed: tuple[str, ...]) -> None:
    """Refuse a token that lacks one of the roles; raises PermissionDenied."""
    if not set(needed) <= set(claims()["roles"]):
        raise PermissionDenied
