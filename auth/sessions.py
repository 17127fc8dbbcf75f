"""THE GATE: it alone turns a proven person into a session and tokens, keeps them alive, and ends them.

A refresh token names its session and a generation. One conditional UPDATE moves the session to the next generation;
whoever loses it either lost the answer a moment ago and is given the same successor, or replays a stolen token.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from auth import crypto, database, devices, events, keys, revocations, session_rows, tokens, users
from auth.factors import enrolled, pending, trust
from auth.factors.enrolled import AAL1, AAL2
from auth.factors.pending import Pending
from auth.problems import (
    AccountDisabled,
    EmailNotVerified,
    InvalidCredentials,
    MfaRequired,
    PasswordResetRequired,
    TokenExpired,
    TokenReused,
    TokenRevoked,
)
from auth.tokens import ACCESS, REFRESH
from auth.users import Account
from config import settings
from models import Session, now


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in or a rotation hands out; lifetimes in seconds. A refresh has no token for the device."""

    access: str
    refresh: str
    expires_in: int
    refresh_expires_in: int
    session_id: str
    device: str = ""


# What an account may be refused for on every pathway, and what only its signing in can meet.
STATES = (AccountDisabled, PasswordResetRequired, EmailNotVerified)
RESUMED = (*STATES, InvalidCredentials)
REFUSALS = (*RESUMED, MfaRequired)


def sign_in(
    account: Account, amr: list[str], factor: str | None = None, replaces: str | None = None, at: datetime | None = None
) -> Tokens:
    """Begin a session for a person who has proven themselves by the methods `amr` (RFC 8176), `mfa` being both factors.

    `factor` is the method of the second proof, `replaces` the session that ends, `at` when the older proof was made.
    Raises AccountDisabled, PasswordResetRequired, EmailNotVerified and MfaRequired: what an account may do is
    asked here, on every pathway. InvalidCredentials when it was changed meanwhile, TokenRevoked when `replaces` ended.
    """
    check_may_enter(account)
    both, device = "mfa" in amr, devices.known(account.id, account.device_epoch)
    if account.mfa_since is not None and not both and (replaces or not trust.holds(account.id, device)):
        raise pending.demand(account, amr, replaces)
    time, governed = now(), settings().mfa_policy != "optional"
    ip, user_agent, _ = events.origin()
    row: dict[str, Any] = {
        "id": crypto.random_id(),
        "user_id": account.id,
        "generation": 0,
        "rotated_at": time,
        "amr": " ".join(amr),
        "acr": AAL2 if both else AAL1,
        "factor": factor,
        "auth_time": at or time,
        "enrol_only": not (both or account.mfa_since) and governed and enrolled.demanded(account),
        "device_id": device or crypto.random_id(),
        "ip": ip,
        "user_agent": user_agent,
        "created_at": time,
        "last_used_at": time,
        "idle_expires_at": time + timedelta(seconds=settings().session_idle_seconds),
        "expires_at": time + timedelta(seconds=settings().refresh_token_seconds),
    }
    keys.current()
    _begin(row, account.device_epoch)
    events.record("login.renewed" if replaces else "login.succeeded", account.id, row["id"], amr=amr)
    if replaces and not revoke(replaces, "proven again", account.id):
        raise TokenRevoked
    return _tokens(account, row, devices.token(row["device_id"], account.id, account.device_epoch))


def resume(waiting: Pending, account: Account, factor: str, trust_device: bool = False) -> Tokens:
    """Begin the session that waited for its second factor, once; raises CodeInvalid and what sign_in raises.

    With `trust_device` the device is not asked for a second factor again for a while.
    """
    pending.finish(waiting)
    amr = list(dict.fromkeys([*waiting.amr, *enrolled.AMR[factor], "mfa"]))
    begun = sign_in(account, amr, factor=factor, replaces=waiting.replaces, at=waiting.proven_at)
    if trust_device:
        trust.begin(account.id, begun.device)
    return begun


def rotate(claims: dict[str, Any]) -> Tokens:
    """The next tokens for the claims of a refresh token; raises TokenRevoked, TokenExpired, TokenReused, STATES."""
    time = now()
    values = {
        "sid": claims["sid"],
        "expected": claims["generation"],
        "time": time,
        "idle": time + timedelta(seconds=settings().session_idle_seconds),
    }
    row = session_rows.rotate(values) or _successor(claims, time)
    account = users.get(row["user_id"])
    if account is None:
        raise TokenRevoked
    check_may_enter(account)
    return _tokens(account, row)


def renew(account: Account, sid: str) -> Tokens:
    """New tokens for a session that goes on, whatever generation it was at, and for its device.

    Raises TokenRevoked, and what `check_may_enter` raises.
    """
    check_may_enter(account)
    moved = (
        update(Session)
        .where(Session.id == sid, Session.user_id == account.id, Session.revoked_at.is_(None))
        # Two: nobody is given what follows the token of before, as within the grace of a rotation.
        .values(generation=Session.generation + 2, rotated_at=now())
        .returning(*Session.__table__.c)
    )
    row = database.execute(moved).mappings().first()
    if row is None:
        raise TokenRevoked
    return _tokens(account, row, devices.token(row["device_id"], account.id, account.device_epoch))


