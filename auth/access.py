"""Who is asking: the claims of the token that came with the request, freshness (step-up) and permissions."""

import time
from typing import Any

from flask import g
from flask_jwt_extended import get_jwt
from sqlalchemy import select

from auth import database, session_rows, users
from auth.factors import enrolled
from auth.problems import FreshTokenRequired, PermissionDenied, TokenRevoked
from auth.users import Account
from config import settings
from models import Session


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
    """The account of the person who is asking, read once a request; raises TokenRevoked when it is gone or disabled."""
    if "account" not in g:
        g.account = users.get(user_id())
    found: Account | None = g.account
    if found is None or found.disabled_at is not None:
        raise TokenRevoked
    return found


def hold() -> Account:
    """The person who is asking as they are now, and locked; raises TokenRevoked when the session has ended meanwhile.

    What is added to an account begins with this: whoever is signed out at that moment adds nothing any more.
    """
    g.account = users.lock(user_id())
    if not session_rows.is_open(session_id()):
        raise TokenRevoked
    return account()


def check_fresh() -> None:
    """Refuse a proof older than FRESH_MINUTES, or by one factor of two; raises FreshTokenRequired (RFC 9470).

    A session that began before its person had a second factor knows nothing of it, and is not fresh.
    """
    if not is_recent(claims()["auth_time"]):
        raise FreshTokenRequired
    since = account().mfa_since
    if since is not None and (claims()["acr"] != enrolled.AAL2 or _session().created_at < since):
        raise FreshTokenRequired


def check_factor(kind: str) -> None:
    """Refuse a session that began with neither a factor of this kind nor a recovery code; raises FreshTokenRequired.

    So a lesser factor, or mail alone, takes no better one away.
    """
    if _session().factor not in (kind, enrolled.RECOVERY_CODE):
        raise FreshTokenRequired


def check_no_lesser() -> None:
    """Refuse a session begun with a code by mail or SMS where there is an app or a passkey; raises FreshTokenRequired.

    Whatever stands for a better factor is made with one: recovery codes, and every factor that is added.
    """
    if _session().factor in enrolled.LESSER and not enrolled.BETTER.isdisjoint(enrolled.methods(user_id(), [])):
        raise FreshTokenRequired


def _session() -> Any:
    """By which factor the session began and when, read once a request."""
    if "session" not in g:
        began = select(Session.factor, Session.created_at).where(Session.id == session_id())
        g.session = database.execute(began).first()
    if g.session is None:
        raise TokenRevoked
    return g.session


def is_recent(moment: int) -> bool:
    """Whether a proof made at this time still counts as fresh."""
    return time.time() - moment <= settings().fresh_minutes * 60


def check_roles(needed: tuple[str, ...]) -> None:
    """Refuse a token that lacks one of the roles; raises PermissionDenied."""
    if not set(needed) <= set(claims()["roles"]):
        raise PermissionDenied
