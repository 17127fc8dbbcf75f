"""POST /auth/not-me."""

import pytest

from models import User
from tests.support.clients import PASSWORD
from tests.support.mailed import MAGIC_LINK, NEW_PASSWORD, NOT_ME, RESET
from tests.support.tables import rows


@pytest.fixture
def reported(client, mailbox):
    """Ada was signed in twice, has said that it was not her, and the letter to choose a password has come."""
    client.signed_in("ada")
    other = client.another()
    other.login("ada")
    assert NOT_ME.redeem(client, token=NOT_ME.letter(client, mailbox).token).status == 200
    return client, other, mailbox.last("ada@example.org")


def test_every_session_ends(reported):
    client, other, _ = reported
    assert [one.get("/auth/me").code for one in (client, other)] == ["token_revoked"] * 2


def test_nobody_enters_until_a_new_password_was_chosen(reported, mailbox):
    client, _, letter = reported
    answer = client.another().login("ada")
    assert (answer.status, answer.code) == (403, "password_reset_required")
    magic = MAGIC_LINK.redeem(client, token=MAGIC_LINK.letter(client, mailbox).token)
    assert (magic.status, magic.code) == (403, "password_reset_required")
    assert RESET.redeem(client, token=letter.token).status == 200
    assert client.login("ada", NEW_PASSWORD).status == 200


def test_a_wrong_password_is_told_nothing_of_it(reported):
    client, _, _ = reported
    assert client.another().login("ada", "Wrong-Anvil-Crater-59").code == "invalid_credentials"


def test_a_letter_to_choose_a_password_comes_by_itself(reported):
    assert reported[2].subject == "Choose a new password"


def test_letters_from_before_are_void(client, mailbox):
    client.signed_in("ada")
    tokens = {kind: kind.letter(client, mailbox).token for kind in (RESET, MAGIC_LINK)}
    NOT_ME.redeem(client, token=NOT_ME.letter(client, mailbox).token)
    assert {kind.redeem(client, token=token).code for kind, token in tokens.items()} == {"link_invalid"}


def test_every_notice_can_be_answered_even_after_others(client, mailbox):
    client.signed_in("ada")
    first, second = NOT_ME.letter(client, mailbox).token, NOT_ME.letter(client, mailbox).token
    assert NOT_ME.redeem(client, token=first).status == 200
    assert first != second


def test_a_change_of_address_that_waits_is_void(client, mailbox):
    client.signed_in("ada").post("/auth/email/change", {"email": "ada@example.net", "password": PASSWORD})
    NOT_ME.redeem(client, token=mailbox.last("ada@example.org").token)
    confirmed = client.another().post("/auth/email/change/confirm", {"token": mailbox.last("ada@example.net").token})
    assert confirmed.code == "link_invalid"


def test_a_new_password_lifts_it(reported):
    client, _, letter = reported
    RESET.redeem(client, token=letter.token)
    assert [user.reset_forced_at for user in rows(client.wire.app, User)] == [None]
