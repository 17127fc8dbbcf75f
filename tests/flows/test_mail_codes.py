"""Codes by mail as a second factor: to the address of the account, after a password, where mail is a way in at all."""

import pytest

from tests.support.factors import begin, renew, verified, verify


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
