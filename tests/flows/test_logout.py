"""POST /auth/logout and /auth/logout-all."""

import pytest

from models import AuditEvent, Session
from tests.support.marks import one_client, one_database
from tests.support.tables import rows


@pytest.mark.asvs("7.4.1")
def test_after_a_logout_neither_token_works(client):
    client.signed_in("ada")
    kept = client.copy()
    answer = client.logout()
    assert (answer.status, answer.json) == (200, {"message": "Logged out"})
    assert kept.get("/auth/protected").code == "token_revoked"
    assert kept.refresh().code == "token_revoked"


def test_a_logout_leaves_other_sessions_alone(client):
    client.signed_in("ada")
    other = client.another()
    other.login("ada")
    client.logout()
    assert other.get("/auth/protected").status == 200
    assert other.refresh().status == 200


@pytest.mark.asvs("7.4.4")
@pytest.mark.parametrize("use", ["access_token", "refresh_token"])
@pytest.mark.parametrize("expired", [False, True])
def test_a_logout_works_with_either_token_even_an_expired_one(bearer, app, clock, use, expired):
    bearer.signed_in("ada")
    clock.shift(1209601 if expired else 0)
    token = getattr(bearer, use)
    assert bearer.post("/auth/logout", headers={"Authorization": f"Bearer {token}"}).status == 200
    assert rows(app, Session)[0].revoked_why == "logout"


@pytest.mark.asvs("7.4.4")
def test_a_logout_works_with_the_refresh_token_in_the_body(bearer, app):
    bearer.signed_in("ada")
    body = {"refresh_token": bearer.refresh_token}
    assert bearer.post("/auth/logout", body, headers={"Authorization": None}).status == 200
    assert rows(app, Session)[0].revoked_at


@pytest.mark.asvs("7.4.4")
def test_a_logout_works_with_the_refresh_cookie_alone(cookie, app):
    cookie.signed_in("ada")
    cookie.cookies.forget("access_token")
    assert cookie.logout().status == 200
    assert rows(app, Session)[0].revoked_at


def test_logging_out_twice_is_no_error_and_one_event(client, app):
    client.signed_in("ada")
    again = client.copy()
    client.logout()
    assert again.logout().status == 200
    assert [event.name for event in rows(app, AuditEvent)].count("session.revoked") == 1


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_logout_needs_a_token_of_ours(bearer, token):
    answer = bearer.post("/auth/logout", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, answer.code) == (401, "token_invalid" if token else "token_missing")


@pytest.mark.asvs("7.4.1")
def test_logout_all_ends_every_session(client):
    client.signed_in("ada")
    others = [client.another() for _ in range(2)]
    for other in others:
        other.login("ada")
    answer = client.copy().post("/auth/logout-all")
    assert (answer.status, answer.json) == (200, {"message": "Logged out everywhere", "revoked": 3})
    assert {one.get("/auth/protected").code for one in (client, *others)} == {"token_revoked"}
    assert {one.refresh().code for one in (client, *others)} == {"token_revoked"}


def test_logout_all_can_keep_the_session_that_asks(client):
    client.signed_in("ada")
    other = client.another()
    other.login("ada")
    assert client.post("/auth/logout-all", {"keep_current": True}).json["revoked"] == 1
    assert other.get("/auth/protected").code == "token_revoked"
    assert client.get("/auth/protected").status == 200
    assert client.refresh().status == 200


def test_logout_all_counts_only_sessions_that_were_open(client):
    client.signed_in("ada")
    client.another().login("ada")
    client.post("/auth/logout-all", {"keep_current": True})
    assert client.post("/auth/logout-all", {"keep_current": True}).json["revoked"] == 0


def test_logout_all_ends_nobody_elses_session(client):
    client.signed_in("ada")
    bob = client.another().signed_in("bob")
    client.post("/auth/logout-all")
    assert bob.get("/auth/protected").status == 200


def test_logout_all_is_one_event_with_the_number_of_sessions(client, app):
    client.signed_in("ada")
    client.another().login("ada")
    client.post("/auth/logout-all")
    event = rows(app, AuditEvent)[-1]
    assert (event.name, event.data) == ("sessions.revoked", {"why": "logout", "count": 2})


def test_one_can_sign_in_again_after_logging_out_everywhere(client):
    client.signed_in("ada").post("/auth/logout-all")
    client.login("ada")
    assert client.get("/auth/protected").status == 200


@one_client
@one_database
@pytest.mark.parametrize("value", ["yes", 1, None, [], {}])
def test_keep_current_is_true_or_false(client, value):
    answer = client.signed_in("ada").post("/auth/logout-all", {"keep_current": value})
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "keep_current")
    assert client.get("/auth/protected").status == 200
