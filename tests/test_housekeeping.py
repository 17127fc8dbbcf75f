"""What is past is removed at its stated age, a little at a time, by however many workers there are."""

from datetime import timedelta

import pytest

from auth import database, keys, users
from auth import worker as worker_module
from auth.worker import JOBS, Job, Worker, housekeeping
from models import (
    Attempt,
    Base,
    Device,
    HeldName,
    Letter,
    OneTimeSecret,
    RateWindow,
    RevokedToken,
    Session,
    SigningKey,
    now,
)
from tests.support.clients import PASSWORD
from tests.support.mailbox import Mailbox
from tests.support.marks import one_client
from tests.support.tables import bad_plans, rows

DAY = 86400
TRANSIENT = (Session, Letter, OneTimeSecret, RevokedToken, Attempt)


def purge(app):
    with app.app_context():
        left = housekeeping.purge()
        database.end()
    return left


def insert(app, model, *values):
    with app.app_context(), database.apart():
        database.execute(Base.metadata.tables[model.__tablename__].insert(), list(values))


def secrets(number, seconds=-1):
    time = now()
    common = {"purpose": "x", "data": {}, "created_at": time, "expires_at": time + timedelta(seconds=seconds)}
    return [{**common, "secret_hash": f"{number}"} for number in range(number)]


def _ask_for_a_letter(client):
    client.another().post("/auth/password/forgot", {"email": "ada@example.org"})


def _sign_out(client):
    client.another().login("ada")
    client.logout()


def _guess(client):
    client.another().login("nobody", "Wrong-Anvil-Crater-59")


def _leave(client):
    client.delete("/auth/me", {"password": PASSWORD})


def _rotate(client):
    with client.wire.app.app_context():
        keys.rotate()
        database.end()


@pytest.mark.asvs("14.2.7")
@one_client
@pytest.mark.parametrize(
    ("model", "bring_about", "seconds"),
    [
        (OneTimeSecret, lambda _client: None, DAY),
        (Session, lambda _client: None, 30 * DAY),
        (RevokedToken, _sign_out, 900 + 60),
        (Letter, _ask_for_a_letter, 7 * DAY),
        (Attempt, _guess, 30 * DAY),
        (HeldName, _leave, 30 * DAY),
        (SigningKey, _rotate, 30 * DAY),
    ],
)
def test_rows_go_at_their_stated_age_and_not_before(client, clock, model, bring_about, seconds):
    app = client.wire.app
    bring_about(client.signed_in("ada"))
    Mailbox(app).work()
    old = {row[0] for row in rows(app, model)}
    clock.shift(seconds - 60)
    purge(app)
    kept = {row[0] for row in rows(app, model)}
    clock.shift(120)
    purge(app)
    left = {row[0] for row in rows(app, model)}
    assert kept == old
    assert len(left) < len(kept)


@pytest.mark.asvs("14.2.7")
def test_counts_of_requests_and_devices_go_too(app, bearer):
    bearer.register("ada")
    past = now() - timedelta(days=181)
    insert(app, RateWindow, _rate_window(past))
    user_id = users_id(app)
    device = {"id": "x", "user_id": user_id, "user_agent": "", "ip": "", "created_at": past, "last_seen_at": past}
    insert(app, Device, device)
    purge(app)
    assert rows(app, RateWindow) == rows(app, Device) == []


def _rate_window(past):
    columns = Base.metadata.tables["rate_windows"].columns
    row = {"key": "x", "expires_at": past}
    return row | {name: _blank(column) for name, column in columns.items() if name not in row}


def _blank(column):
    return 1 if column.type.python_type is int else ""


def users_id(app):
    with app.app_context():
        found = users.find("ada")
        database.end()
    return found.id


def test_guesses_at_an_account_are_kept(client, clock):
    client.register("ada")
    client.login("ada", "Wrong-Anvil-Crater-59")
    clock.shift(400 * DAY)
    purge(client.wire.app)
    # Not those under the name that was typed, which go as if nobody had it.
    assert _guessed_at(client.wire.app) == ["user"]


