"""The production server: Granian (WSGI), after the database was brought up to date."""

from flask import Flask
from granian import Granian
from granian.constants import Interfaces

from auth import metrics, schema
from config import ROOT, Settings


def run(app: Flask, settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in flight. Every worker builds an app of its own."""
    with app.app_context():
        schema.prepare()
    server = Granian(
        "app:app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backlog=1024,
        workers_kill_timeout=15,
        respawn_failed_workers=True,
        working_dir=ROOT,
        log_access=False,
        websockets=False,
    )
    with metrics.shared():
        server.serve()
