"""The outbox as the worker sees it: claim what is due, then say what became of it.

A claim is one conditional statement and holds for LEASE; what a worker that was killed had claimed is due again after
it. Every later word about a row needs the claim, so that a worker that came too late changes nothing.
"""

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, or_, select, update

from auth import crypto, database, events
from models import Letter, now

LEASE = timedelta(seconds=150)
GIVE_UP = timedelta(days=1)
KEPT = timedelta(days=7)
LONGEST_PAUSE_SECONDS = 3600

_waiting = and_(Letter.due_at <= bindparam("time"), Letter.delivered_at.is_(None), Letter.gave_up_at.is_(None))
_is_any_due = select(Letter.id).where(_waiting).limit(1)


def claim(most: int) -> list[Any]:
    """Rows that are due, the oldest first, for the caller alone; in a transaction of its own."""
    time, mine = now(), crypto.random_id()
    if database.execute(_is_any_due, {"time": time}).first() is None:
        return []
    due = select(Letter.id).where(_waiting).order_by(Letter.due_at, Letter.id)
    claimed = (
        update(Letter)
        .where(Letter.id.in_(database.batch(due, most)), _waiting)
        .values(claim=mine, due_at=time + LEASE)
        .returning(*Letter.__table__.c)
    )
    with database.apart():
        rows = database.execute(claimed, {"time": time}).all()
    return sorted(rows, key=lambda row: row.id)


def delivered(row: Any) -> None:
    """The letter has left: what it said is forgotten, the rest is kept a while for whoever asks where it is."""
    _settle(row, sealed=None, delivered_at=now(), due_at=now() + KEPT)


def failed(row: Any, reason: str, final: bool) -> str:
    """It did not leave, and is due again after a pause that grows: "delayed". Or "given up", once it is a day old."""
    if final or now() - row.created_at >= GIVE_UP:
        if _settle(row, sealed=None, gave_up_at=now(), due_at=now() + KEPT):
            events.record("mail.given_up", row.user_id, template=row.template, attempts=row.attempts + 1, reason=reason)
        return "given up"
    # Letters that failed together do not come back together.
    seconds = min(2 ** (row.attempts + 1), LONGEST_PAUSE_SECONDS) * (75 + secrets.randbelow(50)) / 100
    _settle(row, attempts=row.attempts + 1, due_at=now() + timedelta(seconds=seconds))
    return "delayed"


def release(row: Any) -> None:
    """Somebody else may have it, now."""
    _settle(row, due_at=now())


def remove(row: Any) -> bool:
    """Take a question that is being answered out of the outbox; whether it was still the caller's."""
    taken = delete(Letter).where(Letter.id == row.id, Letter.claim == row.claim).returning(Letter.id)
    return database.execute(taken).first() is not None


def past() -> Select[Any]:
    """The ids of the rows that are done and have been kept long enough."""
    done = or_(Letter.delivered_at.is_not(None), Letter.gave_up_at.is_not(None))
    return select(Letter.id).where(done, Letter.due_at <= now())


def _settle(row: Any, **values: Any) -> bool:
    mine = update(Letter).where(Letter.id == row.id, Letter.claim == row.claim).values(claim=None, **values)
    return database.execute(mine.returning(Letter.id)).first() is not None
