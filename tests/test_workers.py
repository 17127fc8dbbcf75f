"""The production server with two workers: what one of them does the others know, and nothing is cut off."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from auth import keys
from tests.support import application
from tests.support.clients import PASSWORD, BearerClient, InProcess
from tests.support.forging import header_of
from tests.support.marks import one_database
from tests.support.postgresql import execute
from tests.support.processes import clean_environment, wait_until
from tests.support.races import served
from tests.support.run import ROOT

CONNECTIONS = 12
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'gatehouse'"
)


def workers_of(service):
    """The processes that hold an open connection of the service's port, by their id."""
    found = {}
    for process in service.program.family():
        for one in process.net_connections("tcp"):
            if one.laddr.port == service.port and one.status == psutil.CONN_ESTABLISHED:
                found[process.pid] = process
    return found


@pytest.fixture
def lines():
    """Opens connections to a service that are kept open, until both of its workers have one."""
    opened = []

    def open_to(service):
        def both_are_reached():
            opened.append(httpx.Client(base_url=service.url, trust_env=False, timeout=30))
            opened[-1].get("/healthz")
            return len(opened) >= CONNECTIONS and len(workers_of(service)) == 2

        wait_until(both_are_reached, "both workers have a connection")
        return opened

    yield open_to
    for line in opened:
        line.close()


def statuses(lines, token, race):
    """What each line's next request with this token is answered, all asked at the same moment."""
    headers = {"Authorization": f"Bearer {token}"}
    return set(race(len(lines), lambda number: lines[number].get("/auth/protected", headers=headers).status_code))


def await_entry(lines, token, race):
    """Wait until every worker has let this token in: a machine that is too busy answers 503 first."""
    wait_until(lambda: statuses(lines, token, race) == {200}, "the token opens the door on every worker")


@pytest.mark.asvs("7.4.1")
def test_a_logout_holds_on_the_next_request_on_every_worker(service, lines, fresh_name, race):
    client = service.client().signed_in(fresh_name())
    both = lines(service)
    await_entry(both, client.access_token, race)
    assert client.logout().status == 200
    assert 200 not in statuses(both, client.access_token, race)
    wait_until(lambda: statuses(both, client.access_token, race) == {401}, "everybody says that it is revoked")


@pytest.mark.asvs("7.4.1")
def test_none_of_a_hundred_requests_right_after_a_logout_is_accepted(service, lines, fresh_name, race):
    """`python -m bench.revocation` does the same a thousand times."""
    name = fresh_name()
    client, both = service.client().signed_in(name), lines(service)
    accepted = asked = 0
    while asked < 100:
        client.login(name)
        assert statuses(both, client.access_token, race) == {200}
        gone = client.access_token
        client.logout()
        accepted += statuses(both, gone, race) != {401}
        asked += len(both)
    assert accepted == 0


@pytest.mark.asvs("7.4.1")
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_logout_holds_when_the_connections_to_the_database_are_cut(live_server, lines, race):
    server = live_server()
    client = server.client().signed_in("ada")
    gone, both = client.access_token, lines(server)
    assert statuses(both, gone, race) == {200}
    client.logout()
    execute(server.database.url, CUT)
    assert statuses(both, gone, race) <= {401, 503}
    wait_until(lambda: statuses(both, gone, race) == {401}, "both workers have a connection again")


@pytest.mark.asvs("7.4.1")
def test_a_session_that_is_ended_from_afar_ends_on_every_worker(service, lines, fresh_name, race):
    name = fresh_name()
    client, other = service.client().signed_in(name), service.client()
    other.login(name)
    both = lines(service)
    await_entry(both, other.access_token, race)
    assert client.delete(f"/auth/sessions/{other.session_id}").status == 204
    assert 200 not in statuses(both, other.access_token, race)
    await_entry(both, client.access_token, race)


@pytest.mark.asvs("7.4.1")
def test_a_logout_outlives_kill_and_restart(live_server):
    server = live_server()
    gone, kept = server.client().signed_in("ada"), server.client().signed_in("bob")
    assert gone.logout().status == 200
    server.kill()
    server.start()
    assert served(lambda: gone.get("/auth/protected")).code == "token_revoked"
    assert served(gone.refresh).code == "token_revoked"
    assert served(lambda: kept.get("/auth/protected")).status == 200
    assert served(kept.refresh).status == 200


