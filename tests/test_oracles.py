"""Nothing tells whether somebody is known here: the same bytes, the same statements and the same hashes for everybody.

`python -m bench.oracles` measures the times; here is guarded what they come from.
"""

import bcrypt
import pytest

from auth import passwords
from models import now
from tests.support.factors import change_user
from tests.support.marks import one_client

WRONG = "Wrong-Guess-Of-Mine-1"
PEOPLE = {
    "nobody": {},
    "known": {"email_verified_at": None},
    "verified": {"email_verified_at": now()},
    "disabled": {"disabled_at": now(), "email_verified_at": now()},
    "reported": {"reset_forced_at": now(), "email_verified_at": now()},
    "careful": {"mfa_since": now(), "email_verified_at": now()},
    "passkeyed": {"password_hash": passwords.UNUSABLE, "email_verified_at": now()},
}


def by_mail(path):
    return lambda client, name: client.post(path, {"email": f"{name}@example.org"})


def by_code(path, **more):
    return lambda client, name: client.post(path, {"email": f"{name}@example.org", "code": "AAAAAAAA", **more})


REQUESTS = {
    "login by name": lambda client, name: client.login(name, WRONG),
    "login by address": lambda client, name: client.login(f"{name}@example.org", WRONG),
    "login in capitals": lambda client, name: client.login(name.upper(), WRONG),
    "forgot": by_mail("/auth/password/forgot"),
    "magic link": by_mail("/auth/magic-link"),
    "verify": by_mail("/auth/email/verify/request"),
    "reset by code": by_code("/auth/password/reset", password="Velvet-Harbour-Quince-8"),
    "magic link by code": by_code("/auth/magic-link/verify"),
    "verify by code": by_code("/auth/email/verify"),
}


@pytest.fixture
def observed(statements, monkeypatch):
    """Everything about a request that could tell one person from another."""
    hashes = []
    for name in ("checkpw", "hashpw"):
        plain = getattr(bcrypt, name)
        monkeypatch.setattr(bcrypt, name, lambda one, two, plain=plain, name=name: (
            hashes.append((name, two[:7])), plain(one, two))[1])  # fmt: skip

    def observe(client, request, name):
        hashes.clear()
        with statements() as seen:
            answer = request(client.another(), name)
        body = answer.text.replace(answer.headers["X-Request-Id"], "")
        headers = [header for header in answer.headers if header[0] != "X-Request-Id"]
        return answer.status, body, headers, seen, list(hashes)

    return observe


def town(client):
    """The client, in a service that knows everybody but nobody."""
    for name, state in PEOPLE.items():
        if name != "nobody":
            client.another().register(name)
            change_user(client, name, **state)
    return client


@pytest.mark.asvs("6.3.8", "11.2.4", "OWASP cheat sheets")
@pytest.mark.parametrize("request_", REQUESTS)
def test_nobody_can_tell_who_is_known(make_client, observed, request_):
    client = town(make_client(REQUIRE_VERIFIED_EMAIL=True, MFA_POLICY="required"))
    found = {name: observed(client, REQUESTS[request_], name) for name in PEOPLE}
    assert found["known"][0] in (400, 401, 202)
    assert {name: one for name, one in found.items() if one != found["nobody"]} == {}


@one_client
@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("request_", ["login by name", "login by address", "reset by code", "magic link by code"])
def test_nobody_can_tell_whether_who_is_locked_is_known(client, observed, request_):
    town(client)
    for name in PEOPLE:
        for _ in range(10):
            client.another().login(name if "name" in request_ else f"{name}@example.org", WRONG)
    found = {name: [observed(client, REQUESTS[request_], name) for _ in range(2)] for name in PEOPLE}
    assert {one[0] for pair in found.values() for one in pair} == {429}
    plain = {name: [(one[:2], one[3:]) for one in pair] for name, pair in found.items()}
    assert {name: one for name, one in plain.items() if one != plain["nobody"]} == {}


@one_client
@pytest.mark.asvs("6.3.8")
def test_a_hash_of_another_cost_takes_no_other_work(make_client, observed):
    """What an old, lighter hash saves is made up: 2 ** 4 and the work for 4 and for 5 add up to that of 2 ** 6."""
    client = make_client(BCRYPT_ROUNDS=4)
    client.register("ada")
    client = make_client(BCRYPT_ROUNDS=6)
    work = []
    for name in ("ada", "nobody"):
        *_, hashes = observed(client, REQUESTS["login by name"], name)
        work.append(sum(2 ** int(cost.split(b"$")[2]) for _, cost in hashes))
    assert work == [64, 64]


NEWCOMERS = {
    "all is new": ("newcomer", "newcomer@example.org"),
    "a known address": ("newcomer", "known@example.org"),
    "a known address in capitals": ("newcomer", "KNOWN@example.org"),
    "a known name": ("known", "newcomer@example.org"),
    "a name that looks like a known one": ("kn0wn", "newcomer@example.org"),
    "the address of somebody disabled": ("newcomer", "disabled@example.org"),
    "all is known": ("known", "known@example.org"),
}


@one_client
@pytest.mark.asvs("6.3.8")
def test_a_private_registration_tells_nobody_who_is_known(make_client, observed):
    town(make_client())
    private = make_client(PRIVATE_REGISTRATION=True)
    private.get("/.well-known/jwks.json")
    found = {
        title: observed(private, lambda one, _, names=names: one.register(*names), "")
        for title, names in NEWCOMERS.items()
    }
    assert found["all is new"][0] == 202
    assert {title: one for title, one in found.items() if one != found["all is new"]} == {}
