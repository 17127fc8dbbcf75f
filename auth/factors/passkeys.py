"""Passkeys: their rows, and the challenges that their ceremonies answer.

A challenge is a one-time secret: it is found again by its hash, belongs to one ceremony, lives five minutes, and is
spent by the first answer, whatever becomes of the request.
"""

import importlib
import os
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from auth import database, one_time, passwords, users
from auth.factors import enrolled
from auth.factors.credentials import Asserted, Refused, Registered
from auth.one_time import Redeemed
from auth.problems import CodeInvalid, LastFactor, PasskeyInvalid
from auth.users import Account
from models import Passkey, now

# The purposes of challenges: one made for one ceremony is worth nothing in another.
REGISTRATION, SIGN_IN = "passkey registration", "passkey sign-in"
SECOND_FACTOR, STEP_UP = "passkey second factor", "passkey step-up"
# A key that the person has, and a gesture or secret by which it knows them: two factors (RFC 8176: pop, user, mfa).
PASSKEY_ALONE = [*enrolled.AMR[enrolled.PASSKEY], "mfa"]
ALONE = (SIGN_IN, STEP_UP)
LIFETIME = timedelta(minutes=5)
# A passkey is written a moment before the event that a notice tells of.
WRITTEN_BEFORE = timedelta(minutes=1)
HANDLE_BYTES = 64

# A counter that is kept must grow; authenticators that keep none always say 0 (WebAuthn section 6.1.1).
_use = (
    update(Passkey)
    .where(
        Passkey.id == bindparam("passkey"),
        or_(
            Passkey.sign_count < bindparam("counted"),
            and_(Passkey.sign_count == 0, bindparam("counted") == 0),
        ),
    )
    .values(sign_count=bindparam("counted"), backed_up=bindparam("saved"), last_used_at=bindparam("time"))
    .returning(Passkey.id)
)


def of(user_id: int) -> list[Any]:
    """The passkeys of a person, oldest first."""
    mine = select(Passkey.__table__).where(Passkey.user_id == user_id).order_by(Passkey.id)
    return list(database.execute(mine).all())


def begin_registration(account: Account) -> dict[str, Any]:
    """The options of a registration. All passkeys of a person share one random user handle."""
    known = of(account.id)
    handle = known[0].user_handle if known else os.urandom(HANDLE_BYTES)
    issued = one_time.issue(REGISTRATION, LIFETIME, user_id=account.id, handle=handle.hex())
    options: dict[str, Any] = _ceremonies().registration_options(account.username, handle, issued.secret, known)
    return options


def attest(account: Account, credential: dict[str, Any]) -> dict[str, Any]:
    """What a browser made for a person, with the challenge that it spends; raises PasskeyInvalid."""
    try:
        challenge = _ceremonies().challenge_of(credential)
        spent = _spend(REGISTRATION, challenge)
        if spent is None or spent.user_id != account.id:
            raise PasskeyInvalid
        made: Registered = _ceremonies().verify_registration(credential, challenge)
    except Refused:
        raise PasskeyInvalid from None
    return {**asdict(made), "user_id": account.id, "user_handle": bytes.fromhex(spent.data["handle"])}


def register(made: dict[str, Any], name: str) -> tuple[Any, list[str]]:
    """The row of a new passkey, and recovery codes if it is the first factor; raises PasskeyInvalid, TooManyFactors.

    Called with the person locked.
    """
    enrolled.check_room(made["user_id"], Passkey)
    row = {**made, "name": name, "created_at": now()}
    try:
        stored = database.execute(insert(Passkey).values(row).returning(*Passkey.__table__.c)).one()
    except IntegrityError:
        raise PasskeyInvalid from None
    return stored, enrolled.added(made["user_id"], enrolled.PASSKEY)


def begin(purpose: str, *, user_id: int | None = None, verified: bool = True, **bound: Any) -> dict[str, Any]:
    """The options of an authentication: by anybody's passkey, or by those of one person."""
    issued = one_time.issue(purpose, LIFETIME, user_id=user_id, beside_others=True, **bound)
    known = [row for row in of(user_id) if _is_enough(row, purpose)] if user_id else ()
    options: dict[str, Any] = _ceremonies().authentication_options(issued.secret, known, verified=verified)
    return options


def check(
    purpose: str, credential: dict[str, Any], *, user_id: int | None = None, verified: bool = True, **bound: Any
) -> int:
    """The person whose passkey made the assertion, which is used up with its challenge.

    `user_id` and `bound` must be what the challenge was made with. Raises CodeInvalid, whatever was wrong.
    """
    try:
        challenge = _ceremonies().challenge_of(credential)
        spent = _spend(purpose, challenge)
        known = _find(_ceremonies().credential_id(credential))
        if spent is None or (spent.user_id, spent.data) != (user_id, bound):
            raise Refused
        if known is None or user_id not in (known.user_id, None) or not _is_enough(known, purpose):
            raise Refused
        made: Asserted = _ceremonies().verify_authentication(credential, challenge, known, verified=verified)
        values = {"passkey": known.id, "counted": made.sign_count, "saved": made.backed_up, "time": now()}
        if database.execute(_use, values).first() is None:
            raise Refused
    except Refused:
        event = "login.failed" if purpose == SIGN_IN else "mfa.failed"
        raise CodeInvalid().recorded(event, user_id=user_id, method=enrolled.PASSKEY) from None
    return int(known.user_id)


def disown(user_id: int, since: datetime) -> int:
    """Let what a person has enrolled since a moment no longer sign in by itself; how many passkeys that concerns.

    They stay second factors: mail alone takes none away.
    """
    suspect = (Passkey.user_id == user_id, Passkey.created_at >= since - WRITTEN_BEFORE, Passkey.disowned_at.is_(None))
    mine = update(Passkey).where(*suspect).values(disowned_at=now()).returning(Passkey.id)
    return len(database.execute(mine).all())


def rename(user_id: int, number: int, name: str) -> Any:
    """Call a passkey something else; its row, or None when it is not there."""
    mine = update(Passkey).where(Passkey.id == number, Passkey.user_id == user_id).values(name=name)
    return database.execute(mine.returning(*Passkey.__table__.c)).first()


def remove(account: Account, number: int) -> bool:
    """Remove a passkey; whether it was there. Raises LastFactor when it is the last way to sign in."""
    users.lock(account.id)
    mine = delete(Passkey).where(Passkey.id == number, Passkey.user_id == account.id)
    name = database.execute(mine.returning(Passkey.name)).scalar()
    if name is None:
        return False
    if account.password_hash == passwords.UNUSABLE and not of(account.id):
        raise LastFactor
    enrolled.removed(account, enrolled.PASSKEY)
    return True


def _is_enough(row: Any, purpose: str) -> bool:
    """Whether a passkey will do for what it is asked for: alone only while nobody has disowned it."""
    return row.disowned_at is None or purpose not in ALONE


def _ceremonies() -> Any:
    """What makes and verifies them: its library weighs seven megabytes, for which not every worker has a use."""
    return importlib.import_module("auth.factors.ceremonies")


def _spend(purpose: str, challenge: str) -> Redeemed | None:
    with database.apart():
        return one_time.redeem(purpose, challenge)


def _find(credential_id: bytes) -> Any:
    return database.execute(select(Passkey.__table__).where(Passkey.credential_id == credential_id)).first()
