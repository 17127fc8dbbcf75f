"""Personal data and secrets: in which answers they are, and that nothing on the way keeps them (docs/data.md)."""

import pyotp
import pytest

from tests.support.clients import BearerClient
from tests.support.crawl import Crawl
from tests.support.mailbox import Mailbox
from tests.support.mailed import KINDS
from tests.support.marks import one_database

TOTP = "/auth/mfa/totp"


@pytest.fixture
def crawl(bearer):
    return Crawl(bearer)


@pytest.fixture
def factor(crawl):
    """Somebody with an authenticator app; its secret, and the recovery codes that came with it."""
    person = crawl.person()
    secret = person.post(f"{TOTP}/enroll").json["secret"]
    codes = person.post(f"{TOTP}/confirm", {"code": pyotp.TOTP(secret).now()}).json["recovery_codes"]
    return person, secret, codes


def kept_by_caches(answers):
    return {
        name: value for name, answer in answers.items() if (value := answer.headers.get("Cache-Control")) != "no-store"
    }


@one_database
@pytest.mark.asvs("14.2.2", "14.3.2")
@pytest.mark.parametrize("who", ["a person", "a stranger"])
def test_no_answer_about_people_is_kept_by_caches(crawl, who):
    routes = [route for route in crawl.routes if route.path.startswith("/auth/")]
    answers = {}
    for route in routes:
        client = crawl.person() if who == "a person" else BearerClient(crawl.client.wire)
        answers[route.name] = route.send(client)
    assert len(answers) > 30
    assert kept_by_caches(answers) == {}


@one_database
@pytest.mark.asvs("14.2.2", "14.3.2")
def test_no_refusal_is_kept_by_caches(crawl):
    routes = [route for route in crawl.routes if route.path.startswith("/auth/")]
    answers = {route.name: crawl.client.request("PUT", route.url) for route in routes}
    answers |= {path: crawl.client.get(path) for path in ("/auth/me/x.css", "/auth/nothing", "/auth/me;a.js")}
    assert kept_by_caches(answers) == {}


@pytest.mark.asvs("14.2.1")
@pytest.mark.parametrize("name", ["access_token", "token", "jwt", "bearer", "authorization"])
def test_no_token_is_taken_from_the_address(bearer, name):
    token = bearer.signed_in("ada").access_token
    answer = bearer.another().get(f"/auth/protected?{name}={token}")
    assert (answer.status, answer.code) == (401, "token_missing")


@pytest.mark.asvs("14.2.1")
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_mailed_secret_is_taken_from_the_address(client, mailbox, kind):
    letter = kind.letter(client.signed_in("ada"), mailbox)
    assert "?" not in letter.link
    answer = client.another().post(f"{kind.path}?token={letter.token}", kind.more)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert kind.redeem(client, token=letter.token).status == 200


@pytest.mark.asvs("14.2.6")
def test_the_account_tells_what_a_front_end_needs_and_no_more(client):
    wanted = {"id", "username", "email", "email_verified", "roles", "created_at", "updated_at", "mfa"}
    assert set(client.signed_in("ada").get("/auth/me").json) == wanted


@one_database
@pytest.mark.asvs("14.2.6")
def test_the_secret_of_an_authenticator_and_recovery_codes_are_shown_once(crawl, factor):
    person, secret, codes = factor
    told = [route.send(person).text for route in crawl.routes if route.method == "GET"]
    assert not [hidden for hidden in (secret, *codes) if any(hidden in text for text in told)]


@one_database
def test_no_answer_repeats_a_password(crawl):
    answers = {route.name: route.send(crawl.person()).text for route in crawl.routes if route.body}
    bodies = {route.name: route.body for route in crawl.routes if route.body}
    repeated = {
        name: value
        for name, body in bodies.items()
        for field, value in body.items()
        if "password" in field and value in answers[name]
    }
    assert repeated == {}


@one_database
def test_no_letter_repeats_a_password(crawl):
    for route in crawl.routes:
        route.send(crawl.person())
    text = " ".join(letter.text for letter in Mailbox(crawl.app).all())
    passwords = {value for route in crawl.routes for field, value in (route.body or {}).items() if "password" in field}
    assert not [password for password in passwords if password in text]