@one_client
def test_guesses_on_a_device_go_when_its_token_is_void_and_not_before(client, clock):
    app = client.wire.app
    client.register("ada")
    token = client.login("ada").headers["X-Device-Token"]
    body = {"identifier": "ada", "password": PASSWORD}
    assert client.another().post("/auth/login", body, headers={"X-Device-Token": token}).status == 200
    clock.shift(400 * DAY - 60)
    purge(app)
    kept = _guessed_at(app)
    clock.shift(120)
    purge(app)
    assert kept == ["device", "user"]
    assert _guessed_at(app) == ["user"]


def _guessed_at(app):
    return sorted(attempt.subject.partition(":")[0] for attempt in rows(app, Attempt))


def test_what_is_not_past_stays(client, mailbox):
    client.signed_in("ada")
    mailbox.work()
    before = {table.name: len(rows(client.wire.app, model)) for model, table in _tables()}
    purge(client.wire.app)
    assert {table.name: len(rows(client.wire.app, model)) for model, table in _tables()} == before


def _tables():
    return [(mapper.class_, mapper.local_table) for mapper in Base.registry.mappers]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_turn_removes_no_more_than_its_batches_whatever_the_plan(app, monkeypatch):
    monkeypatch.setattr(housekeeping, "BATCH", 10)
    monkeypatch.setattr(housekeeping, "BATCHES", 1)
    insert(app, OneTimeSecret, *secrets(100))
    with bad_plans(app):
        assert purge(app) is True
    assert len(rows(app, OneTimeSecret)) == 90


def test_one_turn_removes_a_bounded_number_and_says_that_more_is_left(app, monkeypatch):
    monkeypatch.setattr(housekeeping, "BATCH", 10)
    monkeypatch.setattr(housekeeping, "BATCHES", 3)
    insert(app, OneTimeSecret, *secrets(35))
    assert purge(app) is True
    assert len(rows(app, OneTimeSecret)) == 5
    assert purge(app) is False
    assert rows(app, OneTimeSecret) == []


def test_no_batch_is_longer_than_it_should_be(app, statements):
    insert(app, OneTimeSecret, *secrets(1200))
    with statements() as seen:
        purge(app)
    assert len([statement for statement in seen if "DELETE FROM one_time_secrets" in statement]) == 3
    assert rows(app, OneTimeSecret) == []


def test_many_workers_at_once_stand_in_nobodys_way(app, race):
    insert(app, OneTimeSecret, *secrets(2000))
    insert(app, OneTimeSecret, *[row | {"secret_hash": f"kept {n}"} for n, row in enumerate(secrets(20, 3600))])
    race(8, lambda _: purge(app))
    assert len(rows(app, OneTimeSecret)) == 20


@one_client
def test_the_tables_stay_bounded_under_the_same_load_every_day(client, clock, mailbox):
    app = client.wire.app
    client.register("ada")
    counts = []
    for _ in range(42):
        other = client.another()
        other.login("ada")
        other.post("/auth/password/forgot", {"email": "ada@example.org"})
        other.another().login("nobody", "Wrong-Anvil-Crater-59")
        other.logout()
        mailbox.work()
        clock.shift(DAY)
        purge(app)
        counts.append({model.__tablename__: len(rows(app, model)) for model in TRANSIENT})
    assert counts[-1] == counts[-6]
    assert counts[-1]["sessions"] <= 30
    assert counts[-1]["letters"] <= 2 * 7
    assert counts[-1]["one_time_secrets"] <= 2


def test_a_worker_does_every_job(app):
    worker = Worker(app)
    worker.round()
    assert set(worker.due) == {job.name for job in JOBS}
    assert worker.failing == set()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_job_that_fails_is_told_once_and_holds_up_no_other(app, monkeypatch, caplog):
    worker = Worker(app)
    monkeypatch.setattr(worker_module, "JOBS", (Job("bad", 0, _fail), Job("good", 0, lambda: False)))
    for _ in range(3):
        worker.round()
    assert [record.job for record in caplog.records] == ["bad"]
    assert set(worker.due) == {"bad", "good"}


def _fail():
    raise ZeroDivisionError
