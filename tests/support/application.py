"""The application in this process: how tests configure, reset and close it."""

from pathlib import Path
from typing import Any

import flask_migrate
from flask import Flask

from app import create_app
from tests.support.databases import Database
from tests.support.run import ROOT

SETTINGS: dict[str, Any] = {
    "APP_ENV": "development",
    "SECRET_KEY": "Zk3v9QpX-7Lw2mTn5RbY8sHd4GcJ6fAe1",
    "BCRYPT_ROUNDS": 4,
    "RATE_LIMITS": False,
    "MAIL_URL": "memory:",
    "LOG_LEVEL": "warning",
}


def build(url: str, folder: Path, **settings: Any) -> Flask:
    """The application on a database, with the tests' settings and the given ones over them."""
    app = create_app({**SETTINGS, "DATABASE_URL": url, "INSTANCE_PATH": folder, **settings})
    app.testing = True
    return app


def new(database: Database, folder: Path, **settings: Any) -> Flask:
    """The application on a test's database."""
    return build(database.url, folder, **settings)


def migrate(url: str, folder: Path) -> None:
    """Bring an empty database to the newest version, as `flask db upgrade` does."""
    app = build(url, folder)
    with app.app_context():
        flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    close(app)


def reset(app: Flask) -> None:
    """Forget what the application remembers of an emptied database: every part of it that remembers has `reset`."""
    for name, part in app.extensions.items():
        if name.startswith("gatehouse.") and hasattr(part, "reset"):
            part.reset()


def close(app: Flask) -> None:
    """Close the connections of an application that is not needed any more."""
    with app.app_context():
        reset(app)
        app.extensions["sqlalchemy"].engine.dispose()
