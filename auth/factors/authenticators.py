"""The rows of authenticators: enrolled with a secret that is encrypted, in force once confirmed, each with a name."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from auth import crypto, database, users
from auth.factors import enrolled, totp
from auth.users import Account
from models import Authenticator, now

log = logging.getLogger("gatehouse")

# How long an enrolment waits for its first code.
ENROLMENT = timedelta(hours=1)

_advance = (
    update(Authenticator)
    .where(Authenticator.id == bindparam("authenticator"), Authenticator.last_step < bindparam("step"))
    .values(last_step=bindparam("step"), last_used_at=bindparam("time"))
    .returning(Authenticator.id)
)


def enrol(user_id: int, kind: str, name: str, secret: str) -> int:
    """A new authenticator that waits for its first code; one that waited before is forgotten. Raises TooManyFactors."""
    users.lock(user_id)
    mine = (Authenticator.user_id == user_id, Authenticator.kind == kind)
    database.execute(delete(Authenticator).where(*mine, Authenticator.confirmed_at.is_(None)))
    most = enrolled.MOST_OF_A_KIND if kind == enrolled.TOTP else 1
    enrolled.check_room(user_id, Authenticator, Authenticator.kind == kind, most=most)
    row = {
        "user_id": user_id,
        "kind": kind,
        "name": name,
        "sealed": crypto.encrypt(_purpose(kind), secret.encode(), str(user_id)),
        "created_at": now(),
    }
    return int(database.execute(insert(Authenticator).values(row).returning(Authenticator.id)).scalar_one())


def waiting(user_id: int, kind: str) -> Any:
    """The authenticator that waits for its first code, or None."""
    mine = (Authenticator.user_id == user_id, Authenticator.kind == kind, Authenticator.confirmed_at.is_(None))
    young = Authenticator.created_at > now() - ENROLMENT
    return database.execute(select(Authenticator.__table__).where(*mine, young)).first()


def confirm(row: Any, step: int = 0) -> list[str] | None:
    """Put an authenticator in force; recovery codes if it is the first. None when another caller was quicker."""
    time = now()
    first = update(Authenticator).where(Authenticator.id == row.id, Authenticator.confirmed_at.is_(None))
    values = {"confirmed_at": time, "last_used_at": time, "last_step": step}
    if database.execute(first.values(values).returning(Authenticator.id)).first() is None:
        return None
    return enrolled.added(row.user_id, row.kind)


def in_force(user_id: int, kind: str | None = None) -> list[Any]:
    """The confirmed authenticators of a person, of one kind if given, oldest first."""
    mine = select(Authenticator.__table__).where(
        Authenticator.user_id == user_id, Authenticator.confirmed_at.is_not(None)
    )
    if kind is not None:
        mine = mine.where(Authenticator.kind == kind)
    return list(database.execute(mine.order_by(Authenticator.id)).all())


def remove(account: Account, kind: str, number: int | None = None) -> bool:
    """Remove one authenticator, or all of a kind; whether there was any. Raises LastFactor."""
    users.lock(account.id)
    mine = [Authenticator.user_id == account.id, Authenticator.kind == kind]
    if number is not None:
        mine.append(Authenticator.id == number)
    gone = delete(Authenticator).where(*mine, Authenticator.confirmed_at.is_not(None))
    removed = database.execute(gone.returning(Authenticator.id)).all()
    for _ in removed:
        enrolled.removed(account, kind)
    return bool(removed)


def spend_step(user_id: int, code: str) -> bool:
    """Accept the time step a code is right for, once, and never one that is not newer than the last.

    Wrong, used and stale codes cost the same statements: one that reads, one that would change a row.
    """
    found, step = _newest(in_force(user_id, enrolled.TOTP), code)
    values = {"authenticator": found, "step": step, "time": now()}
    return database.execute(_advance, values).first() is not None


def secret_of(row: Any) -> str | None:
    """The secret or number of an authenticator; None when the key that sealed it is gone."""
    try:
        return crypto.decrypt(_purpose(row.kind), row.sealed, str(row.user_id)).decode()
    except crypto.Undecryptable:
        log.error("an authenticator cannot be decrypted", extra={"authenticator": row.id})
        return None


def _newest(rows: Iterable[Any], code: str) -> tuple[int, int]:
    """The authenticator and the step that the code is right for, as far as it can still be used; else nobody's."""
    steps = [(row, totp.step_of(secret, code)) for row in rows if (secret := secret_of(row))]
    fresh = [(row.id, step) for row, step in steps if step is not None and step > row.last_step]
    return fresh[0] if fresh else (0, 0)


def _purpose(kind: str) -> str:
    return f"authenticator {kind}"
