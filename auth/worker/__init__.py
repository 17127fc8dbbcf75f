"""The background worker: delivers letters, answers questions, and does what is due from time to time.

Every server process has one, in a thread; `flask mail deliver` is one in a process of its own. Any number of them work
side by side: what one has claimed no other touches, and what one has left behind the next one takes up.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from auth import audit, database, notices
from auth.worker import delivery, housekeeping
from config import settings

log = logging.getLogger("gatehouse.worker")

# Between two looks into the outbox. It varies, so that no answer is regularly the one that meets a busy worker.
LOOK_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Job:
    """What is done about every so many seconds; `run` returns whether there is more to do at once."""

    name: str
    seconds: float
    run: Callable[[], object]


# Each takes its turn in every worker, so each claims what it works on.
JOBS = (
    Job("letters", LOOK_SECONDS, delivery.deliver),
    Job("audit trail", 1, audit.seal),
    Job("notices", 1, notices.write),
    Job("housekeeping", 60, housekeeping.purge),
    Job("old audit trail", 600, audit.purge),
)


@dataclass
class Worker:
    """One worker: which job is due when, and which of them last failed."""

    app: Flask
    due: dict[str, float] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)

    def round(self) -> bool:
        """Do the jobs that are due; whether one of them has more to do."""
        return sum(self._do(job) for job in JOBS if time.monotonic() >= self.due.get(job.name, 0)) > 0

    def finish(self) -> None:
        """Work until no job has more to do: what one leaves to another is done now, not when that is due again."""
        while self.round():
            self.due.clear()

    def run(self, go_on: Callable[[], bool]) -> None:
        """Work until told otherwise."""
        before = delivery.goes_on.set(go_on)
        try:
            while go_on():
                if not self.round():
                    time.sleep(LOOK_SECONDS * (50 + secrets.randbelow(100)) / 100)
        finally:
            delivery.goes_on.reset(before)

    def _do(self, job: Job) -> bool:
        """Do one job. A fault is told once, and what is left is tried again the next time."""
        more = False
        with self.app.app_context():
            try:
                more = bool(job.run())
                self.failing.discard(job.name)
            except Exception as error:
                if job.name not in self.failing:
                    log.log(_level(error), "a job failed", exc_info=_shown(error), extra={"job": job.name})
                self.failing.add(job.name)
            finally:
                database.end()
        self.due[job.name] = time.monotonic() + (0 if more else job.seconds)
        return more


def start(app: Flask) -> threading.Thread | None:
    """Work in a thread of this process until its main thread ends, unless MAIL_WORKER is off."""
    with app.app_context():
        if not settings().mail_worker:
            return None
    main = threading.main_thread()
    # No daemon: the process waits until the letter in hand has left.
    thread = threading.Thread(target=Worker(app).run, args=[main.is_alive], name="worker")
    thread.start()
    return thread


def _level(error: Exception) -> int:
    return logging.WARNING if isinstance(error, SQLAlchemyError) else logging.ERROR


def _shown(error: Exception) -> BaseException | None:
    return None if isinstance(error, SQLAlchemyError) else error
