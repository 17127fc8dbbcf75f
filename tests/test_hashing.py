"""Hashing is bounded: it takes its turn, refuses beyond a short queue, and leaves the rest of the service alone."""

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from auth import hashing
from auth.hashing import NICENESS
from auth.passwords import NOBODYS_HASH
from auth.problems import Unavailable
from config import Settings
from tests.support.clients import PASSWORD
from tests.support.marks import one_client, one_database
from tests.support.processes import wait_until

WAITING = 4


@pytest.fixture
def places(make_app):
    """An application in which one is hashed at a time and four wait."""
    return make_app(WORKERS=64, THREADS=2 * WAITING)


class Slow:
    """Work that goes on until it is let go, and notes how much of it was under way at once."""

    def __init__(self):
        self.under_way, self.most = 0, 0
        self.over = threading.Event()

    def __call__(self):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.over.wait(30)
        self.under_way -= 1


def run(places, work):
    """Do the work in a place; the problem when there is none."""
    with places.app_context():
        try:
            return hashing.run(work)
        except Unavailable as problem:
            return problem


@one_database
@pytest.mark.asvs("15.2.2", "15.4.4")
def test_one_runs_four_wait_and_the_others_are_refused_at_once(places):
    work = Slow()
    with ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(run, places, work) for _ in range(20)]
        wait_until(lambda: sum(one.done() for one in asked) == 20 - 1 - WAITING, "the others are refused")
        refused = [one.result() for one in asked if one.done()]
        work.over.set()
    assert {problem.status for problem in refused} == {503}
    assert all(problem.retry_after > 0 for problem in refused)
    assert work.most == 1


@one_database
def test_a_place_is_free_again_when_the_work_has_failed(places):
    def fail():
        raise ArithmeticError

    for _ in range(3 * WAITING):
        with pytest.raises(ArithmeticError):
            run(places, fail)
    assert run(places, lambda: "done") == "done"


def test_a_race_of_fifty_finds_a_place_for_each_by_default():
    assert Settings.model_fields["threads"].default // 2 >= 64


@one_database
def test_hashing_gives_way_to_everything_else(places):
    priority = run(places, lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    assert priority == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


@pytest.mark.asvs("15.2.2")
def test_a_login_that_finds_no_place_is_503_and_tokens_are_verified_all_the_same(client, app):
    client.signed_in("ada")
    semaphore = app.extensions["gatehouse.hashing"].places
    taken = iter(lambda: semaphore.acquire(blocking=False), False)
    number = sum(taken)
    answer = client.another().login("ada")
    assert (answer.status, answer.code) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert client.get("/auth/protected").status == 200
    semaphore.release(number)


def stored_hash(database):
    """The only password hash in the database."""
    if database.kind == "sqlite":
        connection = sqlite3.connect(database.file)
        rows = connection.execute("SELECT password_hash FROM users").fetchall()
        connection.close()
    else:
        with psycopg.connect(database.url) as connection:
            rows = connection.execute("SELECT password_hash FROM users").fetchall()
    ((found,),) = rows
    return found


def cost(password_hash):
    return int(password_hash.split("$")[2])


@pytest.mark.asvs("11.2.2", "11.4.2")
def test_when_the_cost_has_risen_the_next_sign_in_hashes_anew(make_client, database):
    make_client(BCRYPT_ROUNDS=4).register("ada")
    before = stored_hash(database)
    client = make_client(BCRYPT_ROUNDS=6)
    assert client.login("ada", "Wrong-Anvil-Crater-59").status == 401
    assert stored_hash(database) == before
    assert client.login("ada").status == 200
    assert (cost(before), cost(stored_hash(database))) == (4, 6)
    assert client.login("ada").status == 200


@one_client
def test_when_the_cost_has_fallen_the_stronger_hash_stays(make_client, database):
    make_client(BCRYPT_ROUNDS=6).register("ada")
    before = stored_hash(database)
    assert make_client(BCRYPT_ROUNDS=4).login("ada").status == 200
    assert stored_hash(database) == before


@one_client
def test_an_ordinary_sign_in_writes_no_password(make_client, statements):
    client = make_client(BCRYPT_ROUNDS=5)
    client.register("ada")
    with statements() as seen:
        client.login("ada")
    assert len(seen) <= 4
    assert not any("password_hash=" in statement for statement in seen)


@one_database
@one_client
@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize(("stored", "set_now"), [(4, 4), (4, 7), (5, 6)])
def test_a_wrong_password_costs_the_same_work_whatever_the_cost_of_the_stored_hash(
    make_client, monkeypatch, stored, set_now
):
    make_client(BCRYPT_ROUNDS=stored).register("ada")
    client = make_client(BCRYPT_ROUNDS=set_now)
    work = {}
    for name in ("ada", "nobody"):
        work[name] = compared = []
        monkeypatch.setattr("auth.passwords.bcrypt.checkpw", lambda _, known, to=compared: to.append(known.decode()))
        assert client.login(name, PASSWORD).status == 401
    assert sum(2 ** cost(known) for known in work["ada"]) == sum(2 ** cost(known) for known in work["nobody"])
    assert work["nobody"] == [NOBODYS_HASH.format(rounds=set_now)]
