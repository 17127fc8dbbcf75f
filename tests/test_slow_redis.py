"""A Redis that is late in any way: a request waits a quarter of a second for it, and what comes late is thrown away."""

import socket
import threading
import time
from contextlib import closing

import pytest
import redis

from auth.limits import remote
from tests.support.delays import Delay
from tests.support.marks import one_client, one_database
from tests.support.processes import wait_until

pytestmark = [one_database, one_client, pytest.mark.asvs("13.2.6")]

HOST = "redis.example"
# What is bounded is the wait; the machine of the tests may be busy.
IN_TIME = remote.REDIS_SECONDS + 0.5


class Drip(Delay):
    """Every byte of an answer waits."""

    piece = 1


@pytest.fixture
def dripping(redis_server):
    """Redis behind a proxy that holds back every byte."""
    with Drip(redis_server().port) as proxy:
        yield proxy


@pytest.fixture
def names(monkeypatch):
    """Says what happens when the name of Redis is looked up."""
    real = socket.getaddrinfo
    answers = {}

    def look_up(host, *given, **options):
        return answers["act"](*given) if host == HOST else real(host, *given, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield lambda act: answers.update(act=act)
    answers["act"] = lambda *_: []
    wait_until(lambda: not remote._late, "no attempt is left behind")


def at(port, times=1):
    """The answer of a name server."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))] * times


def ask(client):
    """What is left of a limit, and how long it took to know."""
    began = time.monotonic()
    answer = client.post("/auth/login")
    return int(answer.headers["RateLimit-Remaining"]), time.monotonic() - began


def waits(client, number):
    """The longest of so many requests, each of which goes to see whether Redis is back; all are counted."""
    found = []
    for _ in range(number):
        found.append(ask(client))
        time.sleep(0.3)
    assert [left for left, _ in found] == list(range(found[0][0], found[0][0] - number, -1))
    return max(took for _, took in found)


def test_an_answer_that_drips_is_waited_for_no_longer_than_one_that_does_not_come(make_client, dripping):
    dripping.seconds = 0.15
    assert waits(make_client(RATE_LIMITS=True, REDIS_URL=dripping.url), 3) < IN_TIME


def test_a_name_that_is_long_looked_up_holds_no_request(make_client, names):
    names(lambda *_: time.sleep(1.5) or [])
    assert waits(make_client(RATE_LIMITS=True, REDIS_URL=f"redis://{HOST}:6379/0"), 3) < IN_TIME


def test_many_addresses_that_do_not_answer_hold_a_request_no_longer_than_one(make_client, names):
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as full:
        port = full.getsockname()[1]
        queued = [socket.socket() for _ in range(4)]
        for each in queued:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        names(lambda *_: at(port, times=6))
        assert waits(make_client(RATE_LIMITS=True, REDIS_URL=f"redis://{HOST}:{port}/0"), 1) < IN_TIME
        for each in queued:
            each.close()


def test_a_connection_that_comes_late_is_closed(make_client, names):
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(5)
        names(lambda *_: time.sleep(0.6) or at(listener.getsockname()[1]))
        ask(make_client(RATE_LIMITS=True, REDIS_URL=f"redis://{HOST}:6379/0"))
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(5)
            assert accepted.recv(1) == b""


def test_attempts_that_are_left_behind_do_not_pile_up(make_client, names, monkeypatch):
    monkeypatch.setattr(remote, "MOST_LATE", 2)
    ready = threading.Event()
    names(lambda *_: ready.wait(30) and [])
    waits(make_client(RATE_LIMITS=True, REDIS_URL=f"redis://{HOST}:6379/0"), 5)
    assert len(remote._late) == 2
    ready.set()


@pytest.mark.asvs("16.5.2")
def test_after_its_name_was_not_found_in_time_redis_returns_by_itself(make_client, names, redis_server):
    server = redis_server()
    store = redis.Redis.from_url(server.url)
    names(lambda *_: time.sleep(0.6) or at(server.port))
    client = make_client(RATE_LIMITS=True, REDIS_URL=f"redis://{HOST}:{server.port}/0")
    ask(client)
    names(lambda *_: at(server.port))
    wait_until(lambda: ask(client) and store.dbsize(), "requests are counted in Redis again")
    store.close()


def test_after_an_answer_that_dripped_redis_returns_on_a_connection_of_its_own(make_client, dripping, monkeypatch):
    # What is exact is not to depend on how busy the machine of the tests is.
    monkeypatch.setattr(remote, "REDIS_SECONDS", 2)
    client = make_client(RATE_LIMITS=True, REDIS_URL=dripping.url)
    before, _ = ask(client)
    dripping.seconds = 0.3
    ask(client)
    pool = client.wire.app.extensions["gatehouse.limits"]._store.connection_pool
    assert [each._sock for each in pool._available_connections] == [None]
    dripping.seconds = 0
    time.sleep(0.3)
    # Redis has counted the request whose answer was late as well.
    assert ask(client)[0] == before - 2
