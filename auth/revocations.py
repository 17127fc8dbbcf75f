"""What was revoked and might still be shown: a set in every process, never more than LOOK_SECONDS behind.

A worker that has not looked at the table within LOOK_SECONDS looks before it believes a token, and whoever revokes
answers only LOOK_SECONDS after the commit: a request sent after that answer meets a look that is younger than the
commit, on every worker of every machine, whatever the network does. A store that is away means 503, never yes.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import SQLAlchemyError

from auth import database, events
from auth.database import Unit
from auth.problems import Unavailable
from config import settings
from models import RevokedToken, db, now

LOOK_SECONDS = 0.010
# Under load one thread looks a little before that is due, so that all others go on meanwhile.
AHEAD_SECONDS = 0.007
# Tokens outlive their `exp` by the leeway of other verifiers.
MARGIN_SECONDS = 60
# Revocations on PostgreSQL take this advisory lock last, so that the order of ids is the order of commits and no look
# can pass over a row that is committed later with a smaller id.
COMMIT_ORDER_LOCK = 0x6A7E

_newer = (
    select(RevokedToken.id, RevokedToken.key, RevokedToken.expires_at)
    .where(RevokedToken.id > bindparam("seen"), RevokedToken.expires_at > bindparam("time"))
    .order_by(RevokedToken.id)
)


class Revocations:
    """The revocations in force, by `sid` or `jti`, as one process last saw them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        # Grows with every revocation seen.
        self.version = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything seen; the next look reads it all again."""
        with self._lock:
            self._close()
            self.in_force: dict[str, datetime] = {}
            self._looked = float("-inf")
            self._tidied = time.monotonic()

    def hold(self, sid: str, jti: str) -> bool:
        """Whether the session or the token is revoked; raises Unavailable when the table cannot be read."""
        self.refresh()
        return sid in self.in_force or jti in self.in_force

    def refresh(self) -> None:
        """Look at the table unless that was done within LOOK_SECONDS; raises Unavailable."""
        age = time.monotonic() - self._looked
        if age > AHEAD_SECONDS and self._lock.acquire(blocking=age > LOOK_SECONDS):
            try:
                self._look()
            finally:
                self._lock.release()

    def _look(self) -> None:
        """Read what is new in the table, over a connection that is held open."""
        started = time.monotonic()
        if started - self._looked <= AHEAD_SECONDS:
            return
        try:
            rows = self._read()
        except SQLAlchemyError:
            self._close()
            raise Unavailable from None
        for row in rows:
            self.in_force[row.key] = row.expires_at
            self._seen = row.id
            self.version += 1
        self._looked = started
        if started - self._tidied > MARGIN_SECONDS:
            self._tidy(started)

    def _read(self) -> Any:
        if self._connection is not None:
            try:
                return self._connection.execute(_newer, {"seen": self._seen, "time": now()}).all()
            except SQLAlchemyError:
                # The held connection may have died with a restart of the database: one fresh try, then give up.
                self._close()
        self._connection = database.connect()
        return self._connection.execute(_newer, {"seen": self._seen, "time": now()}).all()

    def _tidy(self, started: float) -> None:
        time_now = now()
        self.in_force = {key: until for key, until in self.in_force.items() if until > time_now}
        self._tidied = started

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        # The next may lead to a standby that took over and gives ids again: it is read from the start.
        self._seen = 0
        if connection is not None:
            connection.invalidate()
            connection.close()


def current() -> Revocations:
    """The revocations as this process sees them."""
    found: Revocations = current_app.extensions["gatehouse.revocations"]
    return found


def add(*keys: str) -> None:
    """Revoke sessions or tokens by `sid` or `jti` with the current transaction, which writes them last of all."""
    database.current().revoked.extend(keys)


def write(keys: list[str]) -> None:
    """Write the revocations of a transaction, immediately before it is committed."""
    time_now = now()
    until = time_now + timedelta(seconds=settings().access_token_seconds + MARGIN_SECONDS)
    if db.engine.dialect.name == "postgresql":
        database.execute(select(db.func.pg_advisory_xact_lock(COMMIT_ORDER_LOCK)))
    rows = [{"key": key, "revoked_at": time_now, "expires_at": until} for key in keys]
    database.execute(insert(RevokedToken), rows)


@contextmanager
def apart() -> Iterator[Unit]:
    """A transaction of its own, as `database.apart`; what it revokes is seen by everyone, what happened is told."""
    with database.apart() as unit:
        yield unit
        if unit.revoked:
            write(unit.revoked)
    if unit.revoked:
        settle()
    events.dispatch(unit.events)


def settle() -> None:
    """Wait until every worker must look again before it believes a token."""
    time.sleep(LOOK_SECONDS)


def init_app(app: Flask) -> None:
    """Start with nothing seen; the first look reads the table."""
    app.extensions["gatehouse.revocations"] = Revocations()