def check_may_enter(account: Account) -> None:
    """Whether the account may sign in or stay; raises AccountDisabled, PasswordResetRequired, EmailNotVerified.

    Sessions that a disabled account still has, because it was disabled in the database by hand, end with the refusal.
    """
    if account.disabled_at is not None:
        refusal = AccountDisabled().recorded("login.failed", user_id=account.id, reason="disabled")
        raise refusal.then(lambda: revoke_all(account.id, "disabled"))
    if account.reset_forced_at is not None:
        raise PasswordResetRequired().recorded("login.failed", user_id=account.id, reason="reset forced")
    if settings().require_verified_email and account.email_verified_at is None:
        raise EmailNotVerified().recorded("login.failed", user_id=account.id, reason="email not verified")


def revoke(sid: str, why: str, user_id: int | None = None) -> bool:
    """End one session, of `user_id` if given; whether it was still open."""
    return bool(_end(why, Session.id == sid, *([Session.user_id == user_id] if user_id is not None else [])))


def revoke_all(user_id: int, why: str, keep: str | None = None) -> int:
    """End every session of a person but `keep`, and every half-finished sign-in; how many sessions there were.

    What is changed about the account is changed before: a sign-in that is under way is ended here or refuses itself.
    """
    pending.void(user_id)
    trust.forget_all(user_id)
    users.await_sign_ins(user_id)
    return _end(why, Session.user_id == user_id, Session.id != (keep or ""))


def _begin(row: dict[str, Any], epoch: int) -> None:
    """Write a new session; when there is no room for it, the oldest end."""
    written, full_since = session_rows.insert(row, epoch)
    if not written:
        raise _overtaken(row["user_id"])
    if full_since is not None:
        _end("too many sessions", Session.user_id == row["user_id"], Session.created_at <= full_since)


def _overtaken(user_id: int) -> InvalidCredentials:
    """What refuses a sign-in whose account was changed since its proof was looked at; or raises what bars it now."""
    if account := users.get(user_id):
        check_may_enter(account)
    return InvalidCredentials().recorded("login.failed", user_id=account and account.id, reason="changed meanwhile")


def _successor(claims: dict[str, Any], time: datetime) -> Any:
    """The generation after the one presented, when it was made within the grace period; else this is a replay."""
    row = database.execute(select(Session.__table__).where(Session.id == claims["sid"])).mappings().first()
    if row is None or row["revoked_at"] is not None:
        raise TokenRevoked
    if min(row["expires_at"], row["idle_expires_at"]) <= time:
        raise TokenExpired
    grace = timedelta(seconds=settings().refresh_grace_seconds)
    # Whoever waited for the winner began before the rotation: without grace even that is too late.
    if grace and row["generation"] == claims["generation"] + 1 and time - row["rotated_at"] < grace:
        return row
    replay = TokenReused().then(lambda: revoke(row["id"], "replay"))
    raise replay.recorded("session.replayed", user_id=row["user_id"], session_id=row["id"])


def _end(why: str, *which: Any) -> int:
    ended = (
        update(Session)
        .where(Session.revoked_at.is_(None), *which)
        .values(revoked_at=now(), revoked_why=why)
        .returning(Session.id, Session.user_id)
    )
    rows = database.execute(ended).all()
    revocations.add(*(row.id for row in rows))
    if len(rows) == 1:
        events.record("session.revoked", rows[0].user_id, rows[0].id, why=why)
    elif rows:
        events.record("sessions.revoked", rows[0].user_id, why=why, count=len(rows))
    return len(rows)


def _tokens(account: Account, row: Any, device: str = "") -> Tokens:
    sid, generation = row["id"], row["generation"]
    expires = min(row["idle_expires_at"], row["expires_at"])
    left = int((expires - now()).total_seconds())
    lifetime = max(1, min(settings().access_token_seconds, left))
    claims = {
        "jti": crypto.random_id(),
        "sid": sid,
        "auth_time": int(row["auth_time"].timestamp()),
        "amr": row["amr"].split(),
        "acr": row["acr"],
        "preferred_username": account.username,
        "roles": account.roles,
    }
    governed = settings().mfa_policy != "optional"
    if row["enrol_only"] or (governed and enrolled.lacking(account, row["acr"], row["auth_time"])):
        claims |= tokens.ENROL_ONLY
    # Nothing in it is random: made again for the same generation, it is the same token.
    successor = {
        "jti": f"{sid}.{generation}",
        "sid": sid,
        "generation": generation,
        "iat": int(row["rotated_at"].timestamp()),
        "exp": int(expires.timestamp()),
    }
    return Tokens(
        access=tokens.mint(ACCESS, account.id, lifetime, claims),
        refresh=tokens.mint(REFRESH, account.id, left, successor),
        expires_in=lifetime,
        refresh_expires_in=left,
        session_id=sid,
        device=device,
    )
