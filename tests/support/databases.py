"""Databases for the tests: migrated once, copied for each worker, emptied before each test."""

import functools
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psycopg

from tests.support.postgresql import PostgresServer, execute
from tests.support.run import Run

KINDS = ("sqlite", "postgresql")
Migrate = Callable[[str], None]


class Database(Protocol):
    """A migrated database; `url` is what DATABASE_URL takes."""

    kind: str
    url: str

    def empty(self) -> None:
        """Remove every row but the record of migrations."""

    def close(self) -> None:
        """Let go of the connections this object holds."""


class SqliteDatabase:
    """A file, made and emptied by copying the migrated template into it."""

    kind = "sqlite"

    def __init__(self, template: Path, file: Path) -> None:
        shutil.copy(template, file)
        self.file = file
        self.url = f"sqlite:///{file}"
        self._template = sqlite3.connect(f"file:{template}?mode=ro&immutable=1", uri=True)

    def empty(self) -> None:
        """Write the template over it, through SQLite, so that open connections see the change."""
        target = sqlite3.connect(self.file, timeout=10)
        try:
            target.execute("PRAGMA synchronous=OFF")
            self._template.backup(target)
        finally:
            target.close()

    def close(self) -> None:
        """Close the template."""
        self._template.close()


class PostgresqlDatabase:
    """A database of the run's server, made from the migrated template."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True, application_name="tests")
        # As on a replica: no trigger fires and no foreign key asks, so that the order of tables does not matter.
        self._connection.execute("SET session_replication_role = replica; SET lock_timeout = '10s'")
        rows = self._connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
        self._emptying = "; ".join(f"DELETE FROM {name}" for (name,) in rows) or "SELECT 1"

    def empty(self) -> None:
        """Delete every row in one round trip; for the few rows of a test this is quicker than TRUNCATE."""
        self._connection.execute(self._emptying)

    def close(self) -> None:
        """Close the connection that empties."""
        self._connection.close()


class Databases:
    """Makes databases for this worker; `migrate` brings an empty database, given by its URL, to the newest version."""

    def __init__(self, run: Run, migrate: Migrate) -> None:
        self._run = run
        self._migrate = migrate
        self._open: list[Database] = []

    @functools.cached_property
    def server_url(self) -> str:
        """The run's PostgreSQL server, started by whoever asks first; the URL of its maintenance database."""
        return self._run.once("postgresql", self._start_server)

    def new(self, kind: str) -> Database:
        """A migrated empty database of its own."""
        database = self._new_sqlite() if kind == "sqlite" else self._new_postgresql()
        self._open.append(database)
        return database

    def blank_url(self, kind: str) -> str:
        """The URL of a database without any table."""
        name = self._run.name("blank")
        if kind == "sqlite":
            return f"sqlite:///{self._run.folder / name}.db"
        execute(self.server_url, f"CREATE DATABASE {name}")
        return self._url(name)

    def close(self) -> None:
        """Close what `new` has made."""
        for database in self._open:
            database.close()

    def _start_server(self) -> str:
        server = PostgresServer(self._run)
        server.program.disown()
        return server.url()

    def _new_sqlite(self) -> Database:
        template = Path(self._run.once("template-sqlite", self._make_sqlite_template))
        return SqliteDatabase(template, self._run.folder / f"{self._run.name('database')}.db")

    def _make_sqlite_template(self) -> str:
        file = self._run.folder / "template.db"
        self._migrate(f"sqlite:///{file}")
        return str(file)

    def _new_postgresql(self) -> Database:
        template = self._run.once("template-postgresql", self._make_postgresql_template)
        name = self._run.name("database")
        execute(self.server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
        return PostgresqlDatabase(self._url(name))

    def _make_postgresql_template(self) -> str:
        execute(self.server_url, "CREATE DATABASE template_gatehouse")
        self._migrate(self._url("template_gatehouse"))
        return "template_gatehouse"

    def _url(self, name: str) -> str:
        return f"{self.server_url.rsplit('/', 1)[0]}/{name}"
