"""Logs: one line an entry, for machines, with who and from where; no secret, no line break of a client."""

import io
import json
import logging
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from auth import database
from tests.support.clients import PASSWORD

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
FORGED = 'curl/8.0 \x1b[31m\u2028{"event": "login.succeeded"}'


@pytest.fixture
def lines(make_client, client):
    """A client whose service logs as JSON, and what it has logged so far, read as JSON."""
    written = io.StringIO()
    spoken = make_client(LOG_FORMAT="json", LOG_LEVEL="info")
    handler = logging.getLogger("gatehouse").handlers[0]
    handler.setStream(written)
    return spoken, lambda: [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.asvs("16.2.1", "16.2.2", "16.2.4", "16.3.1")
def test_a_sign_in_is_one_line_with_who_when_and_from_where(lines):
    client, logged = lines
    client.signed_in()
    entry = logged()[-1]
    assert entry["event"] == "login.succeeded"
    assert {"user_id", "session_id", "ip", "user_agent", "request_id", "amr", "timestamp"} <= set(entry)
    assert datetime.fromisoformat(entry["timestamp"]).utcoffset().total_seconds() == 0


@pytest.mark.asvs("16.3.1", "16.3.2", "16.3.3")
@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda client: client.login("nobody"), "invalid_credentials"),
        (lambda client: client.get("/auth/me"), "token_missing"),
        (
            lambda client: client.get("/auth/me", headers={"Authorization": "Bearer x.y.z", "Cookie": None}),
            "token_invalid",
        ),
        (lambda client: client.post("/auth/register", {"username": 7}), "invalid_request"),
    ],
)
def test_a_refusal_is_logged_with_its_code(lines, call, code):
    client, logged = lines
    call(client)
    assert [entry["code"] for entry in logged() if entry["event"] == "refused"] == [code]


@pytest.mark.asvs("16.4.1")
def test_what_a_client_sends_stays_within_its_line(lines):
    client, logged = lines
    client.register()
    client.post("/auth/login", {"identifier": "ada", "password": PASSWORD}, headers={"User-Agent": FORGED})
    assert [entry["event"] for entry in logged()].count("login.succeeded") == 1
    assert "\x1b" not in logged()[-1]["user_agent"]
    assert "\u2028" not in logged()[-1]["user_agent"]


@pytest.mark.asvs("16.2.5", "14.2.4")
def test_no_secret_reaches_the_log(lines):
    client, logged = lines
    client.signed_in()
    secrets = [PASSWORD, client.access_token, client.refresh_token]
    client.refresh()
    client.login("ada", "Wrong-Guess-Of-Mine-1")
    client.logout()
    text = json.dumps(logged())
    assert not any(secret in text for secret in [*secrets, client.access_token, "Wrong-Guess-Of-Mine-1"] if secret)
    assert "ada@example.org" not in text


@pytest.mark.asvs("16.2.5", "16.5.1")
def test_an_error_of_the_database_shows_no_values(app):
    with app.app_context(), pytest.raises(OperationalError) as failed:
        database.execute(text("SELECT :secret FROM nowhere"), {"secret": PASSWORD})
    with app.app_context():
        database.end()
    assert PASSWORD not in str(failed.value)
