"""POST /auth/refresh: rotation, replay, grace, and the two ends of a session."""

import jwt
import pytest

from models import AuditEvent, Session, User, now
from tests.support.clients import PASSWORD
from tests.support.marks import one_client, one_database
from tests.support.tables import change, rows


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def test_a_refresh_gives_new_tokens_of_the_same_session(client):
    client.signed_in("ada")
    before = client.access_token, client.refresh_token, client.session_id
    answer = client.refresh()
    assert answer.status == 200
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
    assert client.access_token != before[0]
    assert client.refresh_token != before[1]
    assert client.session_id == before[2]
    assert client.get("/auth/protected").status == 200


def test_a_refresh_keeps_what_the_person_has_proven(client):
    client.signed_in("ada")
    before = claims_of(client.access_token)
    client.refresh()
    after = claims_of(client.access_token)
    for name in ("iss", "aud", "sub", "sid", "auth_time", "amr", "acr", "preferred_username", "roles"):
        assert after[name] == before[name]
    assert after["jti"] != before["jti"]


def test_the_access_token_before_stays_valid_until_it_expires(client):
    client.signed_in("ada")
    before = client.copy()
    client.refresh()
    assert before.get("/auth/protected").status == 200


@pytest.mark.asvs("10.4.5", "RFC 9700")
@pytest.mark.parametrize("grace", [0, 10])
def test_a_replay_ends_the_session(make_client, clock, grace):
    client = make_client(REFRESH_GRACE_SECONDS=grace).signed_in("ada")
    thief = client.copy()
    assert client.refresh().status == 200
    clock.shift(grace)
    answer = thief.refresh()
    assert (answer.status, answer.code) == (401, "token_reused")
    assert client.get("/auth/protected").code == "token_revoked"
    assert client.refresh().code == "token_revoked"


@pytest.mark.asvs("10.4.5")
def test_a_token_of_two_generations_ago_is_a_replay_even_within_the_grace(client):
    client.signed_in("ada")
    thief = client.copy()
    client.refresh()
    client.refresh()
    assert thief.refresh().code == "token_reused"
    assert client.refresh().code == "token_revoked"


def test_a_replay_is_remembered_although_the_request_failed(make_client, make_app):
    client = make_client(REFRESH_GRACE_SECONDS=0).signed_in("ada")
    thief = client.copy()
    client.refresh()
    thief.refresh()
    app = make_app()
    session = rows(app, Session)[0]
    names = [event.name for event in rows(app, AuditEvent, AuditEvent.session_id == client.session_id)]
    assert session.revoked_why == "replay"
    assert names == ["login.succeeded", "session.revoked", "session.replayed"]


def test_a_replay_ends_no_other_session(make_client):
    client = make_client(REFRESH_GRACE_SECONDS=0).signed_in("ada")
    other = client.another()
    other.login("ada")
    thief = client.copy()
    client.refresh()
    thief.refresh()
    assert other.get("/auth/protected").status == 200
    assert other.refresh().status == 200


def test_within_the_grace_a_second_tab_gets_the_same_refresh_token(client):
    client.signed_in("ada")
    second_tab = client.copy()
    assert client.refresh().status == 200
    assert second_tab.refresh().status == 200
    assert second_tab.refresh_token == client.refresh_token
    assert claims_of(second_tab.refresh_token)["jti"] == claims_of(client.refresh_token)["jti"]


def test_after_the_grace_both_tabs_go_on_with_one_chain(client):
    client.signed_in("ada")
    second_tab = client.copy()
    client.refresh()
    second_tab.refresh()
    client.refresh()
    second_tab.refresh()
    assert client.refresh_token == second_tab.refresh_token
    assert client.refresh().status == 200


def test_storage_does_not_grow_with_rotations(client, app):
    client.signed_in("ada")
    for _ in range(3):
        client.refresh()
    session = rows(app, Session)[0]
    assert session.generation == 3
    assert len(rows(app, Session)) == 1
    assert len(rows(app, AuditEvent)) == 2


@pytest.mark.asvs("7.3.1", "RFC 9700")
def test_an_idle_session_ends(make_client, clock):
    client = make_client(SESSION_IDLE_SECONDS=600).signed_in("ada")
    clock.shift(590)
    assert client.refresh().status == 200
    clock.shift(601)
    assert client.refresh().code == "token_expired"


