"""The services compared: how each is started, and what its requests look like."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

from bench import envs
from bench.load import Answer, Chain, Connection, Cycle, request
from bench.servers import Server, Servers, free_port
from config import Settings

ROOT = Path(__file__).resolve().parent.parent
SECRET = "kL9vQ2xTz7RbN4mWc8HsJd3FgYp6AeUo5iKqXtVn"
PASSWORD = "Brindled-Otter-83-Quay"
WRONG = "Brindled-Otter-84-Quay"


@dataclass(frozen=True)
class Session:
    """What a sign-in gave: two tokens, or a cookie in place of the first."""

    access: str
    refresh: str = ""


@dataclass(frozen=True)
class Competitor:
    """One service under measurement; a route that it does not have is left empty."""

    name: str
    title: str
    command: Callable[[int], list[str]]
    protected: str = "/auth/protected"
    me: str = "/auth/me"
    register: str = "/auth/register"
    login: str = "/auth/login"
    refresh: str = "/auth/refresh"
    refresh_field: str = ""  # The body's field for the refresh token; empty: it goes as a Bearer token.
    names: tuple[str, str] = ("access_token", "refresh_token")  # How the answer calls the two tokens.
    register_fields: tuple[str, ...] = ("username", "email", "password")
    identifier: tuple[str, str] = ("identifier", "username")  # The field of the login, and what goes into it.
    form: bool = False  # Login takes a form (RFC 6749, 4.3) instead of JSON.
    cookie: str = ""  # The cookie that carries the session instead of a Bearer token.
    scheme: str = "sqlite"
    environ: dict[str, str] = field(default_factory=dict)
    ready: str = "/auth/protected"
    folder: Path = ROOT

    def start(self, house: Servers, on: set[int], **environ: str) -> Server:
        """Run it on a new database, pinned to the cores `on`; `environ` overrides its settings."""
        port = free_port()
        database = house.folder / f"{self.name}-{port}.db"
        given = {
            "PORT": str(port),
            "SECRET_KEY": SECRET,
            "DATABASE_URL": f"{self.scheme}:///{database}",
            "DATABASE_PATH": str(database),
            "INSTANCE_PATH": str(database.with_suffix(".instance")),
        }
        settings = {**given, **self.environ, **environ}
        return house.start(self.command(port), settings, port, self.ready, on, self.folder)

    def registration(self, number: int) -> bytes:
        """The request that registers person `number`."""
        person = {**person_of(number), "password": PASSWORD}
        return request("POST", self.register, body={name: person[name] for name in self.register_fields})

    def sign_in(self, person: dict[str, str], password: str = PASSWORD) -> bytes:
        """The login of one person."""
        fields = {self.identifier[0]: person[self.identifier[1]], "password": password}
        return request("POST", self.login, body=urlencode(fields) if self.form else fields)

    def session(self, port: int, person: dict[str, str]) -> Session:
        """Log in and read the tokens out of the answer."""
        status, head, body = ask(port, self.sign_in(person))
        if status != 200:
            raise SystemExit(f"{self.title}: login answered {status} {body[:300]!r}")
        if self.cookie:
            found = re.search(rf"(?i:set-cookie): ({re.escape(self.cookie)}=[^;\r]*)", head.decode())
            return Session(found[1] if found else "")
        answer = json.loads(body)
        return Session(answer[self.names[0]], answer.get(self.names[1], ""))

    def reading(self, path: str, session: Session) -> bytes:
        """A GET of `path` in the name of a session."""
        header = {"Cookie": session.access} if self.cookie else {"Authorization": f"Bearer {session.access}"}
        return request("GET", path, header)

    def repeat(self, path: str, session: Session) -> Cycle:
        """The same GET again and again."""
        return Cycle([self.reading(path, session)])

    def refreshing(self, session: Session) -> Chain:
        """Refreshes, each with the token that the one before gave."""
        return Chain(self.refresh, self.refresh_field, session.refresh, self.names[1])


def person_of(number: int) -> dict[str, str]:
    """The names of person `number`."""
    name = f"person{number}"
    return {"username": name, "name": name, "email": f"{name}@example.com"}


def ask(port: int, sent: bytes) -> Answer:
    """The answer to one request on a connection of its own."""
    connection = Connection(port, Cycle([sent]))
    with connection.socket:
        connection.socket.sendall(sent)
        while (answer := connection.received()) is None:
            pass
    return answer


def gunicorn(name: str) -> Callable[[int], list[str]]:
    """gunicorn with threads: one worker, eight threads, as its documentation begins."""
    options = ["--workers", "1", "--threads", "8", "--worker-class", "gthread", "--log-level", "warning"]
    return lambda port: [str(envs.python(name)), "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", "app:app"]


def uvicorn(port: int) -> list[str]:
    options = ["--no-access-log", "--log-level", "warning"]
    return [str(envs.python("fastapi_users")), "-m", "uvicorn", *options, "--port", str(port), "app:app"]


def node(name: str) -> Callable[[int], list[str]]:
    return lambda port: ["node", str(envs.node(name))]


def granian(workers: int) -> Callable[[int], list[str]]:
    """The empty route on the server, and with the settings, that the service itself runs with."""
    threads = str(Settings.model_fields["threads"].default)
    options = [
        "--interface",
        "wsgi",
        "--workers",
        str(workers),
        "--backlog",
        "1024",
        "--no-ws",
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    started = [sys.executable, "-m", "granian", *options, "--blocking-threads", threads]
    return lambda port: [*started, "--port", str(port), "app:app"]


GATEHOUSE = Competitor(
    "gatehouse",
    "Gatehouse",
    lambda port: [sys.executable, "app.py"],
    environ={
        "HOST": "127.0.0.1",
        "ACCESS_TOKEN_SECONDS": "86400",
        "WORKERS": "1",
        "RATE_LIMITS": "off",
        "BCRYPT_ROUNDS": "12",
        "LOG_LEVEL": "warning",
        "MALLOC_ARENA_MAX": "1",  # As `make run` and the image have it.
    },
    ready="/readyz",
)
EMPTY = Competitor(
    "empty",
    "empty Flask route, same server",
    granian(workers=1),
    protected="/empty",
    me="",
    register="",
    login="",
    refresh="",
    ready="/empty",
    folder=envs.PEERS / "empty",
)
EMPTY_TWICE = replace(EMPTY, command=granian(workers=2))
NAIVE = Competitor("naive", "the card, the obvious way", gunicorn("naive"), folder=envs.PEERS / "naive")
NAIVE_WAL = replace(NAIVE, title="the same with WAL", environ={"JOURNAL": "wal"})
FASTAPI_USERS = Competitor(
    "fastapi_users",
    "fastapi-users",
    uvicorn,
    me="/users/me",
    refresh="",
    register_fields=("email", "password"),
    identifier=("username", "email"),
    form=True,
    scheme="sqlite+aiosqlite",
    folder=envs.PEERS / "fastapi_users",
)
SIMPLEJWT = Competitor(
    "simplejwt",
    "Django, simplejwt",
    gunicorn("simplejwt"),
    refresh_field="refresh",
    names=("access", "refresh"),
    identifier=("username", "username"),
    folder=envs.PEERS / "simplejwt",
)
NODE = Competitor("node", "Express, jose", node("node"), refresh_field="refresh_token", folder=envs.PEERS / "node")
BETTER_AUTH = Competitor(
    "better_auth",
    "better-auth",
    node("better_auth"),
    protected="/api/auth/get-session",
    me="/api/auth/get-session",
    register="/api/auth/sign-up/email",
    login="/api/auth/sign-in/email",
    refresh="",
    register_fields=("name", "email", "password"),
    identifier=("email", "email"),
    cookie="better-auth.session_token",
    ready="/api/auth/ok",
    folder=envs.PEERS / "better_auth",
)
PEERS = (EMPTY, NAIVE, NAIVE_WAL, FASTAPI_USERS, SIMPLEJWT, NODE, BETTER_AUTH)
