"""A running service as its people meet it: they register, and letters with links arrive."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.support import mailbox
from tests.support.clients import Client
from tests.support.mailbox import Mail
from tests.support.processes import wait_until
from tests.support.service import Service

HERE = ("127.0.0.1", "localhost")


def is_here(url: str) -> bool:
    """Whether an address leads to this machine or nowhere."""
    return urlsplit(url).scheme in ("data", "about", "blob") or urlsplit(url).hostname in HERE


@dataclass(frozen=True)
class Person:
    """Somebody with an account, signed in on a device of theirs."""

    name: str
    client: Client

    @property
    def email(self) -> str:
        """Their address."""
        return f"{self.name}@example.org"


class Site:
    """The service, with people whose names nobody else has."""

    def __init__(self, service: Service, fresh_name: Callable[[], str]) -> None:
        self.service = service
        self.url = service.url
        # Passkeys belong to a name and not to an address.
        self.local_url = service.url.replace("127.0.0.1", "localhost")
        self._fresh_name = fresh_name

    def person(self, *, verified: bool = False) -> Person:
        """Somebody who has registered and signed in."""
        name = self._fresh_name()
        person = Person(name, self.service.client().signed_in(name))
        if verified:
            self.post("/auth/email/verify", token=self.letter(person.email, "/pages/verify").token)
            assert person.client.login(name).status == 200
        return person

    def post(self, path: str, **body: str) -> None:
        """Ask the service as somebody who is not signed in, with success."""
        answer = self.service.client().post(path, body)
        assert answer.status in (200, 202), answer.text

    def letter(self, to: str, page: str) -> Mail:
        """The letter to an address with a link to a page, once it has arrived."""
        folder = Path(self.service.settings["INSTANCE_PATH"]) / "mail"

        def arrived() -> Mail | None:
            letters = [letter for letter in mailbox.in_folder(folder) if letter.to == to]
            return next((letter for letter in letters if f"{page}#token=" in letter.text), None)

        return wait_until(arrived, f"a letter to {to} with a link to {page}")
