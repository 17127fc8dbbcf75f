"""Logs: one line an entry, for machines, with who and from where; no secret, no line break of a client."""

import io
import json
import logging
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from auth import database
from models import AuditEvent
from tests.support.clients import PASSWORD
from tests.support.factors import App, begin, verify
from tests.support.mailbox import Mailbox
from tests.support.mailed import MAGIC_LINK, NEW_PASSWORD, RESET, VERIFY
from tests.support.tables import rows

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
MADE_UP = "made-up-by-somebody-who-has-no-letter-at-all"
FOREIGN_PAGE = {"X-Auth-Transport": "cookie", "Origin": "https://evil.example"}
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
        (lambda client: client.post("/auth/login", {}, headers=FOREIGN_PAGE), "csrf_failed"),
        (lambda client: client.get("/nothing/%0d%0a%1b[31m/here"), "not_found"),
    ],
)
def test_a_refusal_is_logged_with_its_code(lines, call, code):
    client, logged = lines
    call(client)
    assert [entry["code"] for entry in logged() if entry["event"] == "refused"] == [code]


@pytest.mark.asvs("16.3.3")
def test_a_limit_that_was_hit_and_a_token_that_came_twice_are_logged(lines):
    client, logged = lines
    thief = client.signed_in().copy()
    client.refresh()
    client.refresh()
    thief.refresh()
    for _ in range(11):
        client.another().login("ada", "Wrong-Guess-Of-Mine-1")
    told = [entry.get("code", entry["event"]) for entry in logged()]
    assert {"session.replayed", "token_reused", "account.locked", "account_locked"} <= set(told)


@pytest.mark.asvs("16.4.1")
def test_what_a_client_sends_stays_within_its_line(lines):
    client, logged = lines
    client.register()
    client.post("/auth/login", {"identifier": "ada", "password": PASSWORD}, headers={"User-Agent": FORGED})
    assert [entry["event"] for entry in logged()].count("login.succeeded") == 1
    assert "\x1b" not in logged()[-1]["user_agent"]
    assert "\u2028" not in logged()[-1]["user_agent"]


@pytest.fixture
def lived(lines):
    """A person whose account has lived through everything: the client, what was logged, every secret there was."""
    client, logged = lines
    mailbox = Mailbox(client.wire.app)
    secrets = [PASSWORD, NEW_PASSWORD, "Wrong-Guess-Of-Mine-1", MADE_UP, "ada@example.org", "ada@example.net"]

    def tokens_of(one):
        secrets.extend([one.access_token, one.refresh_token])
        return one

    tokens_of(client.signed_in("ada"))
    for kind in (VERIFY, MAGIC_LINK):
        letter = kind.letter(client, mailbox)
        secrets.extend([letter.token, letter.code])
        kind.redeem(client, email="ada@example.org", code="AAAAAAAA")
        assert kind.redeem(client, token=letter.token).status == 200
    tokens_of(client).refresh()
    client.another().login("ada", "Wrong-Guess-Of-Mine-1")
    app = App.enrolled(tokens_of(client))
    secrets.extend([app.secret, *app.recovery_codes, app.code(), app.code(1)])
    other = client.another()
    secrets.append(begin(other))
    verify(other, secrets[-1], "000000")
    assert verify(other, secrets[-1], app.code(1)).status == 200
    secrets.append(begin(other))
    assert verify(other, secrets[-1], app.recovery_codes[0], "recovery_code").status == 200
    letter = RESET.letter(tokens_of(other), mailbox)
    secrets.extend([letter.token, letter.code])
    assert RESET.redeem(client, token=letter.token).status == 200
    RESET.redeem(client, token=MADE_UP)
    other.login("ada", NEW_PASSWORD)
    return client, logged, [secret for secret in secrets if secret]


@pytest.mark.asvs("16.2.5", "14.2.4", "OWASP cheat sheets")
def test_no_secret_reaches_the_log_nor_the_audit_trail(lived):
    client, logged, secrets = lived
    told = json.dumps(logged()) + repr(rows(client.wire.app, AuditEvent))
    assert len(logged()) > 20
    assert [secret for secret in secrets if secret in told] == []


@pytest.mark.asvs("16.3.1", "16.2.1")
def test_every_pathway_is_told_with_its_outcome_and_its_proofs(lived):
    client, _, _ = lived
    events = rows(client.wire.app, AuditEvent)
    proofs = [event.data["amr"] for event in events if event.name == "login.succeeded"]
    assert proofs == [["pwd"], ["otp"], ["pwd", "otp", "mfa"], ["pwd", "otp", "mfa"]]
    names = {event.name for event in events}
    assert names >= {
        "account.registered", "login.succeeded", "login.half", "login.failed", "mfa.failed", "code.failed",
        "email.verified", "factor.added", "recovery_code.used", "password.reset", "sessions.revoked",
    }  # fmt: skip
    whole = ("at", "name", "ip", "user_agent", "request_id")
    assert all(getattr(event, column) for event in events for column in whole)
    assert {event.at.utcoffset() for event in events} == {timedelta(0)}


@pytest.mark.asvs("16.2.5", "16.5.1")
def test_an_error_of_the_database_shows_no_values(app):
    with app.app_context(), pytest.raises(OperationalError) as failed:
        database.execute(text("SELECT :secret FROM nowhere"), {"secret": PASSWORD})
    with app.app_context():
        database.end()
    assert PASSWORD not in str(failed.value)
