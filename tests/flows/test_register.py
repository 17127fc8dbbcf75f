"""POST /auth/register."""

from datetime import UTC, datetime, timedelta

import pytest

from models import AuditEvent, Session, User
from tests.support.clients import PASSWORD
from tests.support.marks import one_client, one_database
from tests.support.tables import rows

ADA = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}


def test_a_new_account_is_answered_without_its_password(client):
    answer = client.post("/auth/register", ADA)
    assert answer.status == 201
    assert answer.json == {
        "message": "User registered successfully",
        "user_id": answer.json["user_id"],
        "username": "ada",
        "email": "ada@example.org",
    }


def test_registering_signs_nobody_in(client, app):
    answer = client.register("ada")
    assert answer.set_cookies == {}
    assert rows(app, Session) == []
    assert client.get("/auth/protected").status == 401


def test_the_password_is_stored_as_a_bcrypt_hash_with_a_salt(client, app):
    client.register("ada")
    client.register("bob")
    ada, bob = (user.password_hash for user in rows(app, User))
    assert ada.startswith("$2b$04$")
    assert ada != bob


def test_the_account_and_its_event_are_dated_now(client, app):
    client.register("ada")
    user, event = rows(app, User)[0], rows(app, AuditEvent)[0]
    for moment in (user.created_at, user.updated_at, event.at):
        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_the_event_tells_who_from_where_and_in_which_request(client, app):
    client.address = "127.0.0.9"
    answer = client.register("ada")
    event = rows(app, AuditEvent)[0]
    assert (event.name, event.user_id) == ("account.registered", answer.json["user_id"])
    assert (event.ip, event.user_agent, event.request_id) == ("127.0.0.9", "tests", answer.headers["X-Request-Id"])


@pytest.mark.parametrize("taken", ["ada", "ADA", "Ada", "\uff21\uff24\uff21"])
def test_a_username_is_taken_in_any_case_and_any_form(client, app, taken):
    client.register("ada")
    answer = client.register(taken, "other@example.org")
    assert (answer.status, answer.code) == (409, "username_taken")
    assert len(rows(app, User)) == 1


@pytest.mark.parametrize("taken", ["ada@example.org", "ADA@Example.ORG", "Ada@example.org"])
def test_an_address_is_taken_in_any_case(client, app, taken):
    client.register("ada")
    answer = client.register("other", taken)
    assert (answer.status, answer.code) == (409, "email_taken")
    assert len(rows(app, User)) == 1


@pytest.mark.parametrize("username", ["zoë", "李小龙", "иван", "o.brien", "a-b_c", "007", "José-María"])
def test_usernames_of_all_scripts_register_and_sign_in(client, username):
    assert client.register(username, "someone@example.org").status == 201
    assert client.login(username).status == 200
    assert client.get("/auth/protected").json["logged_in_as"] == username


@one_client
@one_database
@pytest.mark.parametrize(
    "username",
    ["ab", "a" * 81, "ada lovelace", "ada@home", "-ada", ".ada", "ada\x00", "ada\u202e", "ada\n", "<b>", "ada\u200b"],
)
def test_a_username_that_could_mislead_is_refused_by_name(client, username):
    answer = client.register(username, "ada@example.org")
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert [error["field"] for error in answer.json["errors"]] == ["username"]


@one_client
@one_database
@pytest.mark.parametrize(
    "email",
    [
        "ada",
        "ada@",
        "@example.org",
        "ada@example",
        "a da@example.org",
        "ada@@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@exa mple.org",
        "ada@-example.org",
        "Ada <ada@example.org>",
        "ada@[127.0.0.1]",
        "a" * 120 + "@example.org",
        "ada\x00@example.org",
    ],
)
def test_an_address_that_is_none_is_refused_by_name(client, email):
    answer = client.register("ada", email)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert [error["field"] for error in answer.json["errors"]] == ["email"]


@one_client
@one_database
@pytest.mark.parametrize("password", ["short12", "x" * 257])
def test_a_password_out_of_bounds_is_refused_by_name(client, password):
    answer = client.register("ada", password=password)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert [error["field"] for error in answer.json["errors"]] == ["password"]


def test_every_fault_is_named_at_once(client, app):
    answer = client.post("/auth/register", {"username": "a", "email": "b", "password": 5})
    assert {error["field"] for error in answer.json["errors"]} == {"username", "email", "password"}
    assert rows(app, User) == []


def test_nobody_registers_where_registration_is_closed(make_client):
    answer = make_client(REGISTRATION="closed").register("ada")
    assert (answer.status, answer.code) == (403, "registration_closed")
