"""Codes by mail as a second factor: to the address of the account, after a password, where mail is a way in at all."""

import pytest

from tests.support.authenticator import Authenticator
from tests.support.factors import App, begin, renew, verified, verify


def letter(mailbox):
    """The letter that was asked for last; security notices arrive in between."""
    asked_for = ("Your code to sign in", "Your link to sign in")
    return [letter for letter in mailbox.all("ada@example.org") if letter.subject in asked_for][-1]


@pytest.fixture
def enrolled(client, mailbox):
    """The client, its person having enrolled codes by mail."""
    assert verified(client).post("/auth/mfa/email/enroll").status == 202
    answer = client.post("/auth/mfa/email/confirm", {"code": letter(mailbox).code})
    assert len(answer.json["recovery_codes"]) == 10
    return client


def challenged(client):
    """The `mfa_token` of a sign-in for which a code was sent."""
    mfa_token = begin(client)
    assert client.post("/auth/mfa/email/challenge", {"mfa_token": mfa_token}).status == 202
    return mfa_token


@pytest.mark.asvs("6.5.4")
def test_a_code_by_mail_is_the_second_factor(enrolled, mailbox):
    other = enrolled.another()
    assert other.login().json["methods"] == ["email", "recovery_code"]
    mfa_token = challenged(other)
    assert len(letter(mailbox).code) >= 6
    assert verify(other, mfa_token, letter(mailbox).code, "email").status == 200
    assert other.get("/auth/protected").json["amr"] == ["pwd", "otp", "mfa"]


@pytest.mark.asvs("6.5.1", "6.5.5")
def test_a_code_works_once_and_for_ten_minutes(enrolled, mailbox, clock):
    used = challenged(enrolled)
    code = letter(mailbox).code
    assert verify(enrolled, used, code, "email").status == 200
    assert verify(enrolled, begin(enrolled), code, "email").code == "code_invalid"
    late = challenged(enrolled)
    clock.shift(601)
    assert verify(enrolled, late, letter(mailbox).code, "email").code == "code_invalid"


@pytest.mark.asvs("6.6.2")
def test_a_code_is_bound_to_the_sign_in_it_was_asked_for(enrolled, mailbox):
    challenged(enrolled.another())
    other = enrolled.another()
    assert verify(other, begin(other), letter(mailbox).code, "email").code == "code_invalid"


@pytest.mark.asvs("6.6.2")
def test_the_code_of_a_mailed_link_is_no_second_factor(enrolled, mailbox):
    enrolled.another().post("/auth/magic-link", {"email": "ada@example.org"})
    other = enrolled.another()
    assert verify(other, begin(other), letter(mailbox).code, "email").code == "code_invalid"


def test_it_makes_a_session_fresh_and_can_be_removed(enrolled, mailbox):
    enrolled.post("/auth/mfa/email/challenge")
    renew(enrolled, method="email", code=letter(mailbox).code)
    number = enrolled.get("/auth/mfa").json["authenticators"][0]["id"]
    assert enrolled.delete(f"/auth/mfa/authenticators/{number}").status == 204


def signed_in_by_mail(client, mailbox):
    """A client that has signed in with the password and a code by mail."""
    other = client.another()
    assert verify(other, challenged(other), letter(mailbox).code, "email").status == 200
    return other


def with_an_app(client, mailbox):
    """The client, its person having enrolled an app beside the codes by mail."""
    client.post("/auth/mfa/email/challenge")
    App.enrolled(renew(client, method="email", code=letter(mailbox).code))
    return client


def with_a_passkey(client, mailbox):
    """The client, its person having registered a passkey beside the codes by mail."""
    client.post("/auth/mfa/email/challenge")
    options = renew(client, method="email", code=letter(mailbox).code).post("/auth/passkeys/register/options").json
    answer = client.post("/auth/passkeys/register/verify", {"credential": Authenticator().create(options)})
    assert answer.status == 201, answer.text
    return client


@pytest.mark.asvs("6.4.4")
@pytest.mark.parametrize("add", [with_an_app, with_a_passkey])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/mfa/recovery-codes", {}),
        ("/auth/mfa/totp/enroll", {"name": "Mine"}),
        ("/auth/mfa/totp/confirm", {"code": "000000"}),
        ("/auth/mfa/email/enroll", {}),
        ("/auth/mfa/email/confirm", {"code": "000000"}),
        ("/auth/passkeys/register/options", {}),
        ("/auth/passkeys/register/verify", {"credential": {"id": "none"}, "name": "Mine"}),
    ],
)
def test_a_code_by_mail_makes_nothing_that_stands_for_a_better_factor(enrolled, mailbox, add, path, body):
    add(enrolled, mailbox)
    thief = signed_in_by_mail(enrolled, mailbox)
    answer = thief.post(path, body) if body else thief.post(path)
    assert (answer.status, answer.code) == (401, "fresh_token_required")
    assert thief.get("/auth/protected").status == 200


@pytest.mark.asvs("6.4.4")
def test_what_was_begun_before_there_was_an_app_is_not_finished_by_a_code_by_mail(enrolled, mailbox):
    thief = signed_in_by_mail(enrolled, mailbox)
    options = thief.post("/auth/passkeys/register/options").json
    with_an_app(enrolled, mailbox)
    answer = thief.post("/auth/passkeys/register/verify", {"credential": Authenticator().create(options)})
    assert (answer.status, answer.code) == (401, "fresh_token_required")


def test_whoever_has_nothing_better_adds_an_app_by_a_code_by_mail(enrolled, mailbox):
    other = signed_in_by_mail(enrolled, mailbox)
    assert other.post("/auth/mfa/recovery-codes").status == 200
    app = App.enrolled(other)
    again = enrolled.another()
    assert verify(again, begin(again), app.code(1)).status == 200
    assert again.post("/auth/mfa/recovery-codes").status == 200


@pytest.mark.asvs("6.4.4")
def test_mail_alone_is_never_two_factors(enrolled, mailbox):
    other = enrolled.another()
    other.post("/auth/magic-link", {"email": "ada@example.org"})
    answer = other.post("/auth/magic-link/verify", {"token": letter(mailbox).token})
    assert (answer.code, answer.json["methods"]) == ("mfa_required", ["recovery_code"])
    refused = other.post("/auth/mfa/email/challenge", {"mfa_token": answer.json["mfa_token"]})
    assert (refused.status, refused.code) == (403, "factor_unavailable")


@pytest.mark.asvs("6.3.6")
def test_where_mail_is_no_way_in_there_are_no_codes_by_mail(enrolled, make_client):
    strict = make_client(MAGIC_LINK=False)
    answer = strict.login()
    assert answer.json["methods"] == ["recovery_code"]
    body = {"mfa_token": answer.json["mfa_token"]}
    assert strict.post("/auth/mfa/email/challenge", body).code == "factor_unavailable"
    assert verified(strict, "eve").post("/auth/mfa/email/enroll").code == "factor_unavailable"
