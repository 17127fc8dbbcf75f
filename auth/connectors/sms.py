"""Where short messages go: a sender on the web, or a folder for development. SMS_URL says which.

https://user:password@host/path   SMS_BODY is posted there, with `{to}` and `{text}` filled in; any 2xx is success
file:///folder                    one text file a message
"""

import base64
import http.client
import json
import logging
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

from auth import crypto
from auth.problems import Unavailable
from config import Settings, settings

log = logging.getLogger("gatehouse")

TIMEOUT_SECONDS = 5.0


class Undelivered(Exception):
    """The sender did not take the message."""


class Sender(Protocol):
    """A way for short messages to leave."""

    def deliver(self, number: str, text: str) -> None:
        """Hand one message over, to a number as in E.164; raises Undelivered."""


class Web:
    """Posts each message to a sender on the web."""

    def __init__(self, chosen: Settings) -> None:
        self._url = urlsplit(chosen.sms_url)
        self._body = chosen.sms_body
        self._authorization = chosen.sms_authorization or self._basic()

    def deliver(self, number: str, text: str) -> None:
        """Post one; no redirect is followed."""
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._url.netloc.rpartition("@")[2], timeout=TIMEOUT_SECONDS)
        path = self._url.path or "/"
        try:
            connection.request("POST", f"{path}?{self._url.query}".rstrip("?"), *self._message(number, text))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise Undelivered(type(error).__name__) from None
        finally:
            connection.close()
        if not 200 <= status < 300:
            raise Undelivered(f"status {status}")

    def _message(self, number: str, text: str) -> tuple[bytes, dict[str, str]]:
        """The body with the values escaped as its kind demands, and the headers that go with it."""
        as_json = self._body.lstrip().startswith("{")
        to, words = (json.dumps(value)[1:-1] if as_json else quote(value, safe="") for value in (number, text))
        body = self._body.replace("{to}", to).replace("{text}", words)
        kind = "application/json" if as_json else "application/x-www-form-urlencoded"
        authorization = {"Authorization": self._authorization} if self._authorization else {}
        return body.encode(), {"Content-Type": kind, **authorization}

    def _basic(self) -> str:
        if not self._url.username:
            return ""
        pair = f"{unquote(self._url.username)}:{unquote(self._url.password or '')}"
        return "Basic " + base64.b64encode(pair.encode()).decode()


class Folder:
    """Writes each message to a file of its own, the number in its first line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(self, number: str, text: str) -> None:
        """Write one."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{crypto.random_id()}.txt").write_text(f"{number}\n{text}\n")
        except OSError as error:
            raise Undelivered(type(error).__name__) from None


def send(number: str, text: str) -> None:
    """Send a short message, while no connection to a store is held; raises Unavailable."""
    try:
        _sender(settings()).deliver(number, text)
    except Undelivered as error:
        log.error("a short message did not leave", extra={"reason": str(error)})
        raise Unavailable("The message could not be sent; please try again", retry_after=5) from None


def _sender(chosen: Settings) -> Sender:
    url = urlsplit(chosen.sms_url)
    return Folder(Path(unquote(url.path))) if url.scheme == "file" else Web(chosen)
