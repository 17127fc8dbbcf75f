"""What the service does while a store is away, and that nothing it has acknowledged is ever lost."""

import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import httpx
import psycopg
import pytest

from auth import patience
from tests.support import application
from tests.support.marks import one_client, one_database
from tests.support.processes import wait_until

only_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
only_sqlite = one_database

FAULTS = {"stopped": ("stop", "start"), "killed": ("kill", "start"), "paused": ("pause", "resume")}


@pytest.fixture
def store(postgres_server):
    """A PostgreSQL server of its own."""
    return postgres_server()


@pytest.fixture
def standing(store, live_server, run):
    """The service on that server."""
    application.migrate(store.url(), run.new_folder("instance"))
    return live_server(SimpleNamespace(kind="postgresql", url=store.url()))


def login(client):
    return client.another().login("ada")


NEEDS_THE_STORE = {
    "protected": lambda client: client.get("/auth/protected"),
    "verify": lambda client: client.get("/auth/verify"),
    "me": lambda client: client.get("/auth/me"),
    "login": login,
    "register": lambda client: client.another().register("bob"),
    "refresh": lambda client: client.copy().refresh(),
    "logout": lambda client: client.copy().logout(),
    "ready": lambda client: client.get("/readyz"),
}


@only_postgresql
@pytest.mark.asvs("13.2.6", "16.5.2", "16.5.3")
@pytest.mark.parametrize("fault", FAULTS)
def test_while_the_database_is_away_the_answer_is_503_and_afterwards_all_is_well(standing, store, fault):
    client = standing.client().signed_in("ada")
    go, come_back = FAULTS[fault]
    getattr(store, go)()
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda number: ask(client, number), range(40)))
    assert {(answer.status, answer.code) for answer in answers} == {(503, "unavailable")}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers)
    assert client.get("/healthz").status == 200
    assert client.get("/.well-known/jwks.json").status == 200
    getattr(store, come_back)()
    wait_until(lambda: login(client).status == 200, "people sign in again")
    wait_until(lambda: client.get("/auth/protected").status == 200, "tokens are verified again")


def ask(client, number):
    names = list(NEEDS_THE_STORE)
    return NEEDS_THE_STORE[names[number % len(names)]](client)


@only_postgresql
@pytest.mark.asvs("16.3.4")
def test_that_the_database_is_away_and_back_is_one_line_each(standing, store):
    client = standing.client().signed_in("ada")
    store.stop()
    for _ in range(10):
        assert client.get("/auth/me").status == 503
    store.start()
    wait_until(lambda: client.get("/auth/me").status == 200, "it is back")
    # Two workers, each of which tells it once.
    assert 1 <= standing.log.count("a store is away") <= 2


@only_postgresql
def test_a_restart_of_the_database_that_nobody_noticed_fails_no_request(store, live_server, run):
    application.migrate(store.url(), run.new_folder("instance"))
    server = live_server(SimpleNamespace(kind="postgresql", url=store.url()), MAIL_WORKER="off")
    client = server.client().signed_in("ada")
    assert [client.get("/auth/me").status for _ in range(20)] == [200] * 20
    store.stop()
    store.start()
    # A connection that was used a moment ago is taken as alive; every other one is asked first.
    time.sleep(patience.IDLE_SECONDS)
    calls = [NEEDS_THE_STORE[name] for name in ("login", "protected", "verify", "me", "ready")] * 3
    assert {call(client).status for call in calls} == {200, 204}


@only_sqlite
@one_client
@pytest.mark.asvs("13.2.6")
def test_a_database_file_that_somebody_locks_is_503_for_writers_and_read_all_the_same(client, database):
    client.signed_in("ada")
    with sqlite3.connect(database.file, isolation_level=None) as locker:
        locker.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(lambda _: login(client), range(20)))
        assert {(answer.status, answer.code) for answer in answers} == {(503, "unavailable")}
        assert client.get("/auth/me").status == 200
        locker.execute("ROLLBACK")
    locker.close()
    wait_until(lambda: login(client).status == 200, "people sign in again")


@only_postgresql
@one_client
@pytest.mark.asvs("13.2.6")
def test_a_statement_that_waits_too_long_for_a_lock_is_503(client, database):
    client.signed_in("ada")
    with psycopg.connect(database.url) as locker:
        locker.execute("LOCK TABLE sessions")
        assert login(client).status == 503
    assert login(client).status == 200


