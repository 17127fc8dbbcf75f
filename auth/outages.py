"""Whether a store (the database, Redis) is away, as this process knows it.

While a store is away nobody waits for it: one caller now and then finds out whether it is back, all others are told
at once. So a store that hangs costs a handful of requests their patience, and not every thread of the server.
"""

import logging
import threading
import time

from auth import metrics

log = logging.getLogger("gatehouse")

# How long after a failure, or after somebody has gone to see, the next one may go.
RETRY_SECONDS = 0.25
LOOKING_SECONDS = 2.0


class Outage:
    """The state of one store: `permits` asks whether to try it, `failed` and `answered` say how that went."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.away = False
        self._lock = threading.Lock()
        self._next = 0.0

    def permits(self) -> bool:
        """Whether to try the store: always while it is there, one caller at a time while it is away."""
        if not self.away:
            return True
        with self._lock:
            now = time.monotonic()
            if self.away and now < self._next:
                return False
            self._next = now + LOOKING_SECONDS
            return True

    def is_too_early(self) -> bool:
        """Whether somebody has just found the store away, or is finding out."""
        return self.away and time.monotonic() < self._next

    def failed(self, reason: object) -> None:
        """The store did not answer."""
        with self._lock:
            self._next = time.monotonic() + RETRY_SECONDS
            began, self.away = not self.away, True
        if began:
            metrics.store_away.labels(self.store).set(1)
            log.error("a store is away", extra={"store": self.store, "reason": str(reason)[:300]})

    def answered(self) -> None:
        """The store answered."""
        if not self.away:
            return
        with self._lock:
            ended, self.away = self.away, False
        if ended:
            metrics.store_away.labels(self.store).set(0)
            log.warning("a store is back", extra={"store": self.store})

    def reset(self) -> None:
        """Believe the store to be there."""
        self.answered()
