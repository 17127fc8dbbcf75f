"""The unit of work: one connection and at most one transaction a request; the door alone commits it.

A read runs by itself; the first statement that writes begins the transaction (on SQLite as IMMEDIATE, so that writers
queue and none fails half-way). `release` gives the connection back before a password is hashed. `apart` is a
transaction of its own for what must stand although the request fails.
"""

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Connection, CursorResult, Executable, Row, Select, event, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from auth import embedded
from auth.outages import Outage
from config import Settings
from models import db

log = logging.getLogger("gatehouse")

# How long a request waits for a connection, or for its turn to write.
WAIT_SECONDS = 1.5
Values = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


class Unit:
    """The connection of one unit of work, what it has begun, and what shall happen once it is committed."""

    __slots__ = ("connection", "events", "queued", "revoked", "writing")

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.writing = False
        self.queued = False
        self.events: list[Any] = []
        self.revoked: list[Any] = []

    def close(self) -> None:
        """Give the connection back; what was not committed is undone."""
        connection, self.connection = self.connection, None
        try:
            if connection is not None:
                _give_back(connection)
        finally:
            self.writing = False
            if self.queued:
                self.queued = False
                _write_queue.leave()


def _give_back(connection: Connection) -> None:
    try:
        connection.close()
    except SQLAlchemyError as error:
        # It died with what it had begun, which the server undoes; the pool makes another in its place.
        log.warning("a connection was lost", extra={"kind": type(error).__name__})
        connection.close()


_current: ContextVar[Unit | None] = ContextVar("unit", default=None)
_write_queue = embedded.Queue()


def current() -> Unit:
    """The unit of work of this request; made when first asked for."""
    unit = _current.get()
    if unit is None:
        unit = Unit()
        _current.set(unit)
    return unit


def begun() -> Unit | None:
    """The unit of work of this request, if it has one."""
    return _current.get()


def end(_error: BaseException | None = None) -> None:
    """End the unit of this request or command; what was not committed is undone."""
    unit = _current.get()
    if unit is not None:
        _current.set(None)
        unit.close()


def connect() -> Connection:
    """A connection of the pool; raises OperationalError, at once while the database is known to be away."""
    away: Outage = current_app.extensions["gatehouse.database"]
    # SQLite goes on reading while it cannot be written.
    if away.away and away.is_too_early() and db.engine.dialect.name != "sqlite":
        raise OperationalError("connect", None, ConnectionError("the database is away"))
    return db.engine.connect()


def execute(statement: Executable, values: Values = None) -> CursorResult[Any]:
    """Run a Core statement in the unit of work; raises IntegrityError, and OperationalError when the store is away."""
    unit = _current.get() or current()
    if not unit.writing and not getattr(statement, "is_select", False):
        _begin(unit)
    connection = unit.connection
    if connection is None:
        connection = unit.connection = connect()
    result: CursorResult[Any] = connection.execute(statement, values)
    return result


def release() -> None:
    """Hold no connection while something slow happens. Refuses when something was written: it would be lost."""
    unit = _current.get()
    if unit is None:
        return
    if unit.writing:
        raise RuntimeError("a connection with unsaved changes must not be released")
    unit.close()


@contextmanager
def apart() -> Iterator[Unit]:
    """A transaction of its own, beside the request's; committed when the block ends without an exception."""
    outer = _current.get()
    if outer is not None and outer.writing:
        raise RuntimeError("a transaction of its own cannot begin while the request's is writing")
    if outer is not None:
        outer.close()
    unit = Unit()
    token = _current.set(unit)
    try:
        yield unit
        if unit.writing and unit.connection is not None:
            unit.connection.commit()
    finally:
        _current.reset(token)
        unit.close()


