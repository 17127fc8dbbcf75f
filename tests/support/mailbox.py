"""What people find in their mailboxes: the worker's turn is taken in the test, then its letters are read."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

from flask import Flask

from auth import audit, database, notices
from auth.worker import delivery

TOKEN = re.compile(r"#token=([\w-]+)")
CODE = re.compile(r"^([0-9A-Z]{8})$", re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    """A letter as it arrived."""

    message: EmailMessage

    @property
    def to(self) -> str:
        """The recipient's address."""
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        """What it is about."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """The plain text."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """The HTML."""
        return self._part("html")

    @property
    def link(self) -> str:
        """The whole link."""
        return next(line for line in self.text.splitlines() if TOKEN.search(line))

    @property
    def token(self) -> str:
        """The secret in the link."""
        found = TOKEN.search(self.text)
        assert found, self.text
        return found[1]

    @property
    def code(self) -> str:
        """The code beside the link."""
        found = CODE.search(self.text)
        assert found, self.text
        return found[1]

    def _part(self, kind: str) -> str:
        body: Any = self.message.get_body((kind,))
        return str(body.get_content()).replace("\r\n", "\n")


def read(data: bytes) -> Mail:
    """The letter in these bytes."""
    message = BytesParser(policy=default).parsebytes(data)
    assert isinstance(message, EmailMessage)
    return Mail(message)


def in_folder(folder: Path) -> list[Mail]:
    """The letters in a folder, the oldest first."""
    return [read(file.read_bytes()) for file in sorted(folder.glob("*.eml"))]


class Mailbox:
    """The letters of one application in this process."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def work(self) -> None:
        """Take the worker's turn until nothing is due."""
        with self.app.app_context():
            try:
                audit.seal()
                while notices.write() or delivery.deliver():
                    pass
            finally:
                database.end()

    def all(self, to: str | None = None) -> list[Mail]:
        """The letters that have left, the oldest first; to one address if it is given."""
        self.work()
        letters = [read(letter.as_bytes()) for letter in self.app.extensions["gatehouse.post"].letters]
        return [letter for letter in letters if to is None or letter.to == to]

    def last(self, to: str | None = None) -> Mail:
        """The letter that left last."""
        found = self.all(to)
        assert found, "no letter has left"
        return found[-1]
