"""What is in the outbox leaves it: letters by post, questions by being answered."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from auth import database, events, mail, metrics
from auth.connectors import post
from auth.connectors.post import Undeliverable
from auth.crypto import Undecryptable
from auth.mail import letters, outbox
from auth.refusals import STORE_AWAY
from models import now

log = logging.getLogger("gatehouse.worker")

BATCH = 10
# A batch is left to others after so long, or when the worker is told to end: with the letter in hand it must be done
# before its claim ends.
BATCH_SECONDS = 20
# Between two tries to write down that a letter has left.
PAUSE_SECONDS = 0.5
# A worker that is told to end tries so much longer: its process waits for it, and is killed if it takes too long.
ENDING = timedelta(seconds=3)

# Whether the worker goes on. Whoever delivers without one is never told to end.
goes_on: ContextVar[Callable[[], bool]] = ContextVar("goes on", default=lambda: True)


def deliver() -> bool:
    """Claim what is due and serve it; whether there was something, and so may be more."""
    rows = outbox.claim(BATCH)
    started, offline = time.monotonic(), ""
    for row in rows:
        if time.monotonic() - started > BATCH_SECONDS or not goes_on.get()():
            with database.apart():
                outbox.release(row)
        elif offline and not _is_question(row):
            _fail(row, offline)
        else:
            offline = _serve(row) or offline
    post.current().rest()
    return bool(rows)


def _serve(row: Any) -> str:
    """Serve one row; why no letter leaves at all, if that is so."""
    try:
        sealed = mail.unseal(row)
        if _is_question(row):
            _answer(row, sealed.context)
        else:
            _send(row, sealed)
    except Undeliverable as fault:
        _fail(row, str(fault), final=fault.final)
        return str(fault) if fault.offline else ""
    except Undecryptable:
        _fail(row, "its key is gone", final=True)
    except STORE_AWAY:
        raise
    except Exception as error:
        log.exception("a letter could not be made", extra={"template": row.template})
        _fail(row, type(error).__name__)
    return ""


def _answer(row: Any, noted: dict[str, Any]) -> None:
    """Answer a question and take it out of the outbox in one transaction."""
    with _transaction():
        if outbox.remove(row):
            mail.answer(row.template.removeprefix(mail.QUESTION), row.locale, noted)


def _send(row: Any, sealed: mail.Sealed) -> None:
    post.current().deliver(letters.compose(row, sealed.to, sealed.context))
    _write_down(row)
    metrics.letters.labels("delivered").inc()


def _write_down(row: Any) -> None:
    """Write that a letter has left, trying for as long as the claim holds: else it leaves again after it."""
    ends = row.due_at
    while True:
        try:
            with _transaction():
                outbox.delivered(row)
            return
        except STORE_AWAY:
            if not goes_on.get()():
                ends = min(ends, now() + ENDING)
            if now() >= ends:
                raise
        time.sleep(PAUSE_SECONDS)


def _fail(row: Any, reason: str, *, final: bool = False) -> None:
    with _transaction():
        outcome = outbox.failed(row, reason, final)
    metrics.letters.labels(outcome).inc()
    log.warning("a letter did not leave", extra={"template": row.template, "reason": reason, "outcome": outcome})


def _is_question(row: Any) -> bool:
    return bool(row.template.startswith(mail.QUESTION))


@contextmanager
def _transaction() -> Iterator[None]:
    with database.apart() as unit:
        yield
    events.dispatch(unit.events)
