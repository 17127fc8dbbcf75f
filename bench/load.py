"""A load generator that needs nothing installed: one process on cores of its own, kept-alive connections, HTTP/1.1.

It says how much of its own core it used (`busy`), so a reader sees whether the server or the generator was the limit.
"""

import contextlib
import heapq
import json
import multiprocessing
import os
import re
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.pool import AsyncResult, Pool
from typing import NamedTuple, Protocol

DRAIN_SECONDS = 60.0  # Nobody waits longer than this for answers still under way when the time is over.
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
RETRY_AFTER = re.compile(rb"\r\nretry-after: *\d", re.IGNORECASE)


def request(method: str, path: str, headers: dict[str, str] | None = None, body: object = None) -> bytes:
    """The bytes of one HTTP/1.1 request; a `body` that is not already text becomes JSON."""
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    lines = {"Host": "127.0.0.1", **(headers or {})}
    if text:
        kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
        lines = {"Content-Type": kind, **lines, "Content-Length": str(len(text.encode()))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{text}".encode()


class Script(Protocol):
    """What one connection sends: called with the last answer's body, gives the next request or None at the end."""

    def following(self, body: bytes) -> bytes | None: ...


@dataclass
class Cycle:
    """The same requests again and again."""

    requests: list[bytes]
    sent: int = 0

    def following(self, body: bytes) -> bytes | None:
        self.sent += 1
        return self.requests[self.sent % len(self.requests)]


@dataclass
class Once:
    """Every request exactly once."""

    requests: list[bytes]

    def following(self, body: bytes) -> bytes | None:
        return self.requests.pop() if self.requests else None


@dataclass
class Chain:
    """Refreshes that each carry the token out of the answer before."""

    path: str
    key: str  # The body's field for the token, or "" for a Bearer header.
    refresh: str
    name: str  # How the answer calls the refresh token.

    def following(self, body: bytes) -> bytes | None:
        if body.startswith(b"{"):
            self.refresh = json.loads(body).get(self.name, self.refresh)
        if self.key:
            return request("POST", self.path, body={self.key: self.refresh})
        return request("POST", self.path, {"Authorization": f"Bearer {self.refresh}"})


@dataclass(frozen=True)
class Load:
    """What to send: one script a connection, for so many seconds, at an even `rate` a second if one is given."""

    port: int
    scripts: list[Script]
    seconds: float
    rate: float | None = None


@dataclass
class Measured:
    """What came back: answers by status, seconds each took, and the scripts as they stand (chains go on from there)."""

    scripts: list[Script]
    seconds: float = 0.0
    busy: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: dict[int, list[float]] = field(default_factory=dict)
    without_retry_after: int = 0

    def per_second(self, *statuses: int) -> float:
        return sum(self.statuses[status] for status in statuses or self.statuses) / self.seconds

    def percentile(self, share: float, *statuses: int) -> float:
        """Milliseconds that `share` of the answers stayed within."""
        times = sorted(t for status in statuses or self.latencies for t in self.latencies.get(status, []))
        return 1000 * times[min(len(times) - 1, int(share * len(times)))] if times else float("nan")


def together(parts: list[Measured]) -> Measured:
    """What several generators got at the same time."""
    whole = Measured([script for part in parts for script in part.scripts])
    whole.seconds, whole.busy = max(part.seconds for part in parts), max(part.busy for part in parts)
    whole.without_retry_after = sum(part.without_retry_after for part in parts)
    for part in parts:
        whole.statuses += part.statuses
        for status, times in part.latencies.items():
            whole.latencies.setdefault(status, []).extend(times)
    return whole


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    head: bytes
    body: bytes


class Connection:
    """One kept-alive connection with at most one request under way."""

    def __init__(self, port: int, script: Script) -> None:
        self.port, self.script, self.data, self.due, self.asked = port, script, b"", 0.0, False
        self.connect()

    def connect(self) -> None:
        self.data = b""
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def received(self) -> "Answer | None":
        """The whole answer, None while more is to come; raises OSError when the connection was cut."""
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionResetError
        self.data += piece
        head, blank, body = self.data.partition(b"\r\n\r\n")
        if not blank:
            return None
        length = LENGTH.search(head)
        whole = len(body) == int(length[1]) if length else body.endswith(b"0\r\n\r\n") or b" 204 " in head
        if not whole:
            return None
        self.data = b""
        return Answer(int(head[9:12]), head, body if length else unchunk(body))


def unchunk(body: bytes) -> bytes:
    """The content of a chunked body (RFC 9112, 7.1)."""
    content = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        content, body = content + rest[: int(size, 16)], rest[int(size, 16) + 2 :] if int(size, 16) else b""
    return content


class Run:
    """One load, from the first request to the last answer."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.measured = Measured(load.scripts)
        self.waiting: list[tuple[float, int, Connection, bytes]] = []  # Requests whose time has not come.
        self.under_way = 0
        self.poll = selectors.EpollSelector()

    def __call__(self) -> Measured:
        started, used = time.perf_counter(), time.process_time()
        self.deadline = started + self.load.seconds
        step = 1 / self.load.rate if self.load.rate else 0.0
        for number, script in enumerate(self.load.scripts):
            connection = Connection(self.load.port, script)
            self.poll.register(connection.socket, selectors.EVENT_READ, connection)
            self.send(connection, b"", at=started + number * step)
        last = started
        while (self.under_way or self.waiting) and time.perf_counter() < self.deadline + DRAIN_SECONDS:
            self.send_due()
            for key, _ in self.poll.select(self.patience()):
                last = self.answer(key.data)
        self.measured.seconds = last - started
        self.measured.busy = (time.process_time() - used) / (last - started)
        return self.measured

    def patience(self) -> float:
        return max(0.0, self.waiting[0][0] - time.perf_counter()) if self.waiting else 1.0

    def send(self, connection: Connection, body: bytes, at: float) -> None:
        """Send the script's next request, now or when it is due; nothing more once the time is over."""
        # The script sees the last answer too: its tokens are what a later load goes on with.
        following = connection.script.following(body)
        now = time.perf_counter()
        if following is None or max(at, now) >= self.deadline:
            return
        connection.due = at
        if at > now:
            heapq.heappush(self.waiting, (at, id(connection), connection, following))
        else:
            self.put(connection, following)

    def send_due(self) -> None:
        while self.waiting and self.waiting[0][0] <= time.perf_counter():
            _, _, connection, following = heapq.heappop(self.waiting)
            self.put(connection, following)

    def put(self, connection: Connection, following: bytes) -> None:
        connection.socket.send(following)
        connection.asked = True
        self.under_way += 1

    def answer(self, connection: Connection) -> float:
        """Note one answer and go on. A paced request counts from when it was due, so a stall hides no waiting."""
        try:
            answer = connection.received()
        except OSError:
            return self.cut(connection)
        now = time.perf_counter()
        if answer:
            self.note(answer.status, connection, now)
            if answer.status in (429, 503) and not RETRY_AFTER.search(answer.head):
                self.measured.without_retry_after += 1
            if CLOSES.search(answer.head):
                self.reconnect(connection)
            self.send(connection, answer.body, at=self.next_time(connection, now))
        return now

    def next_time(self, connection: Connection, now: float) -> float:
        return connection.due + len(self.load.scripts) / self.load.rate if self.load.rate else now

    def note(self, status: int, connection: Connection, now: float) -> None:
        self.under_way -= 1
        connection.asked = False
        self.measured.statuses[status] += 1
        self.measured.latencies.setdefault(status, []).append(now - connection.due)

    def cut(self, connection: Connection) -> float:
        """The server closed the connection: an answer that was still owed counts as status 0."""
        now = time.perf_counter()
        self.reconnect(connection)
        if connection.asked:
            self.note(0, connection, now)
            self.send(connection, b"", at=self.next_time(connection, now))
        return now

    def reconnect(self, connection: Connection) -> None:
        self.poll.unregister(connection.socket)
        connection.socket.close()
        connection.connect()
        self.poll.register(connection.socket, selectors.EVENT_READ, connection)


def perform(load: Load, cores: set[int]) -> Measured:
    os.sched_setaffinity(0, cores)
    return Run(load)()


class Generator:
    """Two processes that carry out loads on the cores given, so that a flood and a probe run side by side."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def start(self, load: Load, cores: set[int]) -> "AsyncResult[Measured]":
        return self.pool.apply_async(perform, (load, cores))

    def run(self, load: Load, cores: set[int]) -> Measured:
        return self.start(load, cores).get()


@contextlib.contextmanager
def generator() -> Iterator[Generator]:
    """A generator whose processes end with the block, in the middle of a load too.

    Ctrl-C and what `timeout` sends go to a whole group, and are for the block to hear: a process that died with a queue
    in hand would keep the others waiting for ever.
    """
    with multiprocessing.get_context("spawn").Pool(2, os.setpgrp) as pool:
        yield Generator(pool)


if __name__ == "__main__":
    port, path, seconds, connections = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    m = Run(Load(port, [Cycle([request("GET", path)]) for _ in range(connections)], seconds))()
    print(m.statuses, m.per_second(), m.percentile(0.5), m.percentile(0.99), m.busy)
