"""Counting together in Redis: one message a limit, and no more than a quarter of a second of any request.

What Redis has refused is remembered until it would be granted, so that a flood beyond the limit costs no message.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from threading import Thread
from typing import Any

import redis
from flask import g
from limits import RateLimitItem

from auth import metrics
from auth.limits.counters import Local, Refusals, Window, window
from auth.outages import Outage

# How long one request waits for Redis, whatever it counts and whether it has to connect first. With less than that left
# which a slow answer takes, it does not ask again.
REDIS_SECONDS = 0.25
LEAST_SECONDS = 0.12
# While so many attempts to connect are left behind, none is added: a name server may hang for minutes.
MOST_LATE = 8
# The moments of the latest requests under a key, newest first; whether this one is granted, how many there are within
# the period, and the oldest of them.
COUNTING = """
local amount, period, moment = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local used, oldest = 0, ARGV[3]
for _, each in ipairs(redis.call('LRANGE', KEYS[1], 0, amount - 1)) do
    if tonumber(each) > moment - period then
        used, oldest = used + 1, each
    end
end
if used >= amount then
    return {0, used, oldest}
end
redis.call('LPUSH', KEYS[1], ARGV[3])
redis.call('LTRIM', KEYS[1], 0, amount - 1)
redis.call('EXPIRE', KEYS[1], period)
return {1, used + 1, oldest}
"""

_until: ContextVar[float] = ContextVar("redis until", default=0.0)
_late: set["Future[Any]"] = set()
# This part of the library has no types.
_connections: Any = redis.connection


class InRedis:
    """Counts in Redis by one message a limit, and in this process while Redis is away or slow.

    What Redis grants is counted here as well.
    """

    def __init__(self, url: str) -> None:
        kind: Any = _connections.parse_url(url).get("connection_class", redis.Connection)
        hurried = type("HurriedConnection", (Hurried, kind), {})
        # Without `driver_info` a new connection tells nothing of itself, which would be two messages more.
        pool = redis.ConnectionPool.from_url(url, connection_class=hurried, driver_info=None)
        self._store: Any = redis.Redis(connection_pool=pool)
        self._refusals = Refusals()
        self._local = Local()
        self._outage = Outage("redis")

    def hit(self, item: RateLimitItem, key: str) -> Window:
        """Count a request."""
        if refused := self._refusals.find(item, key):
            return refused
        left = REDIS_SECONDS - g.get("redis_seconds", 0.0)
        if left >= LEAST_SECONDS and self._outage.permits():
            try:
                return self._hit(item, key, left)
            except redis.RedisError as error:
                self._outage.failed(error)
        metrics.counted_locally.labels(key.partition(":")[0]).inc()
        return self._local.hit(item, key)

    def reset(self) -> None:
        """Forget what this process remembers; Redis keeps what it has."""
        self._refusals.reset()
        self._local.reset()
        self._outage.reset()

    def _hit(self, item: RateLimitItem, key: str, left: float) -> Window:
        time_now, began = time.time(), time.monotonic()
        _until.set(began + left)
        try:
            # Cut off, not rounded: no request lies in the future.
            given = item.amount, item.get_expiry(), f"{int(time_now * 1000) / 1000:.3f}"
            granted, used, oldest = self._store.eval(COUNTING, 1, item.key_for(key), *given)
        finally:
            g.redis_seconds = g.get("redis_seconds", 0.0) + time.monotonic() - began
        self._outage.answered()
        found = window(bool(granted), item, used, float(oldest), time_now)
        if granted:
            self._local.hit(item, key)
            return found
        return self._refusals.note(key, found)


class Hurried:
    """A connection to Redis that is waited for until a moment, from looking up the name to the last byte of an answer.

    It is made in a thread that may be left behind: nothing can hurry a name server, and a name may have many addresses.
    """

    def _connect(self) -> "HurriedSocket":
        left = _left()
        if len(_late) >= MOST_LATE:
            raise TimeoutError
        # Named once more for the thread: each address, and the handshake of TLS.
        self.socket_timeout = self.socket_connect_timeout = left
        attempt: Future[Any] = Future()
        Thread(target=_attempt, args=(attempt, super()._connect), name="redis", daemon=True).start()  # type: ignore[misc]
        try:
            return HurriedSocket(attempt.result(left))
        except TimeoutError:
            _late.add(attempt)
            attempt.add_done_callback(_close_late)
            raise


class HurriedSocket:
    """A socket whose every wait ends at the moment of the command, however slowly an answer drips."""

    def __init__(self, connected: Any) -> None:
        self._socket = connected

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def sendall(self, data: Any) -> None:
        """Send all of it."""
        self._hurry()
        self._socket.sendall(data)

    def recv(self, size: int) -> Any:
        """The next bytes."""
        self._hurry()
        return self._socket.recv(size)

    def recv_into(self, buffer: Any) -> Any:
        """The next bytes, for the parser of hiredis, which the library prefers where it is installed."""
        self._hurry()
        return self._socket.recv_into(buffer)

    def _hurry(self) -> None:
        # Who only looks whether there is something does not wait.
        if self._socket.gettimeout() != 0:
            self._socket.settimeout(_left())


def _left() -> float:
    """The seconds that are left for the command; raises TimeoutError."""
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _attempt(attempt: "Future[Any]", connect: Callable[[], Any]) -> None:
    try:
        attempt.set_result(connect())
    except (OSError, redis.RedisError, ValueError) as error:
        attempt.set_exception(error)


def _close_late(attempt: "Future[Any]") -> None:
    _late.discard(attempt)
    if attempt.exception() is None:
        attempt.result().close()
