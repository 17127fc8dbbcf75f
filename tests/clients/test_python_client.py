"""gatehouse-verify against the running service."""

import time

import pytest
from gatehouse_verify import Refused, TokenInvalid, TokenRevoked, Verifier

from auth.flows import published
from tests.support.processes import wait_until

# What clients/python/README.md promises.
SEEN_SECONDS = 5
# Keys and their files are the same on both kinds of database.
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def refused(verifier, token):
    """The kind of problem a token meets, or None when it is accepted."""
    try:
        verifier.verify(token)
    except Refused as problem:
        return type(problem)
    return None


@pytest.fixture
def person(service, fresh_name):
    """Somebody who has just signed in."""
    return service.client().signed_in(fresh_name())


def test_a_token_is_verified_without_asking_the_service(service, forwarder, person):
    who = person.get("/auth/me").json
    with Verifier(service.url, service_url=forwarder.url, poll_seconds=50) as verifier:
        for _ in range(100):
            claims = verifier.verify(person.access_token)
    assert (claims["sub"], claims["preferred_username"]) == (str(who["id"]), who["username"])
    assert (claims["sid"], claims["amr"]) == (person.session_id, ["pwd"])
    assert forwarder.asked == ["/.well-known/jwks.json", "/.well-known/revocations"]


@pytest.mark.parametrize("path", ["/auth/logout", "/auth/logout-all"])
def test_a_logout_is_seen_within_five_seconds(service, forwarder, person, path):
    with Verifier(service.url, service_url=forwarder.url) as verifier:
        assert refused(verifier, person.access_token) is None
        assert person.post(path).status == 200
        wait_until(lambda: refused(verifier, person.access_token) is TokenRevoked, "the logout is seen", SEEN_SECONDS)


def test_the_answers_of_the_service_show_a_logout_as_soon_as_they_may_be_signed_again(service, person):
    assert person.logout().status == 200
    time.sleep(published.SIGNED_EVERY_SECONDS)
    with Verifier(service.url, poll_seconds=50) as verifier:
        assert refused(verifier, person.access_token) is TokenRevoked


def test_a_refresh_token_opens_nothing(service, person):
    with Verifier(service.url) as verifier:
        assert refused(verifier, person.refresh_token) is TokenInvalid


def test_a_token_for_another_audience_is_invalid(service, person):
    with Verifier(service.url, "orders") as verifier:
        assert refused(verifier, person.access_token) is TokenInvalid


@SQLITE
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_every_asymmetric_algorithm_of_the_service_is_verified(live_server, algorithm):
    service = live_server(JWT_ALGORITHM=algorithm, JWT_AUDIENCE="orders")
    person = service.client().signed_in()
    with Verifier(service.url, "orders") as verifier:
        assert refused(verifier, person.access_token) is None


@SQLITE
def test_tokens_are_verified_while_the_service_is_down_and_a_logout_after_that_is_seen(live_server):
    service = live_server()
    person = service.client().signed_in()
    with Verifier(service.url, poll_seconds=0.2) as verifier:
        assert refused(verifier, person.access_token) is None
        service.stop()
        assert refused(verifier, person.access_token) is None
        service.start()
        assert person.logout().status == 200
        wait_until(lambda: refused(verifier, person.access_token) is TokenRevoked, "the logout is seen", SEEN_SECONDS)