@pytest.mark.asvs("7.3.2", "10.4.8")
def test_a_session_ends_after_its_absolute_lifetime_whatever_it_does(make_client, clock):
    client = make_client(SESSION_IDLE_SECONDS=600, REFRESH_TOKEN_SECONDS=1800).signed_in("ada")
    for _ in range(3):
        clock.shift(590)
        assert client.refresh().status == 200
    clock.shift(40)
    assert client.refresh().code == "token_expired"


def test_lifetimes_in_the_answer_shrink_towards_the_end_of_the_session(make_client, clock):
    client = make_client(SESSION_IDLE_SECONDS=600, REFRESH_TOKEN_SECONDS=1800).signed_in("ada")
    for _ in range(2):
        clock.shift(590)
        client.refresh()
    clock.shift(500)
    answer = client.refresh()
    assert 100 <= answer.json["refresh_expires_in"] <= 121
    assert 100 <= answer.json["expires_in"] <= 121


@pytest.mark.asvs("7.3.2")
def test_no_access_token_outlives_its_session(make_client, clock):
    client = make_client(SESSION_IDLE_SECONDS=120, REFRESH_TOKEN_SECONDS=120).signed_in("ada")
    clock.shift(121)
    assert client.get("/auth/protected").code == "token_expired"


def test_a_refresh_token_is_taken_from_the_body_too(bearer):
    bearer.signed_in("ada")
    answer = bearer.post("/auth/refresh", {"refresh_token": bearer.refresh_token}, headers={"Authorization": None})
    assert answer.status == 200


def test_a_refresh_by_cookie_tells_no_token_in_the_body(cookie):
    cookie.signed_in("ada")
    answer = cookie.refresh()
    assert {"access_token", "refresh_token"} & answer.json.keys() == set()
    assert answer.json["csrf_token"] == cookie.cookies.get("csrf_token")


def test_without_a_refresh_token_nothing_is_refreshed(client):
    answer = client.post("/auth/refresh")
    assert (answer.status, answer.code) == (401, "token_missing")


def test_an_access_token_refreshes_nothing(client):
    client.signed_in("ada")
    client.refresh_token = client.access_token
    answer = client.refresh()
    assert (answer.status, answer.code) == (401, "token_invalid")


@pytest.mark.asvs("7.4.2")
@pytest.mark.parametrize(
    ("state", "status", "code"),
    [({"disabled_at": now()}, 403, "account_disabled"), ({"deleted_at": now()}, 401, "token_revoked")],
)
def test_an_account_closed_by_hand_is_out_when_its_access_token_expires(client, app, clock, state, status, code):
    client.signed_in("ada")
    change(app, User, User.username == "ada", **state)
    answer = client.refresh()
    assert (answer.status, answer.code) == (status, code)
    assert client.login("ada").status in (401, 403)
    clock.shift(901)
    assert client.get("/auth/protected").status == 401


@pytest.mark.asvs("7.4.2")
def test_the_refusal_ends_every_session_of_an_account_disabled_by_hand(client, app):
    client.signed_in("ada")
    elsewhere = client.another()
    elsewhere.login("ada")
    change(app, User, User.username == "ada", disabled_at=now())
    assert client.refresh().code == "account_disabled"
    for each in (client, elsewhere):
        assert each.get("/auth/protected").code == "token_revoked"
        assert each.refresh().code == "token_revoked"
    assert {row.revoked_why for row in rows(app, Session)} == {"disabled"}


def test_a_name_changed_meanwhile_is_in_the_next_access_token(client, app):
    client.signed_in("ada")
    change(app, User, User.username == "ada", username="countess")
    client.refresh()
    assert client.get("/auth/protected").json["logged_in_as"] == "countess"


def test_using_a_session_is_seen_in_its_row(client, app, clock):
    client.signed_in("ada")
    before = rows(app, Session)[0]
    clock.shift(60)
    client.refresh()
    after = rows(app, Session)[0]
    assert after.last_used_at > before.last_used_at
    assert after.idle_expires_at > before.idle_expires_at
    assert after.expires_at == before.expires_at


@one_client
@one_database
def test_the_token_of_a_failed_refresh_is_never_repeated(client):
    client.signed_in("ada")
    client.refresh_token = client.refresh_token[:-4] + "AAAA"
    answer = client.refresh()
    assert client.refresh_token not in answer.text
    assert PASSWORD not in answer.text


def test_without_grace_a_caller_who_waited_for_the_winner_is_too_late(make_client, clock):
    client = make_client(REFRESH_GRACE_SECONDS=0).signed_in("ada")
    waited = client.copy()
    clock.shift(5)
    assert client.refresh().status == 200
    clock.shift(-5)
    assert waited.refresh().code == "token_reused"
