"""The state of the database's tables: brought to the newest revision before the server starts.

Only the process that migrates loads this module, on demand: Alembic weighs eleven megabytes.
"""

from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask_migrate import Migrate, upgrade

from auth import keys
from config import ROOT
from models import db

FOLDER: Path = ROOT / "migrations"


def configured() -> Any:
    """What Flask-Migrate keeps for the application in force."""
    Migrate(current_app, db, directory=str(FOLDER), render_as_batch=True)
    return current_app.extensions["migrate"]


def prepare() -> None:
    """Migrate when the database is behind, and have a key that signs. Idempotent, and quick when nothing is to do."""
    if revision() != newest():
        upgrade(directory=str(FOLDER))
    keys.ensure()


def revision() -> str | None:
    """The revision the database is at; None when it is empty."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The revision that models.py stands for."""
    return ScriptDirectory(str(FOLDER)).get_current_head()
