"""The kinds of letters that carry a secret: how to get one, and how to redeem what is in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.clients import PASSWORD, Answer, Client
from tests.support.mailbox import Mail, Mailbox

NEW_PASSWORD = "Velvet-Harbour-Quince-8"


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind: `ask` brings the letter about for ada, who is signed in; `path` is where its secret is redeemed."""

    name: str
    path: str
    ask: Callable[[Client], object]
    more: dict[str, str]
    page: str
    to: str = "ada@example.org"

    def letter(self, client: Client, mailbox: Mailbox) -> Mail:
        """Ask, and read what arrives."""
        self.ask(client)
        return mailbox.last(self.to)

    def redeem(self, client: Client, **proof: Any) -> Answer:
        """Redeem by `token`, or by `email` and `code`."""
        return client.another().post(self.path, {**self.more, **proof})


def _email(path: str) -> Callable[[Client], object]:
    return lambda client: client.another().post(path, {"email": "ada@example.org"})


def _new_email(client: Client) -> object:
    return client.post("/auth/email/change", {"email": "ada@example.net", "password": PASSWORD})


VERIFY = Kind("verify", "/auth/email/verify", _email("/auth/email/verify/request"), {}, "/pages/verify")
RESET = Kind(
    "reset", "/auth/password/reset", _email("/auth/password/forgot"), {"password": NEW_PASSWORD}, "/pages/reset"
)
MAGIC_LINK = Kind("magic-link", "/auth/magic-link/verify", _email("/auth/magic-link"), {}, "/pages/magic-link")
CONFIRM_EMAIL = Kind(
    "confirm-email", "/auth/email/change/confirm", _new_email, {}, "/pages/confirm-email", "ada@example.net"
)
NOT_ME = Kind("not-me", "/auth/not-me", _new_email, {}, "/pages/not-me")

KINDS = {kind.name: kind for kind in (VERIFY, RESET, MAGIC_LINK, CONFIRM_EMAIL, NOT_ME)}
WITH_CODE = {kind.name: kind for kind in (VERIFY, RESET, MAGIC_LINK)}
