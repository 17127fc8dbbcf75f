"""Connections to PostgreSQL whose every wait has an end: a server that hangs must not hold a request for longer.

A paused server or a dead network keeps a connection open and silent, which no setting of the server can end. So a
statement that has no answer within ANSWER_SECONDS gives its connection up, and connecting is tried in a thread that
may be left behind (looking a name up cannot be interrupted). A connection that has been idle is asked whether it
still lives before it is used, so that a restart of the server in a quiet hour fails no request.
"""

import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from threading import Thread
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from auth.outages import Outage

ANSWER_SECONDS = 1.6
IDLE_SECONDS = 0.1
# The server ends a slow statement before this side gives the connection up, which is for servers that do not answer.
ARGUMENTS = {
    "connect_timeout": 2,
    "options": "-c timezone=UTC -c statement_timeout=1450 -c lock_timeout=1400"
    " -c idle_in_transaction_session_timeout=10000",
    "application_name": "gatehouse",
}

Result = TypeVar("Result")


class ImpatientConnection(psycopg.Connection[TupleRow]):
    """A connection that closes itself, and raises OperationalError, when an answer takes too long."""

    outage: Outage

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """As psycopg does, but never for longer than ANSWER_SECONDS."""
        try:
            return super().wait(gen, interval, ANSWER_SECONDS if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                # The statement is still under way, so nothing else can be said on this connection.
                self.pgconn.finish()
                self.outage.failed(error)
            raise


def guard(engine: Engine, outage: Outage) -> None:
    """Let the engine connect and wait in this way, and note in `outage` how its server does."""

    def connect(_dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> ImpatientConnection:
        return _connect(outage, *arguments, **named)

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _check_alive)


def _connect(outage: Outage, *arguments: Any, **named: Any) -> ImpatientConnection:
    if not outage.permits():
        raise psycopg.OperationalError("the database is away")
    attempt: Future[ImpatientConnection] = Future()
    Thread(target=_attempt, args=(attempt, arguments, named), daemon=True).start()
    try:
        connection = attempt.result(ANSWER_SECONDS)
    except NotInTime:
        attempt.add_done_callback(_close_late)
        outage.failed("no connection in time")
        raise psycopg.OperationalError("no connection in time") from None
    except psycopg.Error as error:
        outage.failed(error)
        raise
    outage.answered()
    connection.outage = outage
    return connection


def _attempt(attempt: "Future[ImpatientConnection]", arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    try:
        attempt.set_result(ImpatientConnection.connect(*arguments, **named))
    except psycopg.Error as error:
        attempt.set_exception(error)


def _close_late(attempt: "Future[ImpatientConnection]") -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


def _note_use(_connection: ImpatientConnection | None, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _check_alive(connection: ImpatientConnection, record: Any, _fairy: Any) -> None:
    if time.monotonic() - record.info.get("used", float("inf")) < IDLE_SECONDS:
        return
    try:
        connection.execute(b";")
    except psycopg.OperationalError as error:
        raise InvalidatePoolError from error
