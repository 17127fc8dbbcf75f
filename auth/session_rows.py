"""The rows of sessions: begun, moved on by a rotation, listed. What becomes of a session is decided at the gate."""

from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select, update

from auth import database
from models import Base, Session, User, now

# So many open sessions a person has at most: with one more the oldest ends.
MOST = 100

_others = Base.metadata.tables["sessions"].alias()
# What the insertion of a session tells: since when there is no room beside the others, if there is none.
_full_since = (
    select(_others.c.created_at)
    .where(
        _others.c.user_id == bindparam("owner"),
        _others.c.id != bindparam("sid"),
        _others.c.revoked_at.is_(None),
        _others.c.expires_at > bindparam("time"),
        _others.c.idle_expires_at > bindparam("time"),
    )
    .order_by(_others.c.created_at.desc())
    .offset(MOST - 1)
    .limit(1)
)
_columns = Session.__table__.c
_written = [column.name for column in _columns if column.name not in ("revoked_at", "revoked_why")]
# The session of a person who is in the epoch in which they proved themselves: who ends every session begins another.
# Its change is waited for, as it waits for this: whichever of the two comes first, no session outlives it.
_unchanged = (
    select(*(bindparam(name, type_=_columns[name].type) for name in _written))
    .where(
        User.id == bindparam("owner"),
        User.device_epoch == bindparam("epoch"),
        User.disabled_at.is_(None),
        User.reset_forced_at.is_(None),
        User.deleted_at.is_(None),
    )
    .with_for_update(read=True, key_share=True)
)
_insert = sqlalchemy.insert(Session).from_select(_written, _unchanged).returning(_full_since.scalar_subquery())
_rotate = (
    update(Session)
    .where(
        Session.id == bindparam("sid"),
        Session.generation == bindparam("expected"),
        Session.revoked_at.is_(None),
        Session.expires_at > bindparam("time"),
        Session.idle_expires_at > bindparam("time"),
    )
    .values(
        generation=Session.generation + 1,
        rotated_at=bindparam("time"),
        last_used_at=bindparam("time"),
        idle_expires_at=bindparam("idle"),
    )
    .returning(*Session.__table__.c)
)


def insert(row: dict[str, Any], epoch: int) -> tuple[bool, datetime | None]:
    """Write a new session of a person who is at this epoch and may enter; whether it was.

    Also since when there is no room for it beside the others of its person; None when there is.
    """
    known = {"owner": row["user_id"], "epoch": epoch, "sid": row["id"], "time": row["created_at"]}
    written = database.execute(_insert, row | known).first()
    return (False, None) if written is None else (True, written[0])


def is_open(sid: str) -> bool:
    """Whether a session has not ended."""
    mine = select(Session.id).where(Session.id == sid, Session.revoked_at.is_(None))
    return database.execute(mine).first() is not None


def rotate(values: dict[str, Any]) -> Any:
    """Move a session on from the generation that is expected, of any number of callers for one; else None."""
    return database.execute(_rotate, values).mappings().first()


def open_sessions(user_id: int, *, before: tuple[datetime, str] | None = None, limit: int = 100) -> list[Any]:
    """The open sessions of a person, newest first, after the position `before`."""
    time = now()
    mine = select(Session.__table__).where(
        Session.user_id == user_id,
        Session.revoked_at.is_(None),
        Session.expires_at > time,
        Session.idle_expires_at > time,
    )
    if before is not None:
        created, sid = before
        mine = mine.where((Session.created_at < created) | ((Session.created_at == created) & (Session.id < sid)))
    return list(database.execute(mine.order_by(Session.created_at.desc(), Session.id.desc()).limit(limit)).all())
