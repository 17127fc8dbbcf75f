"""The contract of the first document: its requests, its status codes and its sentences, word for word."""

import pytest
from sqlalchemy import DateTime, Integer, String, Text

from models import User
from tests.support.clients import PASSWORD

ADA = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
TYPES_OF_USER = {
    "id": Integer,
    "username": String,
    "email": String,
    "password_hash": Text,
    "created_at": DateTime,
    "updated_at": DateTime,
}


def said(answer):
    return answer.status, answer.message


def test_register_without_input(bearer):
    assert said(bearer.post("/auth/register")) == (400, "No input data provided")
    assert said(bearer.post("/auth/register", {})) == (400, "No input data provided")


@pytest.mark.parametrize("name", ADA)
@pytest.mark.parametrize("change", [lambda name: {}, lambda name: {name: ""}, lambda name: {name: None}])
def test_register_without_one_of_the_three(bearer, name, change):
    body = {other: value for other, value in ADA.items() if other != name} | change(name)
    assert said(bearer.post("/auth/register", body)) == (400, "Missing username, email, or password")


def test_register(bearer):
    answer = bearer.post("/auth/register", ADA)
    assert said(answer) == (201, "User registered successfully")
    assert type(answer.json["user_id"]) is int


def test_register_a_username_twice(bearer):
    bearer.post("/auth/register", ADA)
    answer = bearer.post("/auth/register", ADA | {"email": "other@example.org"})
    assert said(answer) == (409, "Username already exists")


def test_register_an_email_twice(bearer):
    bearer.post("/auth/register", ADA)
    assert said(bearer.post("/auth/register", ADA | {"username": "other"})) == (409, "Email already exists")


def test_login_without_input(bearer):
    assert said(bearer.post("/auth/login")) == (400, "No input data provided")
    assert said(bearer.post("/auth/login", {})) == (400, "No input data provided")


@pytest.mark.parametrize(
    "body",
    [{"identifier": "ada"}, {"password": PASSWORD}, {"identifier": "", "password": PASSWORD}],
    ids=["no password", "no identifier", "empty identifier"],
)
def test_login_without_one_of_the_two(bearer, body):
    assert said(bearer.post("/auth/login", body)) == (400, "Missing identifier or password")


@pytest.mark.parametrize("identifier", [ADA["username"], ADA["email"]])
def test_login_by_username_or_email(bearer, identifier):
    bearer.post("/auth/register", ADA)
    answer = bearer.post("/auth/login", {"identifier": identifier, "password": PASSWORD})
    assert answer.status == 200
    assert answer.json["access_token"].count(".") == 2


@pytest.mark.parametrize("identifier", ["ada", "nobody"])
def test_login_with_wrong_credentials(bearer, identifier):
    bearer.post("/auth/register", ADA)
    answer = bearer.post("/auth/login", {"identifier": identifier, "password": "not-the-password"})
    assert said(answer) == (401, "Invalid credentials")


def test_protected(bearer):
    bearer.signed_in("ada")
    answer = bearer.get("/auth/protected")
    assert (answer.status, answer.json["logged_in_as"]) == (200, "ada")


def test_protected_without_a_token(bearer):
    assert said(bearer.get("/auth/protected")) == (401, "Missing Authorization Header")


def test_protected_with_a_token_that_is_none(bearer):
    bearer.access_token = "not.a.token"
    assert said(bearer.get("/auth/protected")) == (401, "Signature verification failed")


def test_protected_with_an_expired_token(bearer, clock):
    bearer.signed_in("ada")
    clock.shift(901)
    assert said(bearer.get("/auth/protected")) == (401, "Token has expired")


def test_protected_with_a_revoked_token(bearer):
    bearer.signed_in("ada").logout()
    assert said(bearer.get("/auth/protected")) == (401, "Token has been revoked")


@pytest.mark.parametrize("name", TYPES_OF_USER)
def test_the_table_user_has_the_columns_of_the_first_document(name):
    column = User.__table__.c[name]
    kind = getattr(column.type, "impl", column.type)
    assert isinstance(kind, TYPES_OF_USER[name])
    assert not column.nullable
    assert column.unique or name not in ("username", "email")
    assert getattr(kind, "length", None) == {"username": 80, "email": 120}.get(name)
