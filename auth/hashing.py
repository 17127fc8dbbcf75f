"""bcrypt, bounded: as many hashes at once as there are cores for this worker, in threads of lower priority.

A request that waits for its turn holds one request thread, so the queue is shorter than the threads that are left;
beyond it the answer is 503. A flood of sign-ins so costs neither the threads nor the cores that verifying tokens needs.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Protocol, TypeVar

from flask import Flask, current_app

from auth import metrics
from auth.problems import Unavailable
from config import Settings

NICENESS = 10
RETRY_SECONDS = 5

P = ParamSpec("P")
T = TypeVar("T")


class Run(Protocol):
    """Runs slow work in the place that was taken, when its turn has come."""

    def __call__(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """The result of the work."""


class Hashing:
    """The places in which passwords are hashed, of one process."""

    def __init__(self, settings: Settings) -> None:
        at_once = max(1, (os.cpu_count() or 1) // settings.workers)
        self.places = threading.Semaphore(at_once + settings.threads // 2)
        self._threads = ThreadPoolExecutor(at_once, "hashing", initializer=_yield_to_others)

    def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """The result of the work, for who has a place."""
        result = self._threads.submit(work, *arguments, **named).result()
        metrics.hashes.labels("done").inc()
        return result


@contextlib.contextmanager
def place() -> Iterator[Run]:
    """A place in the queue, taken before a guess is paid for; raises Unavailable when all are taken."""
    hashing: Hashing = current_app.extensions["gatehouse.hashing"]
    if not hashing.places.acquire(blocking=False):
        metrics.hashes.labels("refused").inc()
        raise Unavailable(retry_after=RETRY_SECONDS)
    metrics.hashing.labels("waiting").inc()
    try:
        yield hashing.run
    finally:
        hashing.places.release()
        metrics.hashing.labels("waiting").dec()


def run(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """The result of the slow `work`, when its turn has come; raises Unavailable when every place is taken."""
    with place() as turn:
        return turn(work, *arguments, **named)


def init_app(app: Flask, settings: Settings) -> None:
    """Make the places; the threads start with the first hash."""
    app.extensions["gatehouse.hashing"] = Hashing(settings)


def _yield_to_others() -> None:
    # Linux gives each thread a priority of its own; elsewhere, or where it is forbidden, hashing keeps its place.
    with contextlib.suppress(OSError, AttributeError):
        priority = os.getpriority(os.PRIO_PROCESS, 0) + NICENESS
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(19, priority))
