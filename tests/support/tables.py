"""What is written in the tables of an application, for what no answer tells."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import ColumnElement, Row, delete, select, text, update

from models import db


def rows(app: Flask, model: type[Any], *which: ColumnElement[bool]) -> list[Row[Any]]:
    """The rows of a table that meet the conditions, oldest first."""
    table = model.__table__
    with app.app_context(), db.engine.connect() as connection:
        return list(connection.execute(select(table).where(*which).order_by(*table.primary_key)).all())


def change(app: Flask, model: type[Any], *which: ColumnElement[bool], **values: Any) -> None:
    """Change rows behind the service's back, as an operator or a later release would."""
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(update(model).where(*which).values(values))


def clear(app: Flask, model: type[Any]) -> None:
    """Remove every row of a table behind the service's back."""
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(delete(model))


@contextmanager
def bad_plans(app: Flask) -> Iterator[None]:
    """PostgreSQL finds rows as it does in a table that it believes to be empty: by looking again for each row."""
    for means in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
        _alter(app, f"SET enable_{means} = off")
    try:
        yield
    finally:
        _alter(app, "RESET ALL")


def _alter(app: Flask, how: str) -> None:
    with app.app_context():
        with db.engine.connect() as connection:
            connection.execute(text(f'ALTER DATABASE "{db.engine.url.database}" {how}'))
        db.engine.dispose()
