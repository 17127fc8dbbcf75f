"""Clients of the service: one carries Bearer tokens, one lives on cookies; in this process or over the network."""

import json as jsonlib
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from http.cookiejar import CookieJar as HttpCookieJar
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar, Protocol, Self

import httpx
from flask import Flask
from werkzeug.datastructures import Headers

from tests.support.cookies import CookieJar

PASSWORD = "Tulip-Anvil-Crater-59"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
NOTHING = object()


@dataclass(frozen=True)
class Answer:
    """An answer, the same whether it came over the network or not."""

    status: int
    headers: Headers
    data: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.data.decode()

    @cached_property
    def json(self) -> Any:
        """The body as JSON."""
        return jsonlib.loads(self.data)

    @property
    def code(self) -> str | None:
        """The stable code of a problem; None when the answer is none."""
        return self.json.get("code") if "problem+json" in self.headers.get("Content-Type", "") else None

    @property
    def message(self) -> str:
        """The sentence for people."""
        return self.json["message"]

    @property
    def set_cookies(self) -> dict[str, str]:
        """The `Set-Cookie` lines by the name of the cookie."""
        return {line.partition("=")[0]: line for line in self.headers.getlist("Set-Cookie")}


class Wire(Protocol):
    """How a request reaches the service."""

    url: str

    def send(self, method: str, path: str, headers: dict[str, str], data: bytes | None, address: str) -> Answer:
        """Send one request and return the answer, whatever its status."""


class InProcess:
    """Straight into the application; `url` is what it believes to be its own address."""

    def __init__(self, app: Flask, url: str) -> None:
        self.app = app
        self.url = url

    def send(self, method: str, path: str, headers: dict[str, str], data: bytes | None, address: str) -> Answer:
        """Send one request from the given address."""
        response = self.app.test_client(use_cookies=False).open(
            path,
            method=method,
            headers=headers,
            data=data,
            base_url=self.url,
            environ_overrides={"REMOTE_ADDR": address},
        )
        return Answer(response.status_code, response.headers, response.data)


class Network:
    """Over TCP to a running server, on connections that are kept open and shared by the clients of that server."""

    def __init__(self, url: str) -> None:
        self.url = url
        # The clients keep their cookies themselves: these connections are shared between them.
        no_cookies = HttpCookieJar(DefaultCookiePolicy(allowed_domains=()))
        many = httpx.Limits(max_connections=None)
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30, limits=many, cookies=no_cookies)

    def send(self, method: str, path: str, headers: dict[str, str], data: bytes | None, address: str) -> Answer:
        """Send one request; the address cannot be chosen here."""
        response = self._http.request(method, path, headers=headers, content=data)
        return Answer(response.status_code, Headers(response.headers.multi_items()), response.content)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


class Client:
    """What both kinds of client do. A header given as None is not sent, one given as text replaces the client's own."""

    kind: ClassVar[str]

    def __init__(self, wire: Wire, address: str = "127.0.0.1") -> None:
        self.wire = wire
        self.address = address
        self.session_id: str | None = None

    def request(
        self,
        method: str,
        path: str,
        json: Any = NOTHING,
        *,
        data: bytes | None = None,
        headers: dict[str, str | None] | None = None,
    ) -> Answer:
        """Send one request with the client's credentials, and remember the tokens or cookies of the answer."""
        sent: dict[str, str | None] = {"User-Agent": "tests", **self._credentials(method, path)}
        if json is not NOTHING:
            data = jsonlib.dumps(json).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        present = {name: value for name, value in sent.items() if value is not None}
        answer = self.wire.send(method, path, present, data, self.address)
        self._remember(answer)
        return answer

    def get(self, path: str, **options: Any) -> Answer:
        """GET a path."""
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = NOTHING, **options: Any) -> Answer:
        """POST to a path; without `json` and `data` there is no body."""
        return self.request("POST", path, json, **options)

    def patch(self, path: str, json: Any = NOTHING, **options: Any) -> Answer:
        """PATCH a path."""
        return self.request("PATCH", path, json, **options)

    def delete(self, path: str, json: Any = NOTHING, **options: Any) -> Answer:
        """DELETE a path."""
        return self.request("DELETE", path, json, **options)

    def register(self, username: str = "ada", email: str | None = None, password: str = PASSWORD) -> Answer:
        """Register; the address is made from the name when none is given."""
        email = f"{username}@example.org" if email is None else email
        return self.post("/auth/register", {"username": username, "email": email, "password": password})

    def login(self, identifier: str = "ada", password: str = PASSWORD) -> Answer:
        """Sign in."""
        return self.post("/auth/login", {"identifier": identifier, "password": password})

    def signed_in(self, username: str = "ada") -> Self:
        """Register a person and sign in, both with success; returns the client itself."""
        for answer in (self.register(username), self.login(username)):
            assert answer.status in (200, 201), answer.text
        return self

    def refresh(self) -> Answer:
        """Rotate the refresh token."""
        return self.post("/auth/refresh", headers=self._refresh_credentials())

    def logout(self) -> Answer:
        """End the session."""
        return self.post("/auth/logout")

    def copy(self) -> Self:
        """The same tokens or cookies in a client of its own: for parallel calls, or to keep what a thief would have."""
        return copy(self)

    def another(self) -> Self:
        """A client of the same kind that has signed in nowhere yet: another device, another person."""
        return type(self)(self.wire, self.address)

    def _credentials(self, method: str, path: str) -> dict[str, str | None]:
        raise NotImplementedError

    def _refresh_credentials(self) -> dict[str, str | None]:
        raise NotImplementedError

    def _remember(self, answer: Answer) -> None:
        body = answer.json if answer.headers.get("Content-Type") == "application/json" and answer.data else None
        if isinstance(body, dict) and "session_id" in body:
            self.session_id = body["session_id"]


