"""gatehouse-verify against a twin of the service: every rule of a token, and whatever can go wrong in fetching."""

import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gatehouse_verify
import pytest
from gatehouse_verify import Refused, Stale, TokenExpired, TokenInvalid, TokenMissing, TokenRevoked, Verifier

from tests.clients.twin import Key
from tests.support.processes import wait_until

PACKAGE = Path(gatehouse_verify.__file__).parents[1]
WITH_PACKAGE = os.environ | {"PYTHONPATH": str(PACKAGE)}


def refused(verifier, token):
    """The kind of problem a token meets, or None when it is accepted."""
    try:
        verifier.verify(token)
    except Refused as problem:
        return type(problem)
    return None


def forged(header, claims=b"{}"):
    """A token with any header bytes and a signature of zeros."""
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, claims, bytes(64)))


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_a_good_token_gives_its_claims(twin, make_verifier, algorithm):
    twin.keys = [Key("only", algorithm)]
    claims = make_verifier().verify(twin.token(sub="42"))
    assert (claims["sub"], claims["roles"]) == ("42", ["user"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "http://127.0.0.1"},
        {"aud": "another"},
        {"aud": ["gatehouse"]},
        {"aud": "gatehouse-admin"},
        {"sub": 7},
        {"sid": ["s1"]},
        {"iat": 4102444800},
        {"nbf": 4102444800},
        {"typ": "JWT"},
        {"typ": "revocations+jwt"},
        *({name: None} for name in ("iss", "aud", "sub", "iat", "exp", "jti", "sid")),
    ],
    ids=str,
)
def test_a_token_with_a_wrong_or_missing_claim_is_invalid(twin, verifier, wrong):
    assert refused(verifier, twin.token(**wrong)) is TokenInvalid


def test_a_token_past_its_end_is_expired(twin, verifier):
    assert refused(verifier, twin.token(exp=int(time.time()) - 31)) is TokenExpired


def test_a_small_difference_of_clocks_is_forgiven(twin, make_verifier):
    assert refused(make_verifier(leeway=30), twin.token(exp=int(time.time()) - 1)) is None


def test_a_token_signed_by_another_key_of_the_same_name_is_invalid(twin, verifier):
    assert refused(verifier, twin.token(key=Key("first"))) is TokenInvalid


def test_a_key_serves_only_its_own_algorithm(twin, make_verifier):
    twin.keys = [Key("first", "RS256")]
    verifier = make_verifier()
    impostor = Key("first", "ES256")
    assert refused(verifier, twin.token(key=impostor)) is TokenInvalid


@pytest.mark.parametrize(
    "header",
    [
        b'{"alg":"none","typ":"at+jwt","kid":"first"}',
        b'{"alg":"HS256","typ":"at+jwt","kid":"first"}',
        b'{"alg":"EdDSA","typ":"at+jwt"}',
        b'{"alg":"EdDSA","typ":"at+jwt","kid":["first"]}',
        b'{"alg":"EdDSA","typ":"at+jwt","kid":"first","crit":["x"]}',
        b"[" * 100_000,
        b'{"kid":' + b"9" * 10_000 + b"}",
        b"\xff\xfe",
        b"null",
    ],
    ids=range(9),
)
def test_a_forged_header_is_invalid(verifier, header):
    assert refused(verifier, forged(header)) is TokenInvalid


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "..", "a.b.c.d", "é.é.é", "\ud800.a.b", "\0", None, 7, b"x"], ids=repr
)
def test_what_is_not_a_token_is_invalid(verifier, token):
    assert refused(verifier, token) is TokenInvalid


def test_a_key_sent_along_in_the_header_is_not_believed(twin, verifier):
    impostor = Key("first")
    token = impostor.sign(twin.claims(), "at+jwt", jwk=impostor.jwk, jku=f"{twin.url}/mine.json")
    assert refused(verifier, token) is TokenInvalid
    assert "/mine.json" not in twin.asked


def test_a_shared_secret_in_the_key_set_is_never_used(twin, make_verifier):
    shared = {"kty": "oct", "k": "c2VjcmV0LXRoYXQtaXMtbG9uZy1lbm91Z2gtZm9yLWhz", "kid": "shared", "alg": "HS256"}
    twin.keys[0].jwk, right = shared, twin.keys[0].jwk
    assert refused(make_verifier(), twin.token()) is Stale
    twin.keys[0].jwk = right
    assert refused(make_verifier(), twin.token()) is None


@pytest.mark.parametrize("ended", ["s1", "j1"])
def test_a_revoked_session_or_token_is_refused_soon(twin, verifier, ended):
    token = twin.token(sid="s1", jti="j1")
    assert refused(verifier, token) is None
    twin.revoked[ended] = int(time.time()) + 900
    wait_until(lambda: refused(verifier, token) is TokenRevoked, "the revocation is seen")


def test_a_token_older_than_the_list_reaches_back_must_be_refreshed(twin, make_verifier):
    now = int(time.time())
    twin.complete_since = now - 100
    verifier = make_verifier()
    assert refused(verifier, twin.token(iat=now - 101)) is TokenExpired
    assert refused(verifier, twin.token(iat=now - 100)) is None


def test_not_one_request_goes_to_the_service_per_verification(twin, make_verifier):
    verifier = make_verifier(poll_seconds=50)
    for _ in range(200):
        verifier.verify(twin.token())
    assert sorted(twin.asked) == ["/.well-known/jwks.json", "/.well-known/revocations"]


def test_a_verifier_asks_nothing_before_it_is_used(twin):
    Verifier(twin.url)
    assert twin.asked == []


