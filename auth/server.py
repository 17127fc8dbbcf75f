"""The production server: Granian (WSGI), after the database was brought up to date."""

import gc
import importlib
import multiprocessing

import click
from flask import Flask
from flask.cli import ScriptInfo
from granian import Granian
from granian.constants import Interfaces

from auth import limits, metrics, worker
from config import ROOT, Settings, settings

# The name under which the server below finds the application, when it has prepared the database itself.
PREPARED = "prepared"


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
    """Serve until SIGINT or SIGTERM, then finish the requests in flight. Every worker builds an app of its own."""
    _prepare_apart(app)
    server = Granian(
        f"app:{PREPARED}",
        address=chosen.host,
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
