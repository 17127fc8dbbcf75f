"""SMTP (RFC 5321) with an end to every wait, whatever the server does.

smtplib bounds each read alone: a server that sends a byte now and then would be waited for without end. Here connecting
and every answer have `timeout` as a whole, and nothing is said any more after `speaks_until`.
"""

import io
import math
import smtplib
import socket
import time
from typing import Any


class Punctual(smtplib.SMTP):
    """A connection in clear text, or one that STARTTLS encrypts."""

    speaks_until = math.inf

    def send(self, s: Any) -> None:
        """Say something, unless it is too late."""
        if time.monotonic() > self.speaks_until:
            self.close()
            raise smtplib.SMTPServerDisconnected("too late")
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """An answer, however many lines it has."""
        if self.file is None:
            self._answers = Answers(self.sock)
            self.file = io.BufferedReader(self._answers)
        self._answers.until = time.monotonic() + self.timeout
        try:
            return super().getreply()
        finally:
            if self.sock is not None:
                self.sock.settimeout(self.timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """Connect to the first address that answers. Each has its share of the time, so that none takes all of it."""
        until, fault = time.monotonic() + timeout, OSError("no address")
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for number, (*_, place) in enumerate(places):
            share = (until - time.monotonic()) / (len(places) - number)
            try:
                return socket.create_connection((str(place[0]), port), max(share, 0.001))
            except OSError as error:
                fault = error
        raise fault


class PunctualTls(smtplib.SMTP_SSL, Punctual):
    """A connection that is encrypted from the first byte."""


class Answers(io.RawIOBase):
    """What a server says, read until a moment."""

    until = math.inf

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, or wait for it; raises TimeoutError."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._sock.settimeout(left)
        return int(self._sock.recv_into(buffer))
