"""What a call costs: the statements it sends to the database, and the functions and files of ours it enters."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from sqlalchemy import Engine, event

from tests.support.run import ROOT

NOT_STATEMENTS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA")
# Code that Python wraps in a frame of its own although it is read as part of the function around it.
PARTS_OF_FUNCTIONS = {"<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>", "<module>"}


@contextmanager
def observe_statements() -> Iterator[list[str]]:
    """The SQL that any engine of this process runs meanwhile, without the frame of transactions."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(NOT_STATEMENTS):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@dataclass
class Entered:
    """The functions and files of ours that were entered, each once, as `auth/tokens.py:read` and `auth/tokens.py`."""

    functions: set[str] = field(default_factory=set)

    @property
    def files(self) -> set[str]:
        """The files those functions stand in."""
        return {name.partition(":")[0] for name in self.functions}


@contextmanager
def observe_entered() -> Iterator[Entered]:
    """Every function of `auth/`, `app.py`, `models.py` and `config.py` that is entered meanwhile, in any thread.

    Before Python 3.12 a thread that already ran cannot be observed, only those that start meanwhile.
    """
    codes: set[CodeType] = set()
    entered = Entered()

    def note(frame: FrameType, what: str, _argument: Any) -> None:
        if what == "call":
            codes.add(frame.f_code)

    _profile(note)
    try:
        yield entered
    finally:
        _profile(None)
        entered.functions.update(name for code in codes if (name := _name(code)))


def _profile(note: Any) -> None:
    set_everywhere = getattr(threading, "setprofile_all_threads", threading.setprofile)
    set_everywhere(note)
    sys.setprofile(note)


def _name(code: CodeType) -> str | None:
    file = Path(code.co_filename)
    if code.co_name in PARTS_OF_FUNCTIONS or not file.is_relative_to(ROOT):
        return None
    relative = file.relative_to(ROOT)
    ours = relative.parts[0] == "auth" or str(relative) in ("app.py", "models.py", "config.py")
    return f"{relative}:{code.co_qualname}" if ours else None
