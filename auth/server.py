"""The production server: Granian (WSGI), after the database was brought up to date."""

import click
from flask import Flask
from flask.cli import ScriptInfo
from granian import Granian
from granian.constants import Interfaces

from auth import metrics, schema, worker
from config import ROOT, Settings, settings


def begin(app: Flask) -> None:
    """What a process that serves does first, under any server: bring the tables of a development up to date, and work.

    In production the tables are migrated by `python app.py` or `flask db upgrade`, before anything serves.
    """
    command = click.get_current_context(silent=True)
    if command is not None and command.find_object(ScriptInfo) is not None and command.info_name != "run":
        return
    with app.app_context():
        if not settings().production:
            schema.prepare()
    worker.start(app)


def run(app: Flask, chosen: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in flight. Every worker builds an app of its own."""
    with app.app_context():
        schema.prepare()
    server = Granian(
        "app:app",
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
    with metrics.shared():
        server.serve()
