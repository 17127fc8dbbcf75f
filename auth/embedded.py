"""SQLite, the embedded database: how each connection is set up."""

import sqlite3
import threading
import time
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

BUSY_SECONDS = 1.2
LOOK_AGAIN_MS = 3
PATIENT = f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}"
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA foreign_keys=ON",
    PATIENT,
    # The write-ahead log is synced at checkpoints: killing the process loses nothing, losing power may lose the last
    # transactions and never corrupts.
    "PRAGMA synchronous=NORMAL",
    "PRAGMA temp_store=MEMORY",
    # A megabyte for each connection, half of what is usual: the operating system keeps the file in memory once for all.
    "PRAGMA cache_size=-1000",
    # Deleted secrets leave no trace in the file.
    "PRAGMA secure_delete=ON",
)


# How long a writer waits in a queue that does not move, and how often it looks.
STUCK_SECONDS = 1.5
LOOK_SECONDS = 0.1


class Queue:
    """Those who wait to write: patient while the queue moves, told to give up behind a writer that is stuck."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._moved = 0.0

    def join_empty(self) -> bool:
        """Whether nobody writes, and one's turn has begun."""
        return self._turn.acquire(blocking=False)

    def join(self) -> bool:
        """Wait for one's turn; False when the queue has not moved for STUCK_SECONDS."""
        joined = time.monotonic()
        while not self._turn.acquire(timeout=LOOK_SECONDS):
            if time.monotonic() - max(joined, self._moved) > STUCK_SECONDS:
                return False
        return True

    def leave(self) -> None:
        """Give the turn to the next one."""
        self._moved = time.monotonic()
        self._turn.release()


def begin_immediate(connection: Connection) -> None:
    """Take the lock that lets one process write; raises OperationalError when others have had it for BUSY_SECONDS.

    SQLite itself would look for it less and less often, up to every tenth of a second, and seldom find it free beside a
    process whose threads pass it on.
    """
    driver: Any = connection.connection.dbapi_connection
    deadline = time.monotonic() + BUSY_SECONDS
    driver.execute(f"PRAGMA busy_timeout={LOOK_AGAIN_MS}")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as error:
                if not _is_busy(error.orig) or time.monotonic() > deadline:
                    raise
    finally:
        driver.execute(PATIENT)


def _is_busy(error: Any) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def configure(connection: sqlite3.Connection, _record: object) -> None:
    """Set up a new connection; SQLAlchemy calls this."""
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()
