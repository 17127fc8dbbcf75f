"""Steps in their order, and no way out: a second step without its first opens nothing, no answer leads elsewhere."""

import pytest

from auth import crypto
from tests.support.crawl import Crawl, snapshot
from tests.support.factors import change_user, verified
from tests.support.mailed import KINDS, NEW_PASSWORD, WITH_CODE
from tests.support.marks import one_client, one_database

MADE_UP = crypto.random_secret()
CREDENTIAL = {
    "id": "AAAA", "rawId": "AAAA", "type": "public-key",
    "response": {"clientDataJSON": "AAAA", "authenticatorData": "AAAA", "signature": "AAAA"},
}  # fmt: skip
SECOND_STEPS = {
    "/auth/mfa/verify": {"mfa_token": MADE_UP, "method": "totp", "code": "000000"},
    "/auth/email/verify": {"token": MADE_UP},
    "/auth/password/reset": {"token": MADE_UP, "password": NEW_PASSWORD},
    "/auth/email/change/confirm": {"token": MADE_UP},
    "/auth/magic-link/verify": {"token": MADE_UP},
    "/auth/not-me": {"token": MADE_UP},
    "/auth/mfa/totp/confirm": {"code": "000000"},
    "/auth/mfa/recovery-codes": None,
    "/auth/passkeys/login/verify": {"credential": CREDENTIAL},
    "/auth/passkeys/register/verify": {"credential": CREDENTIAL},
    "/auth/refresh": {"refresh_token": MADE_UP},
    "/auth/reauthenticate": {"code": "000000"},
    "/auth/password/change": {"current_password": NEW_PASSWORD, "new_password": NEW_PASSWORD},
}


@pytest.mark.asvs("2.3.1")
@pytest.mark.parametrize("path", SECOND_STEPS)
@pytest.mark.parametrize("known", ["nobody", "a person who is signed in"])
def test_a_second_step_without_its_first_opens_nothing(client, path, known):
    owner = verified(client)
    before = snapshot(client.wire.app, but=("attempts", "audit_events"))
    asking = client.another() if known == "nobody" else owner.copy()
    body = [] if SECOND_STEPS[path] is None else [SECOND_STEPS[path]]
    answer = asking.post(path, *body)
    assert 400 <= answer.status < 500, answer.text
    assert "Set-Cookie" not in answer.headers
    assert snapshot(client.wire.app, but=("attempts", "audit_events")) == before


@one_client
@pytest.mark.asvs("2.3.1")
def test_the_steps_of_a_person_are_no_steps_of_another(client, mailbox):
    ada, bea = verified(client), verified(client.another(), "bea")
    for kind in WITH_CODE.values():
        change_user(ada, "ada", email_verified_at=None)
        code = kind.letter(ada, mailbox).code
        answer = kind.redeem(bea, email="bea@example.org", code=code)
        assert (answer.status, answer.code) == (400, "link_invalid")
    assert bea.get("/auth/me").json["email"] == "bea@example.org"


ELSEWHERE = ("https://evil.example", "//evil.example", "javascript:alert(1)", "data:text/html,x", "/\\evil.example")
WAYS_OUT = ("next", "redirect", "redirect_uri", "return_to", "url", "callback", "continue", "RelayState")


@one_database
@pytest.mark.asvs("1.2.2", "4.2.5", "3.7.2")
@pytest.mark.parametrize("address", ELSEWHERE)
def test_no_answer_leads_elsewhere(bearer, address):
    """There is no redirect and no field for one."""
    crawl = Crawl(bearer)
    person = crawl.person()
    query = "&".join(f"{name}={address}" for name in WAYS_OUT)
    answers = [route.with_query(query).send(person.another()) for route in crawl.routes]
    answers += [route.with_field(name, address).send(person) for route in crawl.with_body for name in WAYS_OUT]
    assert [answer.status for answer in answers if 300 <= answer.status < 400 or "Location" in answer.headers] == []
    assert {answer.status for answer in answers[len(crawl.routes) :]} == {400}


@one_database
@one_client
@pytest.mark.asvs("1.2.2", "4.2.5", "4.1.3")
def test_a_mailed_link_survives_every_reader_and_never_names_the_host_that_was_sent(client, mailbox):
    """A link is made of the settings and a secret of fixed length, without a letter that an address gives a meaning."""
    client.signed_in("ada")
    for kind in KINDS.values():
        elsewhere = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        client.post("/auth/password/forgot", {"email": "ada@example.org"}, headers=elsewhere)
        letter = kind.letter(client, mailbox)
        start, _, token = letter.link.partition("#token=")
        assert start.startswith("http://127.0.0.1:8000/pages/")
        assert len(token) == 43
        assert token.replace("-", "").replace("_", "").isalnum()
    assert "evil.example" not in "".join(letter.text + letter.html for letter in mailbox.all())


@one_database
@pytest.mark.asvs("1.3.6")
def test_no_field_takes_an_address_that_the_service_would_ask(bearer):
    """What is asked over the network is named by the operator's settings alone, and nothing else is asked."""
    fields = {(name, schema.get("format")) for _, name, schema in Crawl(bearer).fields("string")}
    assert {name for name, kind in fields if kind in ("uri", "url") or name.endswith(("url", "uri", "host"))} == set()
