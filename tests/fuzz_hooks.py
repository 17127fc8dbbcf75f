"""For Schemathesis: the person in whose name the generated requests are sent."""

import secrets
from typing import Any

import requests
import schemathesis

PASSWORD = "Tulip-Anvil-Crater-59"


@schemathesis.auth(refresh_interval=None, cache_by_key=lambda _case, _context: secrets.token_hex(8))
class Person:
    """Signs in, and again whenever the tokens of last time have stopped working."""

    tokens: dict[str, str] | None = None

    def get(self, case: Any, _context: Any) -> dict[str, str]:
        """The tokens of somebody who is signed in now."""
        url = case.operation.base_url
        if Person.tokens is None or not _works(url, Person.tokens):
            Person.tokens = _sign_in(url)
        return Person.tokens

    def set(self, case: Any, data: dict[str, str], _context: Any) -> None:
        """Put the token that the route asks for into the request."""
        wanted = "refresh_token" if case.operation.path == "/auth/refresh" else "access_token"
        case.headers["Authorization"] = f"Bearer {data[wanted]}"


@schemathesis.deserializer("text/html")
def text(_context: Any, response: Any) -> str:
    """A body that is no JSON is a text to the document."""
    body: str = response.text
    return body


def _works(url: str, tokens: dict[str, str]) -> bool:
    answer = requests.get(f"{url}/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=20)
    return answer.status_code == 200


def _sign_in(url: str) -> dict[str, str]:
    name = f"fuzz{secrets.token_hex(5)}"
    person = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
    requests.post(f"{url}/auth/register", json=person, timeout=20).raise_for_status()
    login = requests.post(f"{url}/auth/login", json={"identifier": name, "password": PASSWORD}, timeout=20)
    login.raise_for_status()
    tokens: dict[str, str] = login.json()
    return tokens
