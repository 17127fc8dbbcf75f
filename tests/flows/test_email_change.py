"""POST /auth/email/change and /auth/email/change/confirm."""

import pytest

from tests.support.clients import PASSWORD
from tests.support.mailed import MAGIC_LINK, NEW_PASSWORD, RESET

OLD, NEW = "ada@example.org", "ada@example.net"


def ask(client, email=NEW, password=PASSWORD):
    return client.post("/auth/email/change", {"email": email, "password": password})


def confirm(client, mailbox, email=NEW):
    return client.another().post("/auth/email/change/confirm", {"token": mailbox.last(email).token})


def test_nothing_changes_until_the_new_address_is_confirmed(client, mailbox):
    assert ask(client.signed_in("ada")).status == 202
    assert mailbox.last(NEW).subject == "Confirm your new address"
    assert client.get("/auth/me").json["email"] == OLD
    assert confirm(client, mailbox).status == 200
    me = client.get("/auth/me").json
    assert (me["email"], me["email_verified"]) == (NEW, True)


def test_one_signs_in_with_the_new_address_from_then_on(client, mailbox):
    ask(client.signed_in("ada"))
    confirm(client, mailbox)
    assert client.another().login(NEW).status == 200
    assert client.another().login(OLD).code == "invalid_credentials"


@pytest.mark.asvs("6.3.7")
def test_the_old_address_is_told_when_it_is_asked_and_when_it_is_done(client, mailbox):
    ask(client.signed_in("ada"))
    assert mailbox.last(OLD).subject == "Your address is about to change"
    confirm(client, mailbox)
    assert mailbox.last(OLD).subject == "Your address was changed"


@pytest.mark.parametrize("letter", [-2, -1])
def test_either_letter_to_the_old_address_leads_back_to_it(client, mailbox, letter):
    ask(client.signed_in("ada"))
    confirm(client, mailbox)
    way_back = mailbox.all(OLD)[letter].token
    assert client.another().post("/auth/not-me", {"token": way_back}).status == 200
    reset = mailbox.last(OLD)
    assert reset.subject == "Choose a new password"
    assert RESET.redeem(client, token=reset.token).status == 200
    client.login(OLD, NEW_PASSWORD)
    assert client.get("/auth/me").json["email"] == OLD


def test_the_way_back_lasts_seven_days(client, mailbox, clock):
    ask(client.signed_in("ada"))
    confirm(client, mailbox)
    clock.shift(7 * 86400 - 60)
    assert client.another().post("/auth/not-me", {"token": mailbox.last(OLD).token}).status == 200


def test_whoever_took_the_account_over_cannot_close_the_way_back(client, mailbox):
    ask(client.signed_in("ada"))
    confirm(client, mailbox)
    way_back = mailbox.last(OLD).token
    client.post("/auth/password/change", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    theirs = mailbox.last(NEW).token
    assert client.another().register("eve", OLD).code == "email_taken"
    assert client.another().post("/auth/not-me", {"token": theirs}).status == 200
    assert client.another().post("/auth/not-me", {"token": way_back}).status == 200
    assert mailbox.last().to == OLD


def test_once_the_way_back_was_gone_the_letters_to_the_other_address_are_void(client, mailbox):
    ask(client.signed_in("ada"))
    confirm(client, mailbox)
    client.post("/auth/password/change", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    theirs = mailbox.last(NEW).token
    client.another().post("/auth/not-me", {"token": mailbox.last(OLD).token})
    assert client.another().post("/auth/not-me", {"token": theirs}).code == "link_invalid"


def test_letters_to_the_old_address_are_void(client, mailbox):
    client.signed_in("ada")
    tokens = {kind: kind.letter(client, mailbox).token for kind in (RESET, MAGIC_LINK)}
    ask(client)
    confirm(client, mailbox)
    assert {kind.redeem(client, token=token).code for kind, token in tokens.items()} == {"link_invalid"}


def test_an_address_that_somebody_has_is_answered_alike_and_its_owner_is_told(client, mailbox):
    client.signed_in("ada").another().register("bob")
    free, taken = ask(client), ask(client, "bob@example.org")
    assert (free.status, free.json) == (taken.status, taken.json)
    assert mailbox.last("bob@example.org").subject == "This address already has an account"


def test_an_address_that_somebody_took_meanwhile_is_a_conflict(client, mailbox):
    ask(client.signed_in("ada"))
    mailbox.work()
    client.another().register("bob", NEW)
    token = mailbox.all(NEW)[0].token
    answer = client.another().post("/auth/email/change/confirm", {"token": token})
    assert (answer.status, answer.code) == (409, "email_taken")
    assert client.get("/auth/me").json["email"] == OLD


def test_a_wrong_password_changes_nothing(client, mailbox):
    answer = ask(client.signed_in("ada"), password="Wrong-Anvil-Crater-59")
    assert (answer.status, answer.code) == (401, "invalid_credentials")
    assert mailbox.all(NEW) == []


def test_ones_own_address_is_refused_by_name(client):
    answer = ask(client.signed_in("ada"), "ADA@example.org")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "email")


@pytest.mark.asvs("7.5.1")
def test_a_proof_that_is_not_fresh_is_refused(client, clock):
    client.signed_in("ada")
    clock.shift(601)
    assert ask(client).code == "fresh_token_required"


def test_a_change_that_was_asked_for_before_a_reset_is_void(client, mailbox):
    token = RESET.letter(client.signed_in("ada"), mailbox).token
    ask(client)
    RESET.redeem(client, token=token)
    assert mailbox.all(NEW) == []


def test_a_letter_that_waits_for_confirmation_is_void_after_a_reset(client, mailbox):
    ask(client.signed_in("ada"))
    token = mailbox.last(NEW).token
    RESET.redeem(client, token=RESET.letter(client, mailbox).token)
    assert client.another().post("/auth/email/change/confirm", {"token": token}).code == "link_invalid"


def test_one_may_change_back_within_the_seven_days(client, mailbox):
    ask(client.signed_in("ada"))
    confirm(client, mailbox)
    ask(client, OLD)
    assert confirm(client, mailbox, OLD).status == 200
    assert client.get("/auth/me").json["email"] == OLD
