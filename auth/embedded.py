"""SQLite, the embedded database: how each connection is set up."""

import sqlite3

BUSY_SECONDS = 1.5
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}",
    # The write-ahead log is synced at checkpoints: killing the process loses nothing, losing power may lose the last
    # transactions and never corrupts.
    "PRAGMA synchronous=NORMAL",
    "PRAGMA temp_store=MEMORY",
    # Deleted secrets leave no trace in the file.
    "PRAGMA secure_delete=ON",
)


def configure(connection: sqlite3.Connection, _record: object) -> None:
    """Set up a new connection; SQLAlchemy calls this."""
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()
