"""Alembic, run by Flask-Migrate: the database of the application in force, towards the tables of models.py."""

from alembic import context
from sqlalchemy import create_engine, pool

from config import settings
from models import Base


def run() -> None:
    """Bring the database of the application in force to the revision asked for."""
    engine = create_engine(settings().sqlalchemy_url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        # Columns cannot be altered in place on SQLite, so a table is copied there ("batch mode").
        batch = connection.dialect.name == "sqlite"
        # PostgreSQL cannot compare the defaults of JSON columns, so that they are compared on SQLite alone.
        context.configure(
            connection=connection, target_metadata=Base.metadata, render_as_batch=batch, compare_server_default=batch
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
