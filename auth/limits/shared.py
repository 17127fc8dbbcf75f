"""Counting together in the database, and where requests are counted: there, in Redis, or in the memory of a process.

What the database has refused is remembered until it would be granted, so that a flood beyond the limit costs no
statement.
"""

import importlib
import time
from datetime import timedelta
from typing import Any

from limits import RateLimitItem
from sqlalchemy import bindparam, func, or_, select

from auth import database
from auth.limits.counters import Counter, Local, Refusals, Window, window
from config import Settings
from models import RateWindow, now

# Moments in the database are milliseconds in so many digits, which as text sort as numbers do.
DIGITS = 13


class InDatabase:
    """Counts in a table that all workers share: one statement for a request that is granted, none for most refused."""

    def __init__(self) -> None:
        self._refusals = Refusals()

    def hit(self, item: RateLimitItem, key: str) -> Window:
        """Count a request in a transaction of its own; raises OperationalError when the database is away."""
        if refused := self._refusals.find(item, key):
            return refused
        time_now = time.time()
        moments = _count(item, key, time_now)
        if moments is not None:
            return _window(True, item, moments, time_now)
        moments = database.execute(_read, {"key": key}).scalar_one_or_none() or _digits(time_now)
        return self._refusals.note(key, _window(False, item, moments, time_now))

    def reset(self) -> None:
        """Forget what was refused; the table stays."""
        self._refusals.reset()


def choose(settings: Settings, alone: bool = False) -> Counter:
    """Redis when it is set; this process when none but it serves, on a database that is its own; else the database.

    Only the built-in server knows how many processes it starts: another one may start any number, whatever WORKERS is.
    """
    if settings.redis_url:
        # The client of Redis weighs five megabytes, which whoever has none does without.
        in_redis: Counter = importlib.import_module("auth.limits.remote").InRedis(settings.redis_url)
        return in_redis
    return Local() if alone and settings.sqlalchemy_url.startswith("sqlite") else InDatabase()


_read = select(RateWindow.moments).where(RateWindow.key == bindparam("key"))


def _count(item: RateLimitItem, key: str, time_now: float) -> str | None:
    """The moments under the key with this one, newest first; None when the limit is reached."""
    values = {
        "key": key,
        "moment": _digits(time_now),
        "expires_at": now() + timedelta(seconds=item.get_expiry()),
        "kept": (item.amount - 1) * DIGITS,
        "full": item.amount * DIGITS,
        "oldest": (item.amount - 1) * DIGITS + 1,
        "cutoff": _digits(time_now - item.get_expiry()),
    }
    rows = database.alone(database.by_dialect(_counting), values)
    return rows[0].moments if rows else None


def _counting(insert: Any) -> Any:
    first = insert(RateWindow).values(
        key=bindparam("key"), moments=bindparam("moment"), expires_at=bindparam("expires_at")
    )
    oldest = func.substr(RateWindow.moments, bindparam("oldest"), DIGITS)
    return first.on_conflict_do_update(
        index_elements=[RateWindow.key],
        set_={
            "moments": first.excluded.moments + func.substr(RateWindow.moments, 1, bindparam("kept")),
            "expires_at": first.excluded.expires_at,
        },
        where=or_(func.length(RateWindow.moments) < bindparam("full"), oldest <= bindparam("cutoff")),
    ).returning(RateWindow.moments)


def _digits(moment: float) -> str:
    return f"{int(moment * 1000):0{DIGITS}}"


def _window(granted: bool, item: RateLimitItem, moments: str, time_now: float) -> Window:
    newest_first = [int(moments[at : at + DIGITS]) / 1000 for at in range(0, len(moments), DIGITS)]
    within = [moment for moment in newest_first if moment > time_now - item.get_expiry()]
    return window(granted, item, len(within), within[-1], time_now)
