"""Whether a password is known from a breach, asked of a range API by five characters of its SHA-1 (k-anonymity).

Off unless BREACH_CHECK_URL is set. The service never learns the password, not even its hash. When it does not answer
in time the password passes: a service that is away must not close the door. A metric counts how often that was.
"""

import hashlib
import http.client
import io
import logging
import socket
import threading
import time
from concurrent.futures import Future
from typing import Any
from urllib.parse import urlsplit

from auth import metrics
from config import settings

log = logging.getLogger("gatehouse")

# From looking up the name of the service to the last byte of its answer.
TIMEOUT_SECONDS = 1.0
PREFIX = 5
LONGEST_ANSWER = 256 * 1024


def is_breached(password: str) -> bool:
    """Whether the range API lists the password. Holds no lock and no connection to a store; False when it fails."""
    url = settings().breach_check_url
    if not url:
        return False
    # SHA-1 is what the API speaks; nothing is protected by it.
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        lines = _in_time(url, digest[:PREFIX]).splitlines()
    except (OSError, http.client.HTTPException, ValueError) as error:
        metrics.breach_checks.labels("failed").inc()
        log.warning("the breach service did not answer", extra={"reason": type(error).__name__})
        return False
    # A padded answer holds made-up suffixes with a count of 0.
    found = (line.partition(":") for line in lines)
    breached = any(suffix == digest[PREFIX:] and count.strip() != "0" for suffix, _, count in found)
    metrics.breach_checks.labels("breached" if breached else "unknown").inc()
    return breached


def _in_time(url: str, prefix: str) -> str:
    """The suffixes of a prefix. Names are looked up in a thread, as nothing can hurry that; raises TimeoutError."""
    answer: Future[str] = Future()

    def ask() -> None:
        try:
            answer.set_result(_range(url, prefix, time.monotonic() + TIMEOUT_SECONDS))
        except (OSError, http.client.HTTPException, ValueError) as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name="breaches", daemon=True).start()
    return answer.result(TIMEOUT_SECONDS)


def _range(url: str, prefix: str, until: float) -> str:
    """The suffixes of a prefix. No redirect is followed."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}/{prefix}", headers={"Add-Padding": "true"})
        reader: Any = _Reader(connection.sock, until)
        answer = http.client.HTTPResponse(reader, method="GET")
        answer.begin()
        if answer.status != 200:
            raise ValueError("the breach service refused")
        return answer.read(LONGEST_ANSWER).decode("ascii")
    finally:
        connection.close()


class _Reader(io.RawIOBase):
    """What comes from a socket until a moment, however slowly it drips."""

    def __init__(self, connected: socket.socket, until: float) -> None:
        self._socket = connected
        self._until = until

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The reader that `http.client` asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes; raises TimeoutError."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)