def test_many_threads_share_the_first_fetch(twin):
    verifier = Verifier(twin.url, poll_seconds=50)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: refused(verifier, twin.token()), range(32))) == {None}
    verifier.close()
    assert len(twin.asked) == 2


def test_what_was_fetched_serves_on_while_the_service_is_away(twin, verifier):
    twin.away = True
    seen = len(twin.asked)
    wait_until(lambda: len(twin.asked) > seen + 2, "three requests found nobody")
    assert refused(verifier, twin.token()) is None


def test_past_the_bound_every_token_is_refused_until_the_service_is_back(twin, make_verifier):
    verifier = make_verifier(stale_after=0.5)
    wait_until(lambda: refused(verifier, twin.token()) is None, "the first documents")
    twin.away = True
    wait_until(lambda: refused(verifier, twin.token()) is Stale, "the bound has passed")
    twin.away = False
    wait_until(lambda: refused(verifier, twin.token()) is None, "the service is found again")


def test_a_service_that_was_away_at_the_start_is_found_later(twin, make_verifier):
    twin.away = True
    verifier = make_verifier(stale_after=1)
    assert refused(verifier, twin.token()) is Stale
    twin.away = False
    wait_until(lambda: refused(verifier, twin.token()) is None, "the service is found")


def test_revocations_past_their_own_end_are_not_relied_on(twin, make_verifier):
    twin.signed_ago = 180
    assert refused(make_verifier(), twin.token()) is Stale


def test_revocations_of_another_type_or_key_are_not_taken(twin, make_verifier):
    twin.typ = "at+jwt"
    assert refused(make_verifier(), twin.token()) is Stale


def test_a_new_key_is_found_and_an_old_one_forgotten(twin, make_verifier):
    verifier = make_verifier(stale_after=2)
    before = twin.token()
    twin.keys.append(Key("second"))
    wait_until(lambda: refused(verifier, twin.token()) is None, "the new key is known")
    wait_until(lambda: refused(verifier, before) is None, "fresh documents")
    twin.keys.pop(0)
    wait_until(lambda: refused(verifier, before) is TokenInvalid, "the old key is forgotten")


def test_an_unusable_key_does_not_take_the_others_with_it(twin, make_verifier):
    odd = Key("odd")
    odd.jwk = {"kty": "AKP", "alg": "ML-DSA-44", "kid": "odd"}
    twin.keys.insert(0, odd)
    assert refused(make_verifier(), twin.token()) is None


def test_forged_key_names_do_not_multiply_requests(twin, make_verifier):
    verifier = make_verifier(poll_seconds=50)
    for number in range(100):
        assert refused(verifier, twin.token(key=Key(f"forged-{number}"))) is TokenInvalid
    # One request at the start, and at most one in five seconds since; a hundred verifications take less than a minute.
    assert twin.asked.count("/.well-known/jwks.json") < 14


def test_while_the_service_hangs_an_unknown_key_name_keeps_one_caller_waiting(twin, make_verifier, monkeypatch):
    monkeypatch.setattr("gatehouse_verify.published.KEY_COOLDOWN_SECONDS", 0)
    verifier = make_verifier(poll_seconds=50)
    forged = twin.token(key=Key("forged"))
    twin.seconds = 4

    def waited(_):
        started = time.monotonic()
        assert refused(verifier, forged) is TokenInvalid
        return time.monotonic() - started

    with ThreadPoolExecutor(8) as pool:
        *others, longest = sorted(pool.map(waited, range(8)))
    assert others[-1] < 2 < longest


def test_what_is_wrong_with_a_document_is_told_to_the_log(twin, make_verifier, caplog):
    make_verifier(issuer="https://elsewhere.example.com", service_url=twin.url)
    assert "revocations cannot be refreshed: Invalid issuer" in caplog.text


def test_a_connection_closed_while_idle_is_opened_again_at_once(twin, verifier, caplog):
    twin.hangs_up = True
    seen = len(twin.asked)
    wait_until(lambda: len(twin.asked) > seen + 3, "three requests on connections of their own")
    assert caplog.messages == []


def test_a_forked_process_fetches_for_itself(twin):
    forking = f"""
import os, gatehouse_verify
with gatehouse_verify.Verifier({twin.url!r}) as verifier:
    child = os.fork()
    verifier.verify({twin.token()!r})
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-c", forking], env=WITH_PACKAGE, check=True, timeout=60)
    assert len(twin.asked) == 4


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "token"], ids=repr)
def test_a_header_without_a_bearer_token_is_missing(verifier, header):
    with pytest.raises(TokenMissing):
        verifier.verify_header(header)


def test_the_scheme_is_read_in_any_case(twin, verifier):
    assert verifier.verify_header(f"bEARER {twin.token()}")["sub"] == "7"


@pytest.mark.parametrize(
    "unsafe",
    [{"leeway": 31}, {"leeway": -1}, {"poll_seconds": 0}, {"poll_seconds": 60}, {"service_url": "file:///etc"}],
    ids=str,
)
def test_an_unsafe_setting_is_refused_at_once(unsafe):
    with pytest.raises(ValueError, match="is "):
        Verifier("https://auth.example.com", **unsafe)


def test_a_refusal_tells_its_reason_to_the_log_only(twin, verifier):
    with pytest.raises(TokenInvalid) as problem:
        verifier.verify(twin.token(aud="another"))
    assert "udience" in problem.value.reason
    assert "udience" not in json.dumps(problem.value.body)


def test_the_package_needs_no_web_framework():
    loading = "import sys, gatehouse_verify; sys.exit(bool({'flask', 'fastapi', 'django'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", loading], env=WITH_PACKAGE, timeout=60).returncode == 0
