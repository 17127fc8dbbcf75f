"""POST /auth/password/forgot and /auth/password/reset."""

import pytest

from models import AuditEvent
from tests.support.clients import PASSWORD
from tests.support.mailed import MAGIC_LINK, NEW_PASSWORD, RESET
from tests.support.tables import rows


def test_the_new_password_works_and_the_old_one_does_not(client, mailbox):
    token = RESET.letter(client.signed_in("ada"), mailbox).token
    answer = RESET.redeem(client, token=token)
    assert (answer.status, answer.message) == (200, "Your password was changed; please sign in")
    assert client.login("ada").code == "invalid_credentials"
    assert client.login("ada", NEW_PASSWORD).status == 200


def test_a_reset_never_signs_in(client, mailbox):
    answer = RESET.redeem(client, token=RESET.letter(client.signed_in("ada"), mailbox).token)
    assert list(answer.json) == ["message"]
    assert answer.set_cookies == {}


@pytest.mark.asvs("7.4.3")
def test_a_reset_ends_every_session(client, mailbox):
    client.signed_in("ada")
    other = client.another()
    other.login("ada")
    RESET.redeem(client, token=RESET.letter(client, mailbox).token)
    assert [one.get("/auth/me").code for one in (client, other)] == ["token_revoked"] * 2
    assert [one.refresh().code for one in (client, other)] == ["token_revoked"] * 2


def test_a_reset_clears_the_lockout(client, mailbox):
    client.signed_in("ada")
    statuses = [client.another().login("ada", "Wrong-Anvil-Crater-59").status for _ in range(11)]
    assert statuses[-1] == 429
    RESET.redeem(client, token=RESET.letter(client, mailbox).token)
    assert client.another().login("ada", NEW_PASSWORD).status == 200


def test_a_reset_voids_the_other_letters(client, mailbox):
    client.signed_in("ada")
    reset, magic = RESET.letter(client, mailbox).token, MAGIC_LINK.letter(client, mailbox).token
    RESET.redeem(client, token=reset)
    assert MAGIC_LINK.redeem(client, token=magic).code == "link_invalid"


@pytest.mark.asvs("6.2.4")
def test_a_refused_password_leaves_the_link_as_it_was(client, mailbox):
    token = RESET.letter(client.signed_in("ada"), mailbox).token
    weak = RESET.redeem(client, token=token, password="password1")
    assert (weak.status, weak.json["errors"][0]["field"]) == (400, "password")
    assert client.get("/auth/me").status == 200
    assert RESET.redeem(client, token=token).status == 200


def test_passwords_that_will_not_do_burn_no_right_code(client, mailbox):
    proof = {"email": "ada@example.org", "code": RESET.letter(client.signed_in("ada"), mailbox).code}
    for _ in range(12):
        assert client.post("/auth/password/reset", {**proof, "password": "password1234"}).status == 400
    assert client.post("/auth/password/reset", {**proof, "password": NEW_PASSWORD}).status == 200


@pytest.mark.parametrize("email", ["nobody@example.org", "ADA@example.org"])
def test_the_answer_is_the_same_for_everybody(client, email):
    client.register("ada")
    known = client.post("/auth/password/forgot", {"email": "ada@example.org"})
    other = client.post("/auth/password/forgot", {"email": email})
    assert (known.status, known.json) == (other.status, other.json)
    assert known.status == 202


def test_nobody_but_the_owner_gets_a_letter(client, mailbox):
    client.register("ada")
    before = len(mailbox.all())
    for email in ("nobody@example.org", "ada@example.org"):
        client.post("/auth/password/forgot", {"email": email})
    assert [letter.to for letter in mailbox.all()[before:]] == ["ada@example.org"]


def test_the_event_names_the_person_and_no_secret(client, mailbox):
    letter = RESET.letter(client.signed_in("ada"), mailbox)
    RESET.redeem(client, token=letter.token)
    events = rows(client.wire.app, AuditEvent)
    assert [event.user_id for event in events if event.name == "password.reset"] == [events[0].user_id]
    assert not [secret for secret in (letter.token, letter.code, NEW_PASSWORD, PASSWORD) if secret in repr(events)]
