"""POST /auth/email/verify/request and /auth/email/verify."""

import pytest

from tests.support.mailbox import Mailbox
from tests.support.mailed import MAGIC_LINK, RESET, VERIFY


def test_registering_sends_a_letter_that_verifies_the_address(client, mailbox):
    client.signed_in("ada")
    assert client.get("/auth/me").json["email_verified"] is False
    answer = client.post("/auth/email/verify", {"token": mailbox.last("ada@example.org").token})
    assert (answer.status, answer.message) == (200, "Your address is verified")
    assert client.get("/auth/me").json["email_verified"] is True


def test_verifying_signs_nobody_in(client, mailbox):
    client.register("ada")
    answer = client.post("/auth/email/verify", {"token": mailbox.last().token})
    assert list(answer.json) == ["message"]
    assert answer.set_cookies == {}


def test_whoever_is_signed_in_need_not_say_their_address(client, mailbox):
    client.signed_in("ada")
    assert client.post("/auth/email/verify/request").status == 202
    assert VERIFY.redeem(client, token=mailbox.last("ada@example.org").token).status == 200
    assert len(mailbox.all()) == 2


def test_whoever_is_not_signed_in_must_say_an_address(client):
    answer = client.post("/auth/email/verify/request")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "email")


def test_a_verified_address_gets_no_further_letter(client, mailbox):
    VERIFY.redeem(client, token=VERIFY.letter(client.signed_in("ada"), mailbox).token)
    before = len(mailbox.all())
    assert client.post("/auth/email/verify/request", {"email": "ada@example.org"}).status == 202
    assert len(mailbox.all()) == before


@pytest.mark.parametrize("kind", [RESET, MAGIC_LINK], ids=lambda kind: kind.name)
def test_other_letters_prove_the_address_too(client, mailbox, kind):
    letter = kind.letter(client.signed_in("ada"), mailbox)
    assert client.post(kind.path, {**kind.more, "token": letter.token}).status == 200
    client.login("ada", kind.more.get("password", "there is none"))
    assert client.get("/auth/me").json["email_verified"] is True


def test_a_letter_to_an_earlier_address_verifies_nothing(client, mailbox):
    client.signed_in("ada")
    early = VERIFY.letter(client, mailbox).token
    client.post("/auth/email/change", {"email": "ada@example.net", "password": "Tulip-Anvil-Crater-59"})
    client.post("/auth/email/change/confirm", {"token": mailbox.last("ada@example.net").token})
    assert VERIFY.redeem(client, token=early).code == "link_invalid"


def test_where_it_is_wanted_nobody_enters_unverified_by_any_way(make_client):
    client = make_client(REQUIRE_VERIFIED_EMAIL=True)
    mailbox = Mailbox(client.wire.app)
    client.register("ada")
    assert client.login("ada").code == "email_not_verified"
    assert VERIFY.redeem(client, token=mailbox.last().token).status == 200
    assert client.login("ada").status == 200


def test_where_it_is_wanted_a_link_by_mail_proves_the_address_and_enters(make_client):
    client = make_client(REQUIRE_VERIFIED_EMAIL=True)
    client.register("ada")
    token = MAGIC_LINK.letter(client, Mailbox(client.wire.app)).token
    assert MAGIC_LINK.redeem(client, token=token).status == 200