def flask(service, *command):
    """Run a command of an operator beside the running service; what it prints."""
    env = clean_environment(FLASK_APP="app", PYTHONPATH=ROOT, **service.settings)
    done = subprocess.run(
        [sys.executable, "-m", "flask", *command],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def another_machine(run):
    """A client of one more process of the service, on the same database and with the same settings."""
    made = []

    def join(service):
        secret = (service.settings["INSTANCE_PATH"] / "secret_key").read_text()
        made.append(
            application.build(service.database.url, run.new_folder("i"), SECRET_KEY=secret, PUBLIC_URL=service.url)
        )
        return BearerClient(InProcess(made[-1], service.url))

    yield join
    for app in made:
        application.close(app)


def test_a_rotation_by_command_is_known_to_running_workers(live_server, lines, another_machine, race, monkeypatch):
    monkeypatch.setattr(keys, "PUBLISHED_SECONDS", 0)
    server = live_server()
    before = server.client().signed_in("ada")
    kid = flask(server, "keys", "rotate")
    after = another_machine(server)
    after.login("ada")
    assert header_of(after.access_token)["kid"] == kid
    both = lines(server)
    await_entry(both, after.access_token, race)
    await_entry(both, before.access_token, race)
    published = [{key["kid"] for key in line.get("/.well-known/jwks.json").json()["keys"]} for line in both]
    assert all(kids == {kid, header_of(before.access_token)["kid"]} for kids in published)


@one_database
def test_a_worker_that_dies_is_replaced(live_server, lines):
    server = live_server()
    client = server.client().signed_in("ada")
    lines(server)
    victim = next(pid for pid in workers_of(server) if pid != server.program.process.pid)
    os.kill(victim, signal.SIGKILL)

    def answers():
        try:
            return client.get("/auth/protected").status == 200
        except httpx.TransportError:
            return False

    wait_until(answers, "the service answers")
    wait_until(lambda: len(server.program.family()) >= 3, "there are two workers again")


def late(server, token):
    """The first line of an answer to a request that comes a moment after its connection was opened."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        time.sleep(0.002)
        connection.sendall(f"GET /auth/protected HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        return connection.recv(65536).partition(b"\r\n")[0]


@one_database
def test_a_hangup_replaces_the_workers_and_loses_no_request(live_server):
    server = live_server()
    client = server.client().signed_in("ada")
    before = {process.pid for process in server.program.family()} - {server.program.process.pid}
    server.program.process.send_signal(signal.SIGHUP)
    answers = set()

    def are_others():
        with ThreadPoolExecutor(8) as pool:
            answers.update(pool.map(lambda _: late(server, client.access_token), range(200)))
        return not before & {process.pid for process in server.program.family()}

    wait_until(are_others, "every worker is a new one", 60)
    assert client.refresh().status == 200
    assert answers == {b"HTTP/1.1 200 OK"}


@one_database
def test_a_worker_that_was_killed_loses_no_request_that_had_not_reached_it(live_server):
    server = live_server(WORKERS=1)
    client = server.client().signed_in("ada")
    (worker,) = {*server.program.family()} - {psutil.Process(server.program.process.pid)}
    worker.kill()
    assert late(server, client.access_token) == b"HTTP/1.1 200 OK"


def registration(name):
    return json.dumps({"username": name, "email": f"{name}@example.org", "password": PASSWORD})


@one_database
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_in_flight_are_finished_when_the_service_is_stopped(live_server, number):
    server = live_server(BCRYPT_ROUNDS=12)
    lines = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=60) for _ in range(6)]
    for line in lines:
        line.request("GET", "/healthz")
        assert line.getresponse().read()
    for index, line in enumerate(lines):
        line.request("POST", "/auth/register", registration(f"ada{index}"), {"Content-Type": "application/json"})
    # Each worker hashes one password after the other: when the first answer is there, the others are under way.
    select.select([line.sock for line in lines], [], [], 60)
    server.program.process.send_signal(number)
    assert [line.getresponse().status for line in lines] == [201] * len(lines)
    for line in lines:
        line.close()
    assert server.program.process.wait(30) == 0
