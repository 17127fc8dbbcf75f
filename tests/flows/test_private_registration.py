"""POST /auth/register with PRIVATE_REGISTRATION."""

import pytest

from models import User
from tests.support.clients import PASSWORD
from tests.support.mailbox import Mailbox
from tests.support.tables import rows


@pytest.fixture
def client(make_client):
    return make_client(PRIVATE_REGISTRATION=True)


@pytest.fixture
def mailbox(client):
    return Mailbox(client.wire.app)


@pytest.fixture
def ada(client, mailbox):
    """Ada has registered and confirmed."""
    client.register("ada")
    client.post("/auth/email/verify", {"token": mailbox.last().token})
    return client


def test_the_account_is_there_once_its_address_is_confirmed(client, mailbox):
    answer = client.register("ada")
    assert (answer.status, answer.json) == (202, {"message": "A letter is on its way to this address"})
    letter = mailbox.last("ada@example.org")
    assert client.login("ada").code == "invalid_credentials"
    assert client.post("/auth/email/verify", {"token": letter.token}).status == 200
    assert client.login("ada").status == 200
    assert client.get("/auth/me").json["email_verified"] is True


def test_the_code_confirms_too(client, mailbox):
    client.register("ada")
    proof = {"email": "ada@example.org", "code": mailbox.last().code}
    assert client.post("/auth/email/verify", proof).status == 200
    assert client.login("ada").status == 200


def test_what_was_tried_long_before_costs_the_code_nothing(client, mailbox, clock):
    for _ in range(5):
        client.post("/auth/email/verify", {"email": "zoe@example.org", "code": "AAAAAAAA"})
    clock.shift(15 * 60 + 1)
    client.register("zoe", "zoe@example.org")
    proof = {"email": "zoe@example.org", "code": mailbox.last("zoe@example.org").code}
    assert client.post("/auth/email/verify", proof).status == 200


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize(
    ("username", "email"),
    [("bob", "bob@example.org"), ("bob", "ada@example.org"), ("ada", "bob@example.org"), ("ada", "ada@example.org")],
)
def test_the_answer_is_the_same_whoever_is_known(ada, username, email):
    answer = ada.another().register(username, email)
    assert (answer.status, answer.json) == (202, {"message": "A letter is on its way to this address"})


@pytest.mark.asvs("6.3.8")
def test_known_and_unknown_cost_the_same_statements(ada, statements):
    seen = {}
    for username, email in (("bob", "bob@example.org"), ("ada", "ada@example.org")):
        with statements() as seen[username]:
            ada.another().register(username, email)
    assert seen["ada"] == seen["bob"]


def test_the_owner_of_a_known_address_is_told(ada, mailbox):
    ada.another().register("eve", "ADA@example.org")
    letter = mailbox.last()
    assert (letter.to, letter.subject) == ("ada@example.org", "You already have an account")
    assert "#token=" not in letter.text
    assert len(rows(ada.wire.app, User)) == 1


def test_whoever_wants_a_name_that_is_taken_is_told_by_mail(ada, mailbox):
    ada.another().register("ada", "eve@example.org")
    assert mailbox.last("eve@example.org").subject == "Please choose another username"
    assert len(rows(ada.wire.app, User)) == 1


def test_whoever_registers_a_strangers_address_voids_no_letter_of_the_strangers(client, mailbox):
    client.register("ada")
    hers = mailbox.last().token
    client.another().register("eve", "ada@example.org", "Another-Anvil-Crater-59")
    assert "eve" in mailbox.last("ada@example.org").text
    assert client.post("/auth/email/verify", {"token": hers}).status == 200
    assert client.login("ada", PASSWORD).status == 200


def test_of_two_letters_the_second_confirmation_finds_the_address_taken(client, mailbox):
    client.register("ada")
    client.register("eve", "ada@example.org")
    first, second = mailbox.all()
    assert client.post("/auth/email/verify", {"token": first.token}).status == 200
    answer = client.post("/auth/email/verify", {"token": second.token})
    assert (answer.status, answer.code) == (409, "email_taken")


@pytest.mark.asvs("2.3.4")
def test_an_address_that_its_owner_may_come_back_to_is_nobody_elses(ada, mailbox):
    ada.login("ada")
    ada.post("/auth/email/change", {"email": "ada@example.net", "password": PASSWORD})
    ada.post("/auth/email/change/confirm", {"token": mailbox.last("ada@example.net").token})
    before = len(mailbox.all())
    assert ada.another().register("eve", "ada@example.org").status == 202
    assert len(mailbox.all()) == before


def test_a_registration_that_waited_while_its_address_was_given_up_is_refused(client, mailbox):
    client.register("eve", "ada@example.org")
    hers = mailbox.last().token
    client.register("ada")
    client.post("/auth/email/verify", {"token": mailbox.last().token})
    client.login("ada")
    client.post("/auth/email/change", {"email": "ada@example.net", "password": PASSWORD})
    client.post("/auth/email/change/confirm", {"token": mailbox.last("ada@example.net").token})
    answer = client.post("/auth/email/verify", {"token": hers})
    assert (answer.status, answer.code) == (409, "email_taken")


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_of_fifty_confirmations_at_once_one_succeeds(client, mailbox, race):
    client.register("ada")
    token = mailbox.last().token
    answers = race(50, lambda _: client.another().post("/auth/email/verify", {"token": token}))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 409}
    assert len(rows(client.wire.app, User)) == 1
