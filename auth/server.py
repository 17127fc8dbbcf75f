"""The production server: Granian (WSGI), after the database was brought up to date."""

import gc
import importlib
import multiprocessing
import os
import socket
import sys
from typing import Any

import click
from flask import Flask
from flask.cli import ScriptInfo
from granian._granian import ListenerSpec, SocketHolder
from granian.constants import Interfaces
from granian.server.mp import MPServer, WorkerProcess

from auth import limits, metrics, worker
from config import ROOT, Settings, settings

# The name under which the server below finds the application, when it has prepared the database itself.
PREPARED = "prepared"
# A connection that has sent nothing yet is accepted after so long; until then it is the kernel's.
DEFER_SECONDS = 1


class Server(MPServer):
    """Granian whose listening sockets outlive the workers: one each, which the next worker in its place takes over.

    Granian has each worker open its own (SO_REUSEPORT), and turns away who waits in its queue when it closes. Nor is a
    connection accepted before its first byte is there: a worker that stops hangs up on one that has sent nothing.
    """

    def _init_shared_socket(self) -> None:
        super()._init_shared_socket()  # type: ignore[no-untyped-call]
        if sys.platform == "linux":
            self._ssp = None
            self._listeners = [_listener(self) for _ in range(self.workers)]

    def _spawn_worker(self, idx: int, *arguments: Any, **named: Any) -> WorkerProcess:
        if sys.platform == "linux":
            self._shd = self._listeners[idx]  # type: ignore[assignment]
        return super()._spawn_worker(idx, *arguments, **named)


def _listener(server: Server) -> SocketHolder:
    holder = ListenerSpec(server.bind_addr, server.bind_port, server.backlog).build()
    with socket.socket(fileno=os.dup(holder.get_fd())) as same:
        same.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_SECONDS)
    return holder


def begin(app: Flask, prepared: bool) -> None:
    """What a process that serves does first, under any server: bring the tables of a development up to date, and work.

    In production the tables are migrated by `python app.py` or `flask db upgrade`, before anything serves.
    """
    command = click.get_current_context(silent=True)
    if command is not None and command.find_object(ScriptInfo) is not None and command.info_name != "run":
        return
    with app.app_context():
        chosen = settings()
    if prepared and chosen.workers == 1:
        limits.init_app(app, chosen, alone=True)
    if not prepared and not chosen.production:
        _prepare(app)
    # What is there at the start stays: a collector that looked through it again would stop every request meanwhile.
    gc.collect()
    gc.freeze()
    worker.start(app)


def run(app: Flask, chosen: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in flight. Every worker builds an app of its own.

    Exits with what is wrong when the address cannot be listened on, or the database cannot be prepared.
    """
    address = _free_address(chosen.host, chosen.port)
    _prepare_apart(app)
    # The workers inherit their sockets, and the memory of what is loaded.
    multiprocessing.set_start_method("fork", force=True)
    server = Server(
        f"app:{PREPARED}",
        address=address,
        port=chosen.port,
        interface=Interfaces.WSGI,
        workers=chosen.workers,
        blocking_threads=chosen.threads,
        backlog=1024,
        workers_kill_timeout=15,
        respawn_failed_workers=True,
        working_dir=ROOT,
        log_access=False,
        websockets=False,
    )
    # Nor does it write to the memory that the workers share with this process.
    gc.collect()
    gc.freeze()
    with metrics.shared():
        server.serve()


def _free_address(host: str, port: int) -> str:
    """The address of a host, where nobody listens at the port: Granian would panic, or share it with who is there."""
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family) as probe:
            # As the server does: what an earlier process has just closed is in nobody's way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise SystemExit(f"HOST, PORT: cannot listen on {host}:{port}: {error.strerror}") from None
    return str(place[0])


def _prepare_apart(app: Flask) -> None:
    """Prepare the database in a process that takes what it loaded with it; exits when that fails."""
    process = multiprocessing.get_context("fork").Process(target=_prepare, args=[app])
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def _prepare(app: Flask) -> None:
    with app.app_context():
        importlib.import_module("auth.schema").prepare()
