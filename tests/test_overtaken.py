"""Two requests about one account at the same moment: nothing that was ended is begun again by who read it before."""

import threading

import pytest

from auth import links, notices, passwords, sessions, users
from models import OneTimeSecret, Passkey, User
from tests.support.authenticator import Authenticator
from tests.support.clients import PASSWORD
from tests.support.factors import verified
from tests.support.mailbox import Mailbox
from tests.support.mailed import MAGIC_LINK, NEW_PASSWORD, NOT_ME, RESET, VERIFY
from tests.support.races import served
from tests.support.tables import rows

OLD, NEW = "ada@example.org", "ada@example.net"
STRONG = "Velvet-Harbour-Quince-31"


@pytest.fixture
def meanwhile(monkeypatch):
    """Let another request run from beginning to end just before, or after, a function is called for the first time."""

    def arrange(module, name, call, after=False):
        plain, answers = getattr(module, name), []

        def interrupted(*given, **named):
            if not answers and not after:
                aside(call, answers)
            result = plain(*given, **named)
            if not answers and after:
                aside(call, answers)
            return result

        monkeypatch.setattr(module, name, interrupted)
        return answers

    return arrange


def aside(call, answers):
    answers.append(None)
    thread = threading.Thread(target=lambda: answers.__setitem__(0, call()))
    thread.start()
    thread.join(30)


def reset(client, mailbox):
    token = RESET.letter(client, mailbox).token
    return lambda: RESET.redeem(client.another(), token=token)


def not_me(client, mailbox):
    token = NOT_ME.letter(client, mailbox).token
    return lambda: NOT_ME.redeem(client.another(), token=token)


def changed(client, _mailbox):
    passwords_ = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return lambda: client.post("/auth/password/change", passwords_)


def command(*arguments):
    def prepare(client, _mailbox):
        return lambda: client.wire.app.test_cli_runner().invoke(args=["users", *arguments])

    return prepare


ENDINGS = {
    "password reset": reset,
    "password change": changed,
    "not me": not_me,
    "disabled": command("disable", "ada"),
    "roles": command("roles", "ada", "admin"),
}


@pytest.mark.asvs("7.4.3")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_sign_in_under_way_outlives_nothing_that_ends_every_session(client, mailbox, meanwhile, ending):
    call = ENDINGS[ending](client.signed_in("ada"), mailbox)
    other = client.another()
    answers = meanwhile(sessions, "sign_in", call)
    refused = other.login("ada")
    assert answers[0] is not None
    assert refused.status in (401, 403)
    assert other.get("/auth/protected").status == 401


@pytest.mark.asvs("7.4.3")
def test_a_sign_in_at_the_moment_of_a_reset_is_refused_or_ended(make_client, race):
    client = make_client(BCRYPT_ROUNDS=8).signed_in("ada")
    call = reset(client, Mailbox(client.wire.app))
    others = [client.another() for _ in range(12)]
    answers = race(13, lambda number: served(call) if number == 12 else others[number].login("ada"))
    assert answers[12].status == 200
    assert {other.get("/auth/protected").status for other in others} == {401}


@pytest.mark.asvs("7.4.3")
def test_the_first_proof_of_an_address_ends_a_sign_in_that_is_under_way(client, mailbox, meanwhile):
    client.register("ada")
    token = MAGIC_LINK.letter(client, mailbox).token
    other = client.another()
    meanwhile(sessions, "sign_in", lambda: MAGIC_LINK.redeem(client, token=token))
    assert other.login("ada").code == "invalid_credentials"
    assert other.get("/auth/protected").status == 401


def test_who_is_signed_out_everywhere_proves_themselves_again_for_nothing(client, meanwhile):
    other = client.signed_in("ada").copy()
    meanwhile(passwords, "_compare", lambda: client.post("/auth/logout-all"), after=True)
    assert other.post("/auth/reauthenticate", {"password": PASSWORD}).code == "token_revoked"
    assert other.get("/auth/protected").status == 401


def test_a_sign_in_while_the_account_is_deleted_is_one_of_nobody(client, meanwhile):
    other = client.signed_in("ada").another()
    meanwhile(sessions, "sign_in", lambda: client.delete("/auth/me", {"password": PASSWORD}))
    assert other.login("ada").code == "invalid_credentials"


