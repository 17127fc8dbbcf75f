"""GET /auth/protected, /auth/me and /auth/verify."""

from datetime import datetime

import jwt
import pytest

from models import User, now
from tests.support.tables import change, rows


def test_protected_tells_what_the_token_says(client):
    client.signed_in("ada")
    claims = jwt.decode(client.access_token, options={"verify_signature": False})
    assert client.get("/auth/protected").json == {
        "message": "You are signed in",
        "logged_in_as": "ada",
        "user_id": int(claims["sub"]),
        "session_id": client.session_id,
        "roles": [],
        "amr": ["pwd"],
        "acr": "aal1",
        "auth_time": claims["auth_time"],
        "expires_at": claims["exp"],
    }


def test_me_is_the_account_as_it_is_now(client, app):
    user_id = client.signed_in("ada").get("/auth/protected").json["user_id"]
    change(app, User, User.id == user_id, username="countess", email_verified_at=now(), roles=["admin"])
    account = client.get("/auth/me").json
    assert account | {"created_at": "", "updated_at": ""} == {
        "id": user_id,
        "username": "countess",
        "email": "ada@example.org",
        "email_verified": True,
        "roles": ["admin"],
        "created_at": "",
        "updated_at": "",
        "mfa": False,
    }


def test_moments_are_in_utc_and_updated_follows_a_change(client, app):
    client.signed_in("ada")
    before = client.get("/auth/me").json
    change(app, User, User.username == "ada", locale="de")
    after = client.get("/auth/me").json
    assert datetime.fromisoformat(after["updated_at"]).utcoffset().total_seconds() == 0
    assert after["created_at"] == before["created_at"]
    assert datetime.fromisoformat(after["updated_at"]) > datetime.fromisoformat(before["updated_at"])


def test_me_tells_no_secret(client, app):
    text = client.signed_in("ada").get("/auth/me").text
    assert rows(app, User)[0].password_hash not in text
    assert "password" not in text


def test_me_of_an_account_that_is_gone_is_refused(client, app):
    client.signed_in("ada")
    change(app, User, User.username == "ada", deleted_at=now())
    answer = client.get("/auth/me")
    assert (answer.status, answer.code) == (401, "token_revoked")


@pytest.mark.parametrize("roles", [[], ["admin"], ["admin", "editor"]])
def test_verify_tells_a_proxy_who_it_is_in_headers(client, app, roles):
    client.register("ada")
    change(app, User, User.username == "ada", roles=roles)
    client.login("ada")
    answer = client.get("/auth/verify")
    assert (answer.status, answer.data) == (204, b"")
    assert answer.headers["X-Auth-User"] == str(rows(app, User)[0].id)
    assert answer.headers["X-Auth-Roles"] == ",".join(roles)
    assert answer.headers["X-Auth-Session"] == client.session_id
    assert answer.headers["Cache-Control"] == "no-store"


def test_verify_says_no_without_a_token_and_after_a_logout(client):
    assert client.get("/auth/verify").code == "token_missing"
    kept = client.signed_in("ada").copy()
    client.logout()
    answer = kept.get("/auth/verify")
    assert (answer.status, answer.code) == (401, "token_revoked")
    assert "X-Auth-User" not in answer.headers


@pytest.mark.parametrize("path", ["/auth/protected", "/auth/me", "/auth/verify", "/auth/sessions"])
def test_what_concerns_a_person_is_never_stored_on_the_way(client, path):
    assert client.get(path).headers["Cache-Control"] == "no-store"
    assert client.signed_in("ada").get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/auth/protected", "/auth/me", "/auth/verify"])
def test_reading_changes_nothing(client, app, path):
    client.signed_in("ada")
    before = rows(app, User)
    client.get(path)
    assert rows(app, User) == before