def alone(statement: Executable, values: Values = None) -> Sequence[Row[Any]]:
    """The rows of one writing statement that is committed by itself, whatever becomes of the request."""
    if db.engine.dialect.name == "sqlite":
        with apart():
            return execute(statement, values).all()
    unit = current()
    if unit.writing:
        raise RuntimeError("a statement of its own cannot run while the request is writing")
    connection = unit.connection = unit.connection or connect()
    return connection.execute(statement, values).all()


def _begin(unit: Unit) -> None:
    on_sqlite = db.engine.dialect.name == "sqlite"
    if on_sqlite:
        _queue_to_write(unit)
    connection = unit.connection = unit.connection or connect()
    if on_sqlite:
        _begin_immediate(connection)
    else:
        connection.exec_driver_sql("BEGIN")
    unit.writing = True


def _queue_to_write(unit: Unit) -> None:
    """SQLite knows one writer: threads wait here in turn, so that none starves in its busy loop.

    When somebody outside holds the lock, the first in the queue finds out, and those behind it fail with it.
    """
    away = outage()
    if not away.is_too_early():
        unit.queued = _write_queue.join_empty()
        if not unit.queued:
            # Who waits holds no connection: what was read stands by itself, and the pool is for those who work.
            unit.close()
            unit.queued = _write_queue.join()
    if not unit.queued or not away.permits():
        raise OperationalError("BEGIN IMMEDIATE", None, TimeoutError("the database is locked, or too many write"))


def _begin_immediate(connection: Connection) -> None:
    away = outage()
    try:
        embedded.begin_immediate(connection)
    except OperationalError as error:
        away.failed(error.orig)
        raise
    away.answered()


def outage() -> Outage:
    """Whether the database is away."""
    found: Outage = current_app.extensions["gatehouse.database"]
    return found


def init_app(app: Flask, settings: Settings) -> None:
    """Configure the engine: autocommit until `_begin`, few connections, short waits."""
    # The driver of PostgreSQL weighs nine megabytes, which SQLite does without.
    on_postgresql = settings.sqlalchemy_url.startswith("postgresql")
    patience: Any = importlib.import_module("auth.patience") if on_postgresql else None
    if not patience:
        settings.instance_path.mkdir(parents=True, exist_ok=True)
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.sqlalchemy_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "isolation_level": "AUTOCOMMIT",
        "pool_size": 8,
        "max_overflow": 0 if patience else 24,
        "pool_timeout": WAIT_SECONDS,
        "pool_pre_ping": False,
        # The values of a statement are names and hashes: none may reach an error message, and with it a log.
        "hide_parameters": True,
        **({"connect_args": patience.ARGUMENTS} if patience else {}),
    }
    db.init_app(app)
    # No ORM session is ever opened, so none is closed after every request.
    app.teardown_appcontext_funcs.clear()
    app.teardown_appcontext(end)
    app.extensions["gatehouse.database"] = away = Outage("database")
    with app.app_context():
        if patience:
            patience.guard(db.engine, away)
        else:
            event.listen(db.engine, "connect", embedded.configure)


def batch(ids: Select[Any], most: int) -> Select[Any]:
    """The ids of at most so many of these rows, for an UPDATE or DELETE that two workers may run at the same moment.

    Each takes rows of its own instead of waiting (SQLite knows one writer). The ids are found in a common table
    expression, which PostgreSQL runs once: a subquery that locks it may run again for every row, past its LIMIT.
    """
    found = ids.limit(most).with_for_update(skip_locked=True).cte("batch")
    return select(*found.columns)


def by_dialect(build: Callable[[Any], Executable]) -> Executable:
    """The statement that `build` makes from the INSERT of the database in use (they differ in ON CONFLICT)."""
    return _built(build, db.engine.dialect.name)


@cache
def _built(build: Callable[[Any], Executable], dialect: str) -> Executable:
    # Two megabytes that SQLite does without; where they are needed, the engine has loaded them.
    own: Any = sqlite if dialect == "sqlite" else importlib.import_module("sqlalchemy.dialects.postgresql")
    return build(own.insert)
