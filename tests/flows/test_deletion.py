"""DELETE /auth/me."""

import pyotp
import pytest

from auth import audit, database
from models import AuditEvent, Base, User
from tests.support.clients import PASSWORD
from tests.support.mailbox import Mailbox
from tests.support.mailed import VERIFY
from tests.support.tables import rows

ADDRESS, PROGRAM = "198.51.100.77", "Peculiar/7.7"


def delete(client, password=PASSWORD):
    return client.delete("/auth/me", {"password": password})


@pytest.fixture(params=[False, True], ids=["registration", "private registration"])
def lived(request, make_client):
    """Somebody with names, an address and a program that nobody else has, who has used everything."""
    client = make_client(PRIVATE_REGISTRATION=request.param)
    mailbox = Mailbox(client.wire.app)
    client.address = ADDRESS
    send = client.request
    client.request = lambda *what, **more: send(*what, **{"headers": {"User-Agent": PROGRAM}, **more})
    for _ in range(2):
        client.register("zephyrine", "zephyrine@quixotic.example")
        letter = mailbox.last()
    client.post("/auth/email/verify", {"token": letter.token})
    client.login("zephyrine", "Wrong-Anvil-Crater-59")
    client.login("zephyrine")
    made = client.post("/auth/mfa/totp/enroll", {"name": "Zephyrine's phone"}).json
    codes = client.post("/auth/mfa/totp/confirm", {"code": pyotp.TOTP(made["secret"]).now()}).json["recovery_codes"]
    fresh = {"password": PASSWORD, "method": "recovery_code", "code": codes[0]}
    assert client.post("/auth/reauthenticate", fresh).status == 200
    client.post("/auth/password/forgot", {"email": "zephyrine@quixotic.example"})
    client.post("/auth/email/verify", {"email": "zephyrine@quixotic.example", "code": "AAAAAAAA"})
    mailbox.work()
    client.post("/auth/magic-link", {"email": "zephyrine@quixotic.example"})
    return client


def everything(app):
    """Every value in every column of every table, as text."""
    with app.app_context():
        found = {table.name: database.execute(table.select()).all() for table in Base.metadata.sorted_tables}
        database.end()
    return {name: repr(rows_).casefold() for name, rows_ in found.items()}


def test_the_person_is_gone_from_every_column_of_every_table(lived):
    assert delete(lived).status == 204
    Mailbox(lived.wire.app).work()
    traces = ("zephyrine", "quixotic", ADDRESS, PROGRAM.casefold())
    found = {(name, trace) for name, text in everything(lived.wire.app).items() for trace in traces if trace in text}
    assert found == set()


def test_the_audit_trail_stays_whole_under_a_bare_number(client):
    client.signed_in("ada")
    app = client.wire.app
    number = rows(app, User)[0].id
    with app.app_context():
        audit.seal()
    delete(client)
    assert [event.name for event in rows(app, AuditEvent, AuditEvent.user_id == number)][-1] == "account.deleted"
    with app.app_context():
        audit.seal()
        assert list(audit.verify()) == []
        database.end()


def test_every_session_ends(client):
    client.signed_in("ada")
    other = client.another()
    other.login("ada")
    kept = client.copy()
    assert delete(client).status == 204
    assert [one.get("/auth/protected").code for one in (kept, other)] == ["token_revoked"] * 2
    assert other.refresh().code == "token_revoked"


@pytest.mark.asvs("14.3.1")
def test_a_browser_is_told_to_forget_everything(cookie):
    answer = delete(cookie.signed_in("ada"))
    assert "storage" in answer.headers["Clear-Site-Data"]
    assert cookie.access_token is None


def test_whoever_asks_then_is_nobody(client):
    delete(client.signed_in("ada"))
    assert client.another().login("ada").code == "invalid_credentials"


def test_the_last_letter_says_so(client, mailbox):
    delete(client.signed_in("ada"))
    assert mailbox.last("ada@example.org").subject == "Your account was deleted"


@pytest.mark.parametrize("username", ["ada", "ADA"])
def test_the_username_is_free_after_thirty_days(client, clock, username):
    delete(client.signed_in("ada"))
    assert client.another().register(username, "new@example.org").code == "username_taken"
    clock.shift(30 * 86400 + 1)
    assert client.another().register(username, "new@example.org").status == 201


def test_nobody_can_change_to_the_username_meanwhile(client):
    delete(client.signed_in("ada"))
    other = client.another().signed_in("bob")
    assert other.post("/auth/username/change", {"username": "ada"}).code == "username_taken"


def test_the_address_is_free_at_once(client):
    delete(client.signed_in("ada"))
    assert client.another().register("lovelace", "ada@example.org").status == 201


def test_old_links_of_the_person_open_nothing(client, mailbox):
    token = VERIFY.letter(client.signed_in("ada"), mailbox).token
    delete(client)
    assert VERIFY.redeem(client, token=token).code == "link_invalid"


def test_a_wrong_password_deletes_nothing(client):
    answer = delete(client.signed_in("ada"), "Wrong-Anvil-Crater-59")
    assert (answer.status, answer.code) == (401, "invalid_credentials")
    assert client.get("/auth/me").status == 200


def test_the_password_is_needed(client):
    answer = client.signed_in("ada").delete("/auth/me")
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert client.get("/auth/me").status == 200


@pytest.mark.asvs("7.5.1", "7.5.3")
def test_a_proof_that_is_not_fresh_is_refused(client, clock):
    client.signed_in("ada")
    clock.shift(601)
    assert delete(client).code == "fresh_token_required"


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_of_many_deletions_at_once_one_is_made(client, race):
    client.signed_in("ada")
    answers = race(8, lambda _: delete(client.copy()))
    statuses = [answer.status for answer in answers]
    assert statuses.count(204) == 1
    assert set(statuses) <= {204, 401, 409}
