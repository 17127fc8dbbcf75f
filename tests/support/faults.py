"""Faults that a test causes inside a request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

WRITES = ("INSERT", "UPDATE", "DELETE")


@contextmanager
def failing_write(number: int) -> Iterator[list[str]]:
    """The write with this number, counted from 0, finds the database gone; what is yielded holds it once it came."""
    failed: list[str] = []
    seen = 0

    def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal seen
        if statement.lstrip().upper().startswith(WRITES):
            seen += 1
            if seen == number + 1:
                failed.append(statement)
                raise OperationalError(statement, None, ConnectionError("the database is gone"))

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        yield failed
    finally:
        event.remove(Engine, "before_cursor_execute", fail)
