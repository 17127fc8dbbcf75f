"""Where letters go: an SMTP server (RFC 5321), a folder of `.eml` files, or memory. MAIL_URL says which.

smtp://user:password@host:587     STARTTLS (RFC 3207), required but on this machine itself
smtps://user:password@host:465    TLS from the first byte (RFC 8314)
smtp://host:25?starttls=off       a relay in a network of one's own
smtp://host?ca=/path/ca.pem       a server whose certificate was made by this authority
file:///folder                    one file a letter
memory:                           kept in this process, for tests
"""

import smtplib
import ssl
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP as LINES
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from flask import Flask, current_app

from auth.connectors.punctual import Punctual, PunctualTls
from config import Settings

PORTS = {"smtp": 25, "smtps": 465}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
BROKEN = (OSError, smtplib.SMTPException, UnicodeError)
# After so long nothing more is said of a letter, however slow each answer is: its claim must outlast it.
LETTER_SECONDS = 75


class Undeliverable(Exception):
    """The letter did not leave. `final`: this recipient will never be accepted; `offline`: no letter leaves now."""

    def __init__(self, reason: str, *, final: bool = False, offline: bool = False) -> None:
        super().__init__(reason)
        self.final = final
        self.offline = offline


class Post(Protocol):
    """A way for letters to leave."""

    def deliver(self, letter: EmailMessage) -> None:
        """Hand one letter over; raises Undeliverable."""

    def rest(self) -> None:
        """No letter follows for now."""


class Memory:
    """Keeps the letters, the oldest first."""

    def __init__(self) -> None:
        self.letters: list[EmailMessage] = []

    def deliver(self, letter: EmailMessage) -> None:
        """Keep one."""
        self.letters.append(letter)

    def rest(self) -> None:
        """Nothing is open."""

    def reset(self) -> None:
        """Forget all of them."""
        self.letters.clear()


class Folder:
    """Writes each letter to a file of its own, named so that the same letter never makes a second one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def deliver(self, letter: EmailMessage) -> None:
        """Write one; it is complete from the moment it is there."""
        name = letter["Message-ID"].strip("<>").partition("@")[0]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = self.folder / f".{name}"
            unfinished.write_bytes(letter.as_bytes(policy=LINES))
            unfinished.replace(self.folder / f"{letter['Date'].datetime:%Y%m%d-%H%M%S}-{name}.eml")
        except OSError as error:
            raise Undeliverable(f"{type(error).__name__}", offline=True) from None

    def rest(self) -> None:
        """Nothing is open."""


class Smtp:
    """A connection to an SMTP server, one for each thread, opened for the first letter and closed at rest."""

    def __init__(self, url: str, seconds: float) -> None:
        parts = urlsplit(url)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._scheme, self._host = parts.scheme, parts.hostname or "localhost"
        self._port = parts.port or PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._starttls = options.get("starttls", "offered" if self._host in LOOPBACK else "required")
        self._ca = options.get("ca")
        self._seconds = seconds
        self._own = threading.local()

    def deliver(self, letter: EmailMessage) -> None:
        """Send one letter; after any fault the next begins on a connection of its own."""
        until = time.monotonic() + LETTER_SECONDS
        connection: Punctual = getattr(self._own, "connection", None) or self._connect(until)
        connection.speaks_until = until
        try:
            connection.send_message(letter)
        except smtplib.SMTPRecipientsRefused as error:
            self._forget()
            codes = [code for code, _ in error.recipients.values()]
            raise Undeliverable(f"recipient refused {codes}", final=all(code >= 500 for code in codes)) from None
        except BROKEN as error:
            self._forget()
            raise Undeliverable(_reason(error)) from None

    def rest(self) -> None:
        """Say goodbye; a server that has already gone is no fault."""
        connection = self._take()
        if connection is not None:
            try:
                connection.quit()
            except BROKEN:
                connection.close()

    def _connect(self, until: float) -> Punctual:
        try:
            self._own.connection = connection = self._open()
            connection.speaks_until = until
            self._secure(connection)
        except BROKEN as error:
            self._forget()
            raise Undeliverable(_reason(error), offline=True) from None
        return connection

    def _open(self) -> Punctual:
        if self._scheme == "smtps":
            return PunctualTls(self._host, self._port, timeout=self._seconds, context=self._context())
        return Punctual(self._host, self._port, timeout=self._seconds)

    def _secure(self, connection: Punctual) -> None:
        """STARTTLS, then the password: letters and passwords cross a network only encrypted."""
        connection.ehlo()
        offered = self._starttls == "offered" and connection.has_extn("starttls")
        if self._scheme == "smtp" and (offered or self._starttls == "required"):
            connection.starttls(context=self._context())
            connection.ehlo()
        if self._user:
            connection.login(self._user, self._password)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._ca)

    def _forget(self) -> None:
        connection = self._take()
        if connection is not None:
            connection.close()

    def _take(self) -> Punctual | None:
        connection: Punctual | None = self._own.__dict__.pop("connection", None)
        return connection


def current() -> Post:
    """The way of the application in force."""
    found: Post = current_app.extensions["gatehouse.post"]
    return found


def is_readable() -> bool:
    """Whether this machine can show the letters that have left."""
    return not isinstance(current(), Smtp)


def readable() -> Iterator[bytes]:
    """The letters that this machine can show, the newest first: those in the folder or in memory."""
    post = current()
    if isinstance(post, Folder):
        for file in sorted(post.folder.glob("*.eml"), reverse=True):
            yield file.read_bytes()
    elif isinstance(post, Memory):
        yield from (letter.as_bytes() for letter in reversed(post.letters))


def init_app(app: Flask, settings: Settings) -> None:
    """Choose the way that MAIL_URL says; nothing is opened yet."""
    app.extensions["gatehouse.post"] = _choose(settings)


def _choose(settings: Settings) -> Post:
    scheme = urlsplit(settings.mail_url).scheme
    if scheme in PORTS:
        return Smtp(settings.mail_url, settings.mail_timeout_seconds)
    if scheme == "memory":
        return Memory()
    path = unquote(urlsplit(settings.mail_url).path)
    return Folder(Path(path) if path else settings.instance_path / "mail")


def _reason(error: BaseException) -> str:
    """What went wrong, without the words of the server, which may repeat the address."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__
