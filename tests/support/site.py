"""A running service as its people meet it: they register, ask for letters, and follow the links in them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.support import mailbox
from tests.support.clients import PASSWORD, Answer, Client
from tests.support.mailbox import Mail
from tests.support.processes import wait_until
from tests.support.service import Service

HERE = ("127.0.0.1", "localhost")
# Where the secret of a letter is redeemed, by the page that its link leads to.
REDEEMED_AT = {
    "verify": "/auth/email/verify",
    "reset": "/auth/password/reset",
    "magic-link": "/auth/magic-link/verify",
    "confirm-email": "/auth/email/change/confirm",
    "not-me": "/auth/not-me",
}
ASKED_AT = {"reset": "/auth/password/forgot", "magic-link": "/auth/magic-link"}


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

    @property
    def new_email(self) -> str:
        """The address that they would rather have."""
        return f"{self.name}@example.net"

    @property
    def phone(self) -> str:
        """The number of their phone."""
        return f"+4930123{int(self.name.rpartition('-')[2]):05}"

    @property
    def account(self) -> dict[str, object]:
        """What the service says of them."""
        return self.client.get("/auth/me").json

    def can_sign_in(self, password: str = PASSWORD) -> bool:
        """Whether this is their password."""
        return self.client.another().login(self.name, password).status == 200


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
            assert self.redeem("verify", self.letter(person.email, "verify").token).status == 200
        return person

    def ask(self, person: Person, page: str) -> Mail:
        """Have a letter sent to a person with a link to a page, and wait until it has arrived."""
        if page in ("confirm-email", "not-me"):
            change = {"email": person.new_email, "password": PASSWORD}
            assert person.client.post("/auth/email/change", change).status == 202
        elif page in ASKED_AT:
            assert self.service.client().post(ASKED_AT[page], {"email": person.email}).status == 202
        return self.letter(person.new_email if page == "confirm-email" else person.email, page)

    def letter(self, to: str, page: str, subject: str = "") -> Mail:
        """The letter to an address with a link to a page, once it has arrived."""
        folder = Path(str(self.service.settings["INSTANCE_PATH"])) / "mail"

        def arrived() -> Mail | None:
            mine = [letter for letter in mailbox.in_folder(folder) if letter.to == to and subject in letter.subject]
            return next((letter for letter in mine if f"/pages/{page}#token=" in letter.text), None)

        return wait_until(arrived, f"a letter to {to} with a link to the page {page}", 60)

    def texted(self, number: str) -> str:
        """The code in the message that a phone has got."""
        folder = Path(str(self.service.settings["SMS_URL"]).removeprefix("file://"))

        def arrived() -> Path | None:
            return next((file for file in folder.glob("*.txt") if file.read_text().startswith(f"{number}\n")), None)

        message: Path = wait_until(arrived, f"a message to {number}")
        code = message.read_text().split()[1]
        message.unlink()
        return code

    def redeem(self, page: str, token: str, **more: str) -> Answer:
        """Redeem the secret of a letter as a program would."""
        return self.service.client().post(REDEEMED_AT[page], {"token": token, **more})
