"""What tests of second factors share: a person with a verified address, an authenticator app and its codes."""

import time
from typing import Any, Self

import pyotp
from sqlalchemy import update

from auth import database
from models import User, now
from tests.support.clients import PASSWORD, Answer, Client, InProcess


def change_user(client: Client, username: str, **values: Any) -> None:
    """Change columns of an account behind the service's back."""
    with _app(client).app_context(), database.apart():
        database.execute(update(User).where(User.username == username).values(values))


def read(client: Client, statement: Any) -> Any:
    """Read the database behind the service's back."""
    with _app(client).app_context(), database.apart():
        return database.execute(statement).freeze()()


def verified(client: Client, username: str = "ada") -> Client:
    """The client, signed in as a person whose address is verified."""
    client.signed_in(username)
    change_user(client, username, email_verified_at=now())
    return client


class App:
    """An authenticator app on a phone: it takes in a secret once and shows codes."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self._totp = pyotp.TOTP(secret)

    @classmethod
    def enrolled(cls, client: Client, name: str = "Phone") -> Self:
        """An app that the client's person has enrolled and confirmed; `recovery_codes` came with it."""
        app = cls(client.post("/auth/mfa/totp/enroll", {"name": name}).json["secret"])
        answer = client.post("/auth/mfa/totp/confirm", {"code": app.code()})
        assert answer.status == 200, answer.text
        app.recovery_codes = answer.json["recovery_codes"]
        return app

    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        """The code of now, or of so many steps later."""
        return self._totp.at(time.time(), counter_offset=steps)


def begin(client: Client, username: str = "ada") -> str:
    """The `mfa_token` of a sign-in whose password was right."""
    answer = client.login(username)
    assert answer.code == "mfa_required", answer.text
    return answer.json["mfa_token"]


def verify(client: Client, mfa_token: str, code: str, method: str = "totp", **more: Any) -> Answer:
    """Give the second factor of a sign-in."""
    return client.post("/auth/mfa/verify", {"mfa_token": mfa_token, "method": method, "code": code, **more})


def renew(client: Client, **proofs: Any) -> Client:
    """Prove oneself again: by the password unless other proofs are given."""
    answer = client.post("/auth/reauthenticate", proofs or {"password": PASSWORD})
    assert answer.status == 200, answer.text
    return client


def _app(client: Client) -> Any:
    assert isinstance(client.wire, InProcess)
    return client.wire.app
