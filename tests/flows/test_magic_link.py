"""POST /auth/magic-link and /auth/magic-link/verify."""

import pytest

from models import User, now
from tests.support.mailbox import Mailbox
from tests.support.mailed import MAGIC_LINK
from tests.support.tables import change


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
