"""One document of the service: fetched, confirmed by its ETag (RFC 9110 section 13), kept while the service is away."""

import http.client
import logging
import threading
import time
import zlib
from collections.abc import Callable
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from .problems import Stale

Content = TypeVar("Content")
MAX_BYTES = 4 * 1024 * 1024
log = logging.getLogger("gatehouse_verify")


class Feed(Generic[Content]):
    """The last good version of a document, and when the service last stood by it."""

    def __init__(self, service_url: str, path: str, read: Callable[[bytes], Content], timeout: float) -> None:
        """Take where the document is and `read`, which turns its bytes into the content or raises."""
        url = urlsplit(service_url)
        secure = url.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        # One connection is kept open: a handshake every two seconds, for every verifier, would cost the service more
        # than the answer does. http.client follows no redirect and no proxy setting, so only this host is believed.
        self._connection = connect(url.hostname or "", url.port or (443 if secure else 80), timeout=timeout)
        self._path = url.path.rstrip("/") + path
        self._read = read
        self._lock = threading.Lock()
        self._etag: str | None = None
        self._asked = self._confirmed = float("-inf")
        self._failing = False
        self.content: Content | None = None

    def held(self, stale_after: float) -> Content:
        """Return the content, or raise Stale when the service last stood by it more than `stale_after` seconds ago."""
        if self.content is None or time.monotonic() - self._confirmed > stale_after:
            raise Stale(f"{self._path} has no fresh answer")
        return self.content

    def refresh(self, at_most_every: float = 0, patience: float = threading.TIMEOUT_MAX) -> None:
        """Ask the service, unless it was asked less than `at_most_every` seconds ago. Never raises.

        While somebody else is asking, wait for that answer, but not longer than `patience` seconds from its beginning.
        """
        if self._lock.acquire(timeout=max(0, self._asked + patience - time.monotonic())):
            try:
                self._ask_unless_asked(at_most_every)
            finally:
                self._lock.release()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def _ask_unless_asked(self, at_most_every: float) -> None:
        asked = time.monotonic()
        if asked - self._asked < at_most_every:
            return
        self._asked = asked
        try:
            self._ask()
        # Whatever is wrong with an answer, the content in hand stays, and its age alone decides how long.
        except Exception as error:
            self._connection.close()
            self._tell(error)
        else:
            self._confirmed = asked
            self._tell(None)

    def _ask(self) -> None:
        reused = self._connection.sock is not None
        try:
            response = self._send()
        except ConnectionError:
            # A server may close a connection that was idle, which says nothing about whether it is there.
            self._connection.close()
            if not reused:
                raise
            response = self._send()
        body = response.read(MAX_BYTES)
        if response.status == 200:
            if response.getheader("Content-Encoding") == "gzip":
                body = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, MAX_BYTES)
            self.content, self._etag = self._read(body), response.getheader("ETag")
        elif response.status != 304:
            raise ValueError(f"status {response.status}")

    def _send(self) -> http.client.HTTPResponse:
        headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": self._etag} if self._etag else {})
        self._connection.request("GET", self._path, headers=headers)
        return self._connection.getresponse()

    def _tell(self, error: Exception | None) -> None:
        if error and not self._failing:
            # A Refused shows a sentence for everybody; what was wrong with the document is its reason.
            log.warning("%s cannot be refreshed: %s", self._path, getattr(error, "reason", "") or repr(error))
        elif self._failing and not error:
            log.warning("%s is refreshed again", self._path)
        self._failing = error is not None
