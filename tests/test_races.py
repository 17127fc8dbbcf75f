"""Fifty at once: what may happen once happens once, whoever comes first."""

import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import time_machine
from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from auth import database, keys
from models import Attempt, AuditEvent, Session, User, db
from tests.support.forging import claims_of
from tests.support.marks import one_database
from tests.support.races import served
from tests.support.tables import rows

AT_ONCE = 50


def outcomes(answers):
    return Counter((answer.status, answer.code) for answer in answers)


@pytest.mark.asvs("2.3.4")
@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_one_of_fifty_gets_a_username(client, app, race):
    answers = race(AT_ONCE, lambda number: served(lambda: client.another().register("ada", f"ada{number}@example.org")))
    assert outcomes(answers) == {(201, None): 1, (409, "username_taken"): 49}
    assert len(rows(app, User)) == 1
    assert [event.name for event in rows(app, AuditEvent)] == ["account.registered"]


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_one_of_fifty_gets_an_address(client, app, race):
    answers = race(AT_ONCE, lambda number: served(lambda: client.another().register(f"ada{number}", "ada@example.org")))
    assert outcomes(answers) == {(201, None): 1, (409, "email_taken"): 49}
    assert len(rows(app, User)) == 1


@pytest.mark.asvs("10.4.5")
def test_without_grace_a_refresh_token_works_exactly_once(make_client, make_app, race):
    client = make_client(REFRESH_GRACE_SECONDS=0).signed_in("ada")
    callers = [client.copy() for _ in range(AT_ONCE)]
    answers = race(AT_ONCE, lambda number: served(callers[number].refresh))
    found = outcomes(answers)
    assert found[200, None] == 1
    assert found.keys() <= {(200, None), (401, "token_reused"), (401, "token_revoked")}
    # The other forty-nine are replays, so the session has ended and no chain goes on.
    assert {caller.copy().refresh().code for caller in callers} == {"token_revoked"}
    (session,) = rows(make_app(), Session)
    assert (session.generation, session.revoked_why) == (1, "replay")


@pytest.mark.asvs("10.4.5")
def test_within_the_grace_all_fifty_get_the_same_successor(client, app, race):
    client.signed_in("ada")
    callers = [client.copy() for _ in range(AT_ONCE)]
    # The ten seconds of grace do not pass while a slow machine is busy with fifty.
    with time_machine.travel(datetime.now(UTC), tick=False):
        answers = race(AT_ONCE, lambda number: served(callers[number].refresh))
    assert outcomes(answers) == {(200, None): AT_ONCE}
    assert len({claims_of(caller.refresh_token)["jti"] for caller in callers}) == 1
    assert len({caller.refresh_token for caller in callers}) == 1
    assert rows(app, Session)[0].generation == 1
    assert callers[0].refresh().status == 200


def test_fifty_logouts_end_one_session_once(client, app, race):
    client.signed_in("ada")
    callers = [client.copy() for _ in range(AT_ONCE)]
    assert outcomes(race(AT_ONCE, lambda number: served(callers[number].logout))) == {(200, None): AT_ONCE}
    assert [event.name for event in rows(app, AuditEvent)].count("session.revoked") == 1
    assert client.get("/auth/protected").code == "token_revoked"


def test_a_refresh_that_races_a_logout_leaves_no_open_session(client, race):
    client.signed_in("ada")
    callers = [client.copy() for _ in range(AT_ONCE)]
    answers = race(AT_ONCE, lambda number: served(callers[number].refresh if number % 2 else callers[number].logout))
    assert outcomes(answers).keys() <= {(200, None), (401, "token_revoked")}
    refreshers = [client, *callers[1::2]]
    assert {caller.get("/auth/protected").code for caller in refreshers} == {"token_revoked"}
    assert {caller.refresh().code for caller in refreshers} == {"token_revoked"}


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_fifty_sign_ins_are_fifty_sessions(client, app, race):
    client.register("ada")
    callers = [client.another() for _ in range(AT_ONCE)]
    found = outcomes(race(AT_ONCE, lambda number: served(lambda: callers[number].login("ada"))))
    # The budget of guesses is paid before the password is looked at, so that a few may be told to wait.
    assert found.keys() <= {(200, None), (429, "account_locked")}
    assert found[200, None] == len(rows(app, Session)) > 0


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_an_empty_database_gets_one_signing_key(client, app, race):
    race(AT_ONCE, lambda number: served(lambda: client.another().register(f"user{number}")))
    assert len(client.get("/.well-known/jwks.json").json["keys"]) == 1


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_a_rotation_breaks_no_token_that_is_made_meanwhile(client, app, race, monkeypatch):
    monkeypatch.setattr(keys, "RELOAD_SECONDS", 0)
    monkeypatch.setattr(keys, "PUBLISHED_SECONDS", 0)
    client.signed_in("ada")
    callers = [client.copy() for _ in range(AT_ONCE)]

    def rotate_or_refresh(number):
        if number % 10:
            return served(callers[number].refresh).status
        with app.app_context(), suppress(SQLAlchemyError):
            keys.rotate()
        return 200

    assert set(race(AT_ONCE, rotate_or_refresh)) == {200}
    assert {caller.get("/auth/protected").status for caller in callers} == {200}


@one_database
def test_who_waits_to_write_on_sqlite_holds_no_connection(app, race):
    held = []

    def write(_number):
        with app.app_context():
            database.execute(select(User.id)).first()
            database.execute(update(User).values(updated_at=datetime.now(UTC)))
            held.append(db.engine.pool.checkedout())
            time.sleep(0.02)
            database.end()

    race(50, write)
    # While the first one writes some still read; when the tenth does, all others are in the queue.
    assert max(held[10:]) == 1


def test_what_twenty_write_apart_at_once_is_all_there(app, race):
    def write(number):
        with app.app_context(), database.apart():
            database.execute(select(Attempt.subject)).all()
            row = {"subject": f"n{number}", "guesses": 1, "in_a_row": 1, "last_guess_at": datetime.now(UTC)}
            database.execute(insert(Attempt).values(row))
            time.sleep(0.01)

    race(20, write)
    assert len(rows(app, Attempt)) == 20
