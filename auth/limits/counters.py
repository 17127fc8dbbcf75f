"""What counting a request is: the moments of the latest ones under a key, and how many lie within the period."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem

# Keys that one process remembers; beyond it the oldest are forgotten, so that no flood of addresses fills the memory.
MOST_KEYS = 100_000


@dataclass(frozen=True, slots=True)
class Window:
    """Whether a request is granted, how many more would be, and in how many seconds there will be one more."""

    granted: bool
    amount: int
    remaining: int
    reset: int


def window(granted: bool, item: RateLimitItem, used: int, oldest: float, time_now: float) -> Window:
    """The window in which `used` requests lie, the oldest of them at `oldest`."""
    reset = max(1, math.ceil(oldest + item.get_expiry() - time_now))
    return Window(granted, item.amount, max(0, item.amount - used), reset)


class Counter(Protocol):
    """Counts requests."""

    def hit(self, item: RateLimitItem, key: str) -> Window:
        """Count a request under a key, unless the limit is reached."""

    def reset(self) -> None:
        """Forget what this process remembers."""


class Local:
    """Counts in the memory of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._moments: dict[str, deque[float]] = {}

    def hit(self, item: RateLimitItem, key: str) -> Window:
        """Count a request."""
        time_now = time.time()
        with self._lock:
            moments = self._moments.setdefault(key, deque())
            while moments and moments[0] <= time_now - item.get_expiry():
                moments.popleft()
            granted = len(moments) < item.amount
            if granted:
                moments.append(time_now)
            if len(self._moments) > MOST_KEYS:
                self._forget()
            return window(granted, item, len(moments), moments[0], time_now)

    def reset(self) -> None:
        """Forget every request."""
        with self._lock:
            self._moments.clear()

    def _forget(self) -> None:
        for key in list(self._moments)[: MOST_KEYS // 8]:
            del self._moments[key]


class Refusals:
    """What a shared store has refused, until when."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def find(self, item: RateLimitItem, key: str) -> Window | None:
        """The refusal that is still in force."""
        until = self._until.get(key)
        if until is None or until <= (time_now := time.time()):
            return None
        return Window(False, item.amount, 0, max(1, math.ceil(until - time_now)))

    def note(self, key: str, refused: Window) -> Window:
        """Remember a refusal."""
        if len(self._until) > MOST_KEYS:
            self._until.clear()
        self._until[key] = time.time() + refused.reset
        return refused

    def reset(self) -> None:
        """Forget every refusal."""
        self._until.clear()