def test_a_passkey_is_not_enrolled_by_who_is_signed_out_meanwhile(client, mailbox, meanwhile):
    verified(client)
    call = not_me(client, mailbox)
    device = Authenticator()
    options = client.post("/auth/passkeys/register/options").json
    meanwhile(users, "lock", call)
    answer = client.post("/auth/passkeys/register/verify", {"credential": device.create(options), "name": "mine"})
    assert answer.code == "token_revoked"
    assert rows(client.wire.app, Passkey) == []


def moved(client, mailbox):
    """The address was changed; the letter to the old one has the way back."""
    client.signed_in("ada").post("/auth/email/change", {"email": NEW, "password": PASSWORD})
    client.another().post("/auth/email/change/confirm", {"token": mailbox.last(NEW).token})
    return mailbox.last(OLD).token


@pytest.mark.asvs("6.3.7")
def test_a_notice_written_while_an_account_is_taken_back_leads_nobody_else_back(client, mailbox, meanwhile):
    token = moved(client, mailbox)
    before = len(mailbox.all(NEW))
    client.post("/auth/username/change", {"username": "bea"})
    meanwhile(notices, "_notice", lambda: NOT_ME.redeem(client.another(), token=token), after=True)
    mailbox.work()
    (told,) = mailbox.all(NEW)[before:]
    assert told.subject == "Your address was taken back"
    assert "http" not in told.text


def test_not_me_takes_back_an_address_whose_change_is_confirmed_at_that_moment(client, mailbox, meanwhile):
    client.signed_in("ada").post("/auth/email/change", {"email": NEW, "password": PASSWORD})
    confirm, token = mailbox.last(NEW).token, mailbox.last(OLD).token
    another = client.another()
    answers = meanwhile(links, "finish", lambda: another.post("/auth/email/change/confirm", {"token": confirm}))
    assert NOT_ME.redeem(client.another(), token=token).status == 200
    assert answers[0].status == 200
    assert rows(client.wire.app, User)[0].email == OLD


def test_an_address_that_was_given_up_is_told(client, mailbox):
    token = moved(client, mailbox)
    assert NOT_ME.redeem(client.another(), token=token).status == 200
    assert mailbox.last(NEW).subject == "Your address was taken back"


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_two_kinds_of_letter_redeemed_at_once_do_not_wait_for_each_other(client, mailbox, race):
    client.signed_in("ada")
    for number in range(8):
        name = f"new{number}@example.net"
        password = PASSWORD if number == 0 else f"{STRONG}{number - 1}"
        mine = client.another()
        mine.login("ada", password)
        address = rows(client.wire.app, User)[0].email
        mine.post("/auth/email/change", {"email": name, "password": password})
        confirm = mailbox.last(name).token
        mine.post("/auth/password/forgot", {"email": address})
        token = mailbox.last(address).token
        calls = [
            lambda token=token, number=number: RESET.redeem(client, token=token, password=f"{STRONG}{number}"),
            lambda confirm=confirm: client.another().post("/auth/email/change/confirm", {"token": confirm}),
        ]
        answers = race(2, lambda which, calls=calls: calls[which]())
        assert {answer.status for answer in answers} <= {200, 400}
        if answers[0].status != 200:
            mine.post("/auth/password/forgot", {"email": rows(client.wire.app, User)[0].email})
            again = mailbox.last(rows(client.wire.app, User)[0].email).token
            assert RESET.redeem(client, token=again, password=f"{STRONG}{number}").status == 200


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_change_of_address_that_was_asked_for_before_a_reset_cannot_be_confirmed(client, mailbox, meanwhile):
    call = reset(client.signed_in("ada"), mailbox)
    client.post("/auth/email/change", {"email": NEW, "password": PASSWORD})
    answers = meanwhile(users, "lock", call)
    mailbox.work()
    assert answers[0].status == 200
    assert not [row for row in rows(client.wire.app, OneTimeSecret) if row.purpose == "email_change"]


def test_a_magic_link_is_not_spent_for_nothing_while_its_address_is_verified(make_client, meanwhile):
    client = make_client(REQUIRE_VERIFIED_EMAIL=True)
    mailbox = Mailbox(client.wire.app)
    client.register("ada")
    verify = mailbox.last(OLD).token
    token = MAGIC_LINK.letter(client, mailbox).token
    meanwhile(links, "hold", lambda: VERIFY.redeem(client.another(), token=verify), after=True)
    assert MAGIC_LINK.redeem(client, token=token).status == 200


@pytest.mark.asvs("7.4.3")
def test_what_was_copied_before_a_change_of_password_brings_no_tokens_within_the_grace(client):
    other = client.signed_in("ada").copy()
    assert changed(client, None)().status == 200
    assert other.refresh().code == "token_reused"
