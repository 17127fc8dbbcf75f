"""POST /auth/magic-link and /auth/magic-link/verify."""

import pytest

from models import AuditEvent, User, now
from tests.support.clients import PASSWORD
from tests.support.factors import renew
from tests.support.mailbox import Mailbox
from tests.support.mailed import MAGIC_LINK, NEW_PASSWORD, RESET, VERIFY
from tests.support.tables import change, rows


@pytest.mark.parametrize("secret", ["token", "code"])
def test_link_and_code_sign_in(client, mailbox, secret):
    letter = MAGIC_LINK.letter(client.signed_in("ada"), mailbox)
    proof = {"token": letter.token} if secret == "token" else {"email": "ada@example.org", "code": letter.code}
    other = client.another()
    assert other.post("/auth/magic-link/verify", proof).status == 200
    claims = other.get("/auth/protected").json
    assert (claims["logged_in_as"], claims["amr"], claims["acr"]) == ("ada", ["otp"], "aal1")


def test_the_tokens_go_where_the_client_wants_them(cookie):
    cookie.register("ada")
    mailbox = Mailbox(cookie.wire.app)
    cookie.post("/auth/magic-link", {"email": "ada@example.org"})
    answer = cookie.post("/auth/magic-link/verify", {"token": mailbox.last().token})
    assert "access_token" not in answer.json
    assert cookie.get("/auth/protected").status == 200


def test_the_answer_is_the_same_for_everybody(client):
    client.register("ada")
    known, unknown = (client.post("/auth/magic-link", {"email": f"{who}@example.org"}) for who in ("ada", "nobody"))
    assert (known.status, known.json) == (unknown.status, unknown.json)
    assert known.status == 202


def test_a_disabled_account_gets_no_letter(client, mailbox):
    client.register("ada")
    change(client.wire.app, User, User.username == "ada", disabled_at=now())
    before = len(mailbox.all())
    assert client.post("/auth/magic-link", {"email": "ada@example.org"}).status == 202
    assert len(mailbox.all()) == before


def test_the_gate_asks_what_an_account_may_do(client, mailbox):
    token = MAGIC_LINK.letter(client.signed_in("ada"), mailbox).token
    change(client.wire.app, User, User.username == "ada", disabled_at=now())
    answer = MAGIC_LINK.redeem(client, token=token)
    assert (answer.status, answer.code) == (403, "account_disabled")


def test_a_second_factor_is_still_asked_for_and_the_link_is_spent(client, mailbox):
    token = MAGIC_LINK.letter(client.signed_in("ada"), mailbox).token
    change(client.wire.app, User, User.username == "ada", mfa_since=now())
    answer = MAGIC_LINK.redeem(client, token=token)
    assert (answer.status, answer.code) == (401, "mfa_required")
    assert MAGIC_LINK.redeem(client, token=token).code == "link_invalid"


@pytest.mark.asvs("6.3.6")
def test_switched_off_there_is_no_such_route(make_client, mailbox):
    client = make_client(MAGIC_LINK=False)
    client.register("ada")
    for path, body in (("", {"email": "ada@example.org"}), ("/verify", {"token": "x"})):
        answer = client.post(f"/auth/magic-link{path}", body)
        assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.asvs("6.3.6")
def test_switched_off_an_earlier_link_opens_nothing(client, make_client, mailbox):
    token = MAGIC_LINK.letter(client.signed_in("ada"), mailbox).token
    assert MAGIC_LINK.redeem(make_client(MAGIC_LINK=False), token=token).status == 404


@pytest.fixture
def taken_over(client, mailbox):
    """A stranger has registered ada's address and signed in; ada signs in by a link: both their clients."""
    stranger = client.signed_in("ada")
    stranger.post("/auth/email/change", {"email": "eve@example.net", "password": PASSWORD})
    ada = client.another()
    letter = MAGIC_LINK.letter(client, mailbox)
    assert ada.post("/auth/magic-link/verify", {"token": letter.token}).status == 200
    return stranger, ada


@pytest.mark.asvs("6.4.1", "7.4.3")
def test_the_first_proof_of_an_address_leaves_a_stranger_who_registered_it_nothing(taken_over, mailbox):
    stranger, ada = taken_over
    assert (stranger.get("/auth/me").code, stranger.refresh().code) == ("token_revoked", "token_revoked")
    assert stranger.another().login("ada").code == "invalid_credentials"
    confirmation = mailbox.last("eve@example.net").token
    assert ada.another().post("/auth/email/change/confirm", {"token": confirmation}).code == "link_invalid"
    assert ada.get("/auth/me").json["email_verified"] is True
    assert len(ada.get("/auth/sessions").json["items"]) == 1


def test_the_person_is_told_to_choose_a_password_and_does(taken_over, mailbox):
    _, ada = taken_over
    assert "Please choose a new password" in [letter.subject for letter in mailbox.all("ada@example.org")]
    assert "password.voided" in [event.name for event in rows(ada.wire.app, AuditEvent)]
    assert RESET.redeem(ada, token=RESET.letter(ada, mailbox).token).status == 200
    assert ada.another().login("ada", NEW_PASSWORD).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/auth/password/change", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
        ("POST", "/auth/email/change", {"email": "ada@example.net", "password": PASSWORD}),
        ("POST", "/auth/reauthenticate", {"password": PASSWORD}),
        ("DELETE", "/auth/me", {"password": PASSWORD}),
    ],
)
def test_who_is_signed_in_without_a_password_is_told_where_it_would_be_asked_for(taken_over, method, path, body):
    _, ada = taken_over
    answer = ada.request(method, path, body)
    assert (answer.status, answer.code) == (409, "no_password")
    assert ada.get("/auth/me").status == 200


def test_without_a_password_another_link_is_a_fresh_proof(taken_over, mailbox, clock):
    _, ada = taken_over
    clock.shift(601)
    assert ada.get("/auth/me/export").code == "fresh_token_required"
    ada.post("/auth/magic-link/verify", {"token": MAGIC_LINK.letter(ada, mailbox).token})
    assert ada.get("/auth/me/export").status == 200


def test_an_address_that_was_proven_before_keeps_its_password_and_its_sessions(client, mailbox):
    VERIFY.redeem(client, token=VERIFY.letter(client.signed_in("ada"), mailbox).token)
    assert MAGIC_LINK.redeem(client, token=MAGIC_LINK.letter(client, mailbox).token).status == 200
    renew(client)
    assert client.another().login("ada").status == 200


def test_the_stranger_is_out_even_where_the_gate_lets_nobody_in(client, mailbox):
    token = MAGIC_LINK.letter(client.signed_in("ada"), mailbox).token
    change(client.wire.app, User, User.username == "ada", mfa_since=now())
    assert MAGIC_LINK.redeem(client, token=token).code == "mfa_required"
    assert client.get("/auth/me").code == "token_revoked"