@only_sqlite
@pytest.mark.asvs("15.4.3")
def test_64_writers_at_once_all_write(live_server):
    server = live_server()

    def work(number):
        client = server.client()
        return [
            client.register(f"writer-{number}").status,
            client.login(f"writer-{number}").status,
            *(client.refresh().status for _ in range(5)),
            client.logout().status,
        ]

    with ThreadPoolExecutor(64) as threads:
        statuses = Counter(status for each in threads.map(work, range(64)) for status in each)
    assert statuses == {201: 64, 200: 64 * 7}
    assert "locked" not in server.log


class Crowd:
    """People who register, sign in, rotate and sign out as fast as they can, and note what they were told."""

    def __init__(self, server, fresh_name):
        self.server, self.fresh_name = server, fresh_name
        self.registered, self.signed_out, self.rotated = [], [], []
        self.over = threading.Event()
        self.people = [threading.Thread(target=self._live) for _ in range(8)]

    def __enter__(self):
        for person in self.people:
            person.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for person in self.people:
            person.join()

    def _live(self):
        with suppress(httpx.TransportError):
            while not self.over.is_set():
                self._live_once(self.fresh_name(), self.server.client())

    def _live_once(self, name, client):
        if client.register(name).status != 201:
            return
        self.registered.append(name)
        if client.login(name).status == 200 and client.refresh().status == 200:
            self.rotated.append(client)
            leaving = self.server.client()
            if leaving.login(name).status == 200 and leaving.logout().status == 200:
                self.signed_out.append(leaving)

    def has_lived(self):
        return len(self.registered) > 20 and len(self.signed_out) > 5


@pytest.mark.asvs("2.3.3")
def test_a_service_killed_while_it_writes_loses_nothing_it_acknowledged(live_server, fresh_name):
    server = live_server(REFRESH_GRACE_SECONDS=300)
    with Crowd(server, fresh_name) as crowd:
        wait_until(crowd.has_lived, "people come and go")
        server.kill()
    server.start()
    check_kept(crowd)
    check_nothing_is_half_done(server.database)


@only_postgresql
@pytest.mark.asvs("2.3.3")
def test_a_database_killed_while_it_writes_loses_nothing_that_was_acknowledged(standing, store, fresh_name):
    with Crowd(standing, fresh_name) as crowd:
        wait_until(crowd.has_lived, "people come and go")
        store.kill()
        crowd.over.set()
    store.start()
    wait_until(standing.ready, "the service is ready")
    check_kept(crowd)
    check_nothing_is_half_done(standing.database)


def check_kept(crowd):
    """Every acknowledged registration, rotation and logout holds."""
    client = crowd.server.client()
    with ThreadPoolExecutor(8) as threads:
        logins = threads.map(lambda name: served(client.another().login, name), crowd.registered)
        assert {answer.status for answer in logins} == {200}
        refreshed = threads.map(lambda each: served(each.refresh), crowd.rotated)
        assert {answer.status for answer in refreshed} == {200}
        refused = threads.map(lambda each: served(each.get, "/auth/protected"), crowd.signed_out)
        assert {answer.code for answer in refused} == {"token_revoked"}


def served(call, *arguments):
    """The answer, once this worker too has found out that the database is back."""
    answers = iter(lambda: call(*arguments), None)
    return wait_until(lambda: (answer := next(answers)).status != 503 and answer, "the answer is not 503")


def check_nothing_is_half_done(database):
    """Each account has the event of its registration, each session that of its sign-in, and the reverse."""
    accounts, sessions, events = (
        rows(database, "SELECT id FROM users ORDER BY id"),
        rows(database, "SELECT id FROM sessions ORDER BY id"),
        rows(database, "SELECT name, user_id, session_id FROM audit_events"),
    )
    assert sorted((user,) for name, user, _ in events if name == "account.registered") == accounts
    assert sorted((session,) for name, _, session in events if name == "login.succeeded") == sorted(sessions)


def rows(database, query):
    if database.kind == "sqlite":
        connection = sqlite3.connect(database.file)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()
    with psycopg.connect(database.url) as connection:
        return connection.execute(query).fetchall()
