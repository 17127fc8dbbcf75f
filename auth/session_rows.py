"""The rows of sessions: begun, moved on by a rotation, listed. What becomes of a session is decided at the gate."""

from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select, update

from auth import database
from models import Base, Session, now

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
_insert = sqlalchemy.insert(Session).returning(_full_since.scalar_subquery())
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


def insert(row: dict[str, Any]) -> datetime | None:
    """Write a new session. Since when there is no room for it beside the others of its person; None when there is."""
    known = {"owner": row["user_id"], "sid": row["id"], "time": row["created_at"]}
    full_since: datetime | None = database.execute(_insert, row | known).scalar()
    return full_since


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
