"""bcrypt, bounded: as many hashes at once as there are cores for this worker, in threads of lower priority.

A request that waits for its turn holds one request thread, so the queue is shorter than the threads that are left;
beyond it the answer is 503. A flood of sign-ins so costs neither the threads nor the cores that verifying tokens needs.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from flask import Flask, current_app

from auth.problems import Unavailable
from config import Settings

NICENESS = 10

P = ParamSpec("P")
T = TypeVar("T")


class Hashing:
    """The places in which passwords are hashed, of one process."""

    def __init__(self, settings: Settings) -> None:
        at_once = max(1, (os.cpu_count() or 1) // settings.workers)
        self._places = threading.Semaphore(at_once + settings.threads // 2)
        self._threads = ThreadPoolExecutor(at_once, "hashing", initializer=_yield_to_others)

    def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """The result of the slow `work`, when its turn has come; raises Unavailable when the queue is full."""
        if not self._places.acquire(blocking=False):
            raise Unavailable(retry_after=2)
        try:
            return self._threads.submit(work, *arguments, **named).result()
        finally:
            self._places.release()


def run(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """As Hashing.run, in the places of the application in force."""
    places: Hashing = current_app.extensions["gatehouse.hashing"]
    return places.run(work, *arguments, **named)


def init_app(app: Flask, settings: Settings) -> None:
    """Make the places; the threads start with the first hash."""
    app.extensions["gatehouse.hashing"] = Hashing(settings)


def _yield_to_others() -> None:
    # Linux gives each thread a priority of its own; elsewhere, or where it is forbidden, hashing keeps its place.
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
