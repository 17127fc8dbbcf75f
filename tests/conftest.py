"""The fixtures. A test needs no boilerplate: it names what it wants and speaks HTTP.

    def test_a_refresh_token_works_once(make_client):
        client = make_client(REFRESH_GRACE_SECONDS=0).signed_in("ada")
        thief = client.copy()
        assert client.refresh().status == 200
        answer = thief.refresh()
        assert (answer.status, answer.code) == (401, "token_reused")
        assert client.get("/auth/protected").code == "token_revoked"

This runs four times: as a Bearer client and as a cookie client, on SQLite and on PostgreSQL (`-k "cookie and sqlite"`
picks). Before each test the database is empty and the application has forgotten everything.

in this process
    client          a client of the default application; see tests/support/clients.py: register, login, signed_in, get,
                    post, patch, delete, refresh, logout, copy, another, access_token, refresh_token, session_id.
                    `PASSWORD` is everyone's password. Answers have status, json, code, message, text, headers,
                    set_cookies. `client.address` is the address it comes from.
    make_client     make_client(**settings): the same kind of client of an application with other settings
    bearer, cookie  the same, of one kind only: for what concerns that kind
    app, make_app   the Flask application itself; settings are those of config.py, in upper case
    database        the database of the test: `kind` and `url`
    mailbox         the letters of the default application: mailbox.last().token, .code, .text; Mailbox(client.wire.app)
                    of another. The background worker does not run by itself in tests: reading takes its turn.
    clock           clock.shift(seconds) moves time forward
    statements      `with statements() as seen:` the SQL that ran meanwhile, BEGIN and COMMIT left out
    entered         `with entered() as ours:` our functions and files that were entered: ours.functions, ours.files
    race            race(50, lambda number: client.copy().refresh()): all at one moment, the results in order

real processes (each ends with the test, its log is shown when the test fails)
    service         the service as in production, with two workers, shared by the tests of a worker: its database is NOT
                    emptied, so take names from `fresh_name()`; service.client(client_kind), service.url
    live_server     live_server(**settings): a service of its own: stop, kill, restart, log, database
    postgres_server, redis_server, smtp_server
                    postgres_server() and so on: a server of its own: url, stop, start, pause, resume, kill;
                    smtp_server().letters, and seconds, refusal, hang_up to make it behave badly

One database or one kind of client only:
    @pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)

Nothing reaches any other machine, warnings are errors, the order is random, `@pytest.mark.asvs("6.2.8")` names the
requirement that a test proves.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask

from tests.support import application, observers, races
from tests.support.clients import KINDS as CLIENT_KINDS
from tests.support.clients import BearerClient, Client, CookieClient, InProcess
from tests.support.databases import KINDS as DATABASE_KINDS
from tests.support.databases import Database, Databases
from tests.support.mailbox import Mailbox
from tests.support.network import refuse_all_but_loopback
from tests.support.postgresql import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.run import OwnedRun, Run
from tests.support.service import Service
from tests.support.smtp_server import SmtpServer

RUN = pytest.StashKey[Run]()
PROGRAMS = pytest.StashKey[list[Any]]()
SHOWN_OF_A_LOG = 20_000

Entered = Callable[[], AbstractContextManager[observers.Entered]]
Statements = Callable[[], AbstractContextManager[list[str]]]


def pytest_configure(config: pytest.Config) -> None:
    """The controller makes the run's folder; the workers are told where it is."""
    given = getattr(config, "workerinput", None)
    config.stash[RUN] = Run(Path(given["run_folder"]), given["workerid"]) if given else OwnedRun("main")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a parallel worker where the run's folder is."""
    node.workerinput["run_folder"] = str(node.config.stash[RUN].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End every program of the run, and its folder."""
    run = config.stash.get(RUN, None)
    if isinstance(run, OwnedRun):
        run.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show what the servers of a failed test have written."""
    report = yield
    if report.failed:
        for program in item.stash.get(PROGRAMS, []):
            report.sections.append((f"log of {type(program).__name__}", program.program.log[-SHOWN_OF_A_LOG:]))
    return report


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        refuse_all_but_loopback(patch)
        yield


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    """The test run: its folder, names, and what is done once in it."""
    return pytestconfig.stash[RUN]


@pytest.fixture(scope="session")
def databases(run: Run) -> Iterator[Databases]:
    """Makes further databases: `databases.new(kind)` migrated, `databases.blank_url(kind)` without any table."""
    made = Databases(run, lambda url: application.migrate(url, run.new_folder("instance")))
    yield made
    made.close()


class _Kept:
    """What a worker keeps from test to test, made when first asked for, one for each kind of database."""

    def __init__(self, databases: Databases, run: Run) -> None:
        self._databases = databases
        self._run = run
        self._ends = ExitStack()
        self._made: dict[str, Any] = {}

    def database(self, kind: str) -> Database:
        return self._keep(f"database-{kind}", lambda: self._databases.new(kind), lambda _: None)

    def app(self, kind: str) -> Flask:
        def make() -> Flask:
            return application.new(self.database(kind), self._run.new_folder("instance"))

        return self._keep(f"app-{kind}", make, application.close)

    def service(self, kind: str) -> Service:
        return self._keep(f"service-{kind}", lambda: Service(self._run, self._databases.new(kind), {}), Service.close)

    def close(self) -> None:
        self._ends.close()

    def _keep(self, name: str, make: Callable[[], Any], end: Callable[[Any], Any]) -> Any:
        if name not in self._made:
            self._made[name] = make()
            self._ends.callback(end, self._made[name])
        return self._made[name]


@pytest.fixture(scope="session")
def _kept(databases: Databases, run: Run) -> Iterator[_Kept]:
    kept = _Kept(databases, run)
    yield kept
    kept.close()


@pytest.fixture(params=DATABASE_KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """`sqlite` and `postgresql`: every test that touches a database runs on both."""
    return request.param


@pytest.fixture(params=CLIENT_KINDS)
def client_kind(request: pytest.FixtureRequest) -> str:
    """`bearer` and `cookie`: every test with a client runs as both."""
    return request.param


@pytest.fixture
def database(database_kind: str, _kept: _Kept) -> Database:
    """The worker's database, empty."""
    kept = _kept.database(database_kind)
    kept.empty()
    return kept


@pytest.fixture
def app(database: Database, _kept: _Kept) -> Flask:
    """The application with the tests' settings, as if just started on an empty database."""
    kept = _kept.app(database.kind)
    application.reset(kept)
    return kept


@pytest.fixture
def make_app(database: Database, run: Run) -> Iterator[Callable[..., Flask]]:
    """An application with other settings on the test's database."""
    with ExitStack() as ends:

        def make(**settings: Any) -> Flask:
            made = application.new(database, run.new_folder("instance"), **settings)
            ends.callback(application.close, made)
            return made

        yield make


@pytest.fixture
def client(app: Flask, client_kind: str) -> Client:
    """A client that nobody has signed in with yet."""
    return CLIENT_KINDS[client_kind](_wire(app))


@pytest.fixture
def make_client(make_app: Callable[..., Flask], client_kind: str) -> Callable[..., Client]:
    """A client of an application with other settings, on the test's database."""
    return lambda **settings: CLIENT_KINDS[client_kind](_wire(make_app(**settings)))


@pytest.fixture
def bearer(app: Flask) -> BearerClient:
    """A Bearer client, where the kind matters."""
    return BearerClient(_wire(app))


@pytest.fixture
def cookie(app: Flask) -> CookieClient:
    """A cookie client, where the kind matters."""
    return CookieClient(_wire(app))


def _wire(app: Flask) -> InProcess:
    return InProcess(app, app.extensions["gatehouse.settings"].public_url)


@pytest.fixture
def service(request: pytest.FixtureRequest, database_kind: str, _kept: _Kept) -> Service:
    """The service as in production, shared by the tests of this worker; its database is not emptied."""
    kept = _kept.service(database_kind)
    request.node.stash.setdefault(PROGRAMS, []).append(kept)
    return kept


@pytest.fixture
def live_server(
    request: pytest.FixtureRequest, database_kind: str, databases: Databases, run: Run
) -> Iterator[Callable[..., Service]]:
    """A running service of its own, on a database of its own unless one is given."""
    with ExitStack() as ends:

        def start(database: Database | None = None, **settings: Any) -> Service:
            started = Service(run, database or databases.new(database_kind), settings)
            request.node.stash.setdefault(PROGRAMS, []).append(started)
            ends.callback(started.close)
            return started

        yield start


@pytest.fixture
def postgres_server(request: pytest.FixtureRequest, run: Run) -> Iterator[Callable[[], PostgresServer]]:
    """A PostgreSQL server of its own, for tests that stop or pause it."""
    yield from _servers(request, lambda: PostgresServer(run))


@pytest.fixture
def redis_server(request: pytest.FixtureRequest, run: Run) -> Iterator[Callable[[], RedisServer]]:
    """A Redis server of its own."""
    yield from _servers(request, lambda: RedisServer(run))


@pytest.fixture
def smtp_server() -> Iterator[Callable[..., SmtpServer]]:
    """An SMTP server of its own, with what it is given."""
    with ExitStack() as ends:

        def start(**options: Any) -> SmtpServer:
            started = SmtpServer(**options)
            ends.callback(started.stop)
            return started

        yield start


def _servers(request: pytest.FixtureRequest, make: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    with ExitStack() as ends:

        def start() -> Any:
            started = make()
            request.node.stash.setdefault(PROGRAMS, []).append(started)
            ends.callback(started.stop)
            return started

        yield start


@pytest.fixture
def mailbox(app: Flask) -> Mailbox:
    """What has arrived in people's mailboxes."""
    return Mailbox(app)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Time that runs on and can be moved: `clock.shift(901)`."""
    with time_machine.travel(datetime.now(UTC)) as traveller:
        yield traveller


@pytest.fixture
def statements() -> Statements:
    """Counts what is sent to the database."""
    return observers.observe_statements


@pytest.fixture
def entered() -> Entered:
    """Counts the functions and files of ours that a call enters."""
    return observers.observe_entered


@pytest.fixture
def race() -> Callable[..., list[Any]]:
    """Many callers at the same moment."""
    return races.race


@pytest.fixture(scope="session")
def fresh_name(run: Run) -> Callable[[], str]:
    """Names that no other test of the run takes."""
    numbers = count(1)
    return lambda: f"user-{run.worker}-{next(numbers)}"
