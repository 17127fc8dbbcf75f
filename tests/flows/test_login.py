"""POST /auth/login."""

import time

import jwt
import pytest

from models import AuditEvent, Session, User, now
from tests.support.clients import PASSWORD
from tests.support.marks import one_database
from tests.support.tables import change, rows


def test_a_bearer_client_gets_its_tokens_in_the_body(bearer):
    bearer.register("ada")
    answer = bearer.login("ada")
    assert answer.json | {"access_token": "", "refresh_token": "", "session_id": ""} == {
        "access_token": "",
        "refresh_token": "",
        "session_id": "",
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_expires_in": answer.json["refresh_expires_in"],
    }
    assert 1209590 <= answer.json["refresh_expires_in"] <= 1209600
    assert answer.set_cookies == {}


def test_tokens_are_never_stored_on_the_way(client):
    client.register("ada")
    assert client.login("ada").headers["Cache-Control"] == "no-store"


def test_the_access_token_says_what_rfc_9068_wants(client):
    client.signed_in("ada")
    header = jwt.get_unverified_header(client.access_token)
    claims = jwt.decode(client.access_token, options={"verify_signature": False})
    assert (header["typ"], header["alg"]) == ("at+jwt", "EdDSA")
    assert (claims["iss"], claims["aud"]) == (client.wire.url, "gatehouse")
    assert claims["sub"] == str(client.get("/auth/me").json["id"])
    assert claims["exp"] - claims["iat"] == 900
    assert abs(claims["auth_time"] - time.time()) < 60
    assert (claims["amr"], claims["acr"], claims["roles"]) == (["pwd"], "aal1", [])
    assert (claims["preferred_username"], claims["sid"]) == ("ada", client.session_id)
    assert len(claims["jti"]) >= 22


@pytest.mark.parametrize("identifier", ["ada", "ADA", "ada@example.org", "Ada@EXAMPLE.org", "\uff41da"])
def test_the_identifier_is_a_username_or_an_address_in_any_form(client, identifier):
    client.register("ada")
    assert client.login(identifier).status == 200


def test_wrong_password_and_unknown_person_are_answered_alike(client):
    client.register("ada")
    wrong, unknown = client.login("ada", "wrong-password-1"), client.login("nobody", "wrong-password-1")
    for answer in (wrong, unknown):
        assert (answer.status, answer.code, answer.message) == (401, "invalid_credentials", "Invalid credentials")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="gatehouse"'
    assert wrong.json | {"request_id": ""} == unknown.json | {"request_id": ""}
    assert {name for name, _ in wrong.headers} == {name for name, _ in unknown.headers}


def test_a_failed_attempt_begins_no_session_and_is_recorded(client, app):
    user_id = client.register("ada").json["user_id"]
    client.login("ada", "wrong-password-1")
    assert rows(app, Session) == []
    event = rows(app, AuditEvent)[-1]
    assert (event.name, event.user_id, event.data["reason"]) == ("login.failed", user_id, "password")


def test_a_sign_in_is_recorded_with_its_session_and_proof(client, app):
    client.signed_in("ada")
    event = rows(app, AuditEvent, AuditEvent.name == "login.succeeded")[0]
    assert (event.session_id, event.data) == (client.session_id, {"amr": ["pwd"]})


@pytest.mark.asvs("7.2.2", "7.2.4")
def test_every_sign_in_begins_a_session_of_its_own(client):
    client.signed_in("ada")
    first = client.session_id, client.access_token, client.refresh_token
    client.login("ada")
    second = client.session_id, client.access_token, client.refresh_token
    assert all(before != after for before, after in zip(first, second, strict=True))


@pytest.mark.asvs("7.2.4")
@pytest.mark.parametrize("name", ["access_token", "refresh_token", "csrf_token"])
def test_a_cookie_planted_before_the_sign_in_is_replaced(cookie, name):
    cookie.register("ada")
    cookie.cookies.set(name, "planted")
    cookie.login("ada")
    assert cookie.cookies.get(name) != "planted"
    assert cookie.get("/auth/protected").status == 200


@pytest.mark.asvs("7.2.3")
def test_session_ids_are_long_random_and_never_repeat(client, app):
    client.register("ada")
    ids = [client.login("ada").json["session_id"] for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(len(sid) == 22 for sid in ids)
    assert len({sid[position] for position in range(22) for sid in ids}) > 40


@pytest.mark.parametrize(
    ("state", "settings", "code"),
    [
        ({"disabled_at": now()}, {}, "account_disabled"),
        ({"email_verified_at": None}, {"REQUIRE_VERIFIED_EMAIL": True}, "email_not_verified"),
    ],
)
def test_the_state_of_an_account_is_told_only_after_a_right_password(make_app, make_client, state, settings, code):
    client = make_client(**settings)
    client.register("ada")
    change(make_app(), User, User.username == "ada", **state)
    assert client.login("ada", "wrong-password-1").code == "invalid_credentials"
    answer = client.login("ada")
    assert (answer.status, answer.code) == (403, code)


def test_a_deleted_account_is_an_unknown_one(client, app):
    client.register("ada")
    change(app, User, User.username == "ada", deleted_at=now())
    assert client.login("ada").code == "invalid_credentials"


@one_database
@pytest.mark.parametrize("password", [PASSWORD.lower(), PASSWORD + " ", " " + PASSWORD, PASSWORD[:-1], PASSWORD + "x"])
def test_only_the_very_password_opens(client, password):
    client.register("ada")
    assert client.login("ada", password).code == "invalid_credentials"
