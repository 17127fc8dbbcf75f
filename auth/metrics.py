"""What is counted, for Prometheus at GET /metrics. To count is one addition in memory.

Several workers add up through files that they share: the server names their folder in PROMETHEUS_MULTIPROC_DIR before
it starts them. No metric has a label that a client chooses, and none tells of a person.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest, multiprocess, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST
_LIVE_FILE = re.compile(r"gauge_live\w+_(\d+)\.db")

_registry = CollectorRegistry()
# These parts of the library have no types.
_workers: Any = multiprocess
_internals: Any = values


def _counter(name: str, told: str, *labels: str) -> Counter:
    return Counter(f"gatehouse_{name}", told, labels, registry=_registry)


def _gauge(name: str, told: str, *labels: str) -> Gauge:
    return Gauge(f"gatehouse_{name}", told, labels, registry=_registry, multiprocess_mode="livesum")


# Each has a label, because the value of one without would be made now, before the server says where it is shared.
_requests = _counter("requests", "Answers, by route and status.", "method", "route", "status")
refusals = _counter("refusals", "Problems answered, by code.", "code")
events = _counter("events", "What happened, by the name of the audit event.", "name")
rate_limited = _counter("rate_limited", "Requests beyond a rate limit, by the name of the limit.", "limit")
counted_locally = _counter("counted_locally", "Requests counted alone, as the shared store of limits is away.", "limit")
breach_checks = _counter("breach_checks", "Passwords asked about at the breach service, by its answer.", "outcome")
hashes = _counter("hashes", "Requests to hash or compare a password: done, or refused when too many wait.", "outcome")
hashing = _gauge("hashing", "Passwords that are being hashed or wait for it.", "state")
store_away = _gauge("store_away", "Processes for which a store is away.", "store")
letters = _counter("letters", "Letters, by what became of them.", "outcome")

# A client may send any word as its method: all others are one.
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})
OTHER = "other"

_answered: dict[tuple[str, str, int], Counter] = {}


def answered(method: str, route: str, status: int) -> None:
    """Count an answer; `route` is the rule of the route, or nothing when no route matched."""
    try:
        _answered[method, route, status].inc()
    except KeyError:
        # Only a known method comes to be kept, so that the usual case needs no comparison.
        known = method if method in METHODS else OTHER
        _answered[known, route, status] = counter = _requests.labels(known, route, status)
        counter.inc()


def exposed() -> bytes:
    """Everything counted by this process, or by all workers of the server, in the text format of Prometheus."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return generate_latest(_registry)
    _bury(Path(folder))
    together = CollectorRegistry()
    _workers.MultiProcessCollector(together, folder)
    return generate_latest(together)


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Let the processes started in this block count together."""
    with contextlib.ExitStack() as ends:
        if FOLDER not in os.environ:
            os.environ[FOLDER] = folder = tempfile.mkdtemp(prefix="gatehouse-metrics-")
            ends.callback(shutil.rmtree, folder, ignore_errors=True)
            _internals.ValueClass = _internals.get_value_class()
        yield


def _bury(folder: Path) -> None:
    """Forget the gauges of workers that have ended; what they counted stays."""
    for file in folder.iterdir():
        found = _LIVE_FILE.fullmatch(file.name)
        if found and not _lives(int(found[1])):
            _workers.mark_process_dead(int(found[1]), str(folder))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