class BearerClient(Client):
    """Keeps the tokens of the last answer and sends the access token in the Authorization header (RFC 6750).

    The token of its device goes along, as an app would send it.
    """

    kind = "bearer"

    def __init__(self, wire: Wire, address: str = "127.0.0.1") -> None:
        super().__init__(wire, address)
        self.access_token: str | None = None
        self.refresh_token: str | None = None
        self.device_token: str | None = None

    def _credentials(self, method: str, path: str) -> dict[str, str | None]:
        bearer = f"Bearer {self.access_token}" if self.access_token else None
        return {"Authorization": bearer, "X-Device-Token": self.device_token}

    def _refresh_credentials(self) -> dict[str, str | None]:
        return {"Authorization": f"Bearer {self.refresh_token}" if self.refresh_token else None}

    def _remember(self, answer: Answer) -> None:
        super()._remember(answer)
        plain = answer.data and answer.headers.get("Content-Type") == "application/json"
        if plain and "access_token" in answer.json:
            self.access_token = answer.json["access_token"]
            self.refresh_token = answer.json["refresh_token"]
            self.device_token = answer.headers.get("X-Device-Token", self.device_token)


class CookieClient(Client):
    """Behaves as a page in a browser: cookies, the CSRF header and the origin come by themselves."""

    kind = "cookie"

    def __init__(self, wire: Wire, address: str = "127.0.0.1") -> None:
        super().__init__(wire, address)
        self.cookies = CookieJar()

    @property
    def access_token(self) -> str | None:
        """The access token in its cookie."""
        return self.cookies.get("access_token")

    @access_token.setter
    def access_token(self, value: str) -> None:
        self.cookies.set("access_token", value)

    @property
    def refresh_token(self) -> str | None:
        """The refresh token in its cookie."""
        return self.cookies.get("refresh_token")

    @refresh_token.setter
    def refresh_token(self, value: str) -> None:
        self.cookies.set("refresh_token", value)

    def copy(self) -> Self:
        """The same cookies in a client of its own."""
        twin = super().copy()
        twin.cookies = self.cookies.copy()
        return twin

    def _credentials(self, method: str, path: str) -> dict[str, str | None]:
        sent = {"X-Auth-Transport": "cookie", "Cookie": self.cookies.header(path.partition("?")[0]) or None}
        if method in SAFE_METHODS:
            return sent
        own = {"Origin": self.wire.url, "Sec-Fetch-Site": "same-origin"}
        return {**sent, **own, "X-CSRF-Token": self.cookies.get("csrf_token")}

    def _refresh_credentials(self) -> dict[str, str | None]:
        return {}

    def _remember(self, answer: Answer) -> None:
        super()._remember(answer)
        self.cookies.read(answer.headers.getlist("Set-Cookie"), self.wire.url)


KINDS: dict[str, type[Client]] = {"bearer": BearerClient, "cookie": CookieClient}
