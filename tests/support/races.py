"""Many callers at the same moment."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.support.clients import Answer
from tests.support.processes import wait_until

Result = TypeVar("Result")


def race(number: int, call: Callable[[int], Result]) -> list[Result]:
    """Run `call(0)` to `call(number - 1)` in as many threads, started at one barrier; their results in that order."""
    barrier = threading.Barrier(number)

    def runner(index: int) -> Result:
        barrier.wait(60)
        return call(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(runner, range(number)))


def served(call: Callable[[], Answer]) -> Answer:
    """The answer to a call, made again for as long as a machine under load is too busy for it (503)."""
    return wait_until(lambda: (answer := call()).status != 503 and answer, "the service has time", 60)
