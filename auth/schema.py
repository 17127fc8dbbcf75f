"""The state of the database's tables: brought to the newest revision before the server starts."""

from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask_migrate import upgrade

from auth import keys
from config import ROOT
from models import db

FOLDER: Path = ROOT / "migrations"


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
