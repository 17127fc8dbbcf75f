"""Tokens (RFC 7519, 8725, 9068): what is issued, and that nothing else opens anything, whatever the cache has seen."""

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from inspect import signature

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from gatehouse_verify import Verifier

from auth import crypto, endpoint, keys, one_time, revocations
from models import RevokedToken, SigningKey, db, now
from tests.support.clients import PASSWORD
from tests.support.forging import ABSENT, Forger, claims_of, encode, header_of, in_seconds, signed
from tests.support.marks import one_client, one_database
from tests.support.postgresql import execute
from tests.support.races import served
from tests.support.tables import change, clear, rows

ALGORITHMS = ("EdDSA", "ES256", "RS256", "HS256")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'gatehouse'"
)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def signed_in(client):
    """A client whose access token the application has verified and remembers."""
    client.signed_in("ada")
    assert client.get("/auth/protected").status == 200
    return client


@pytest.fixture
def canary():
    """A server that must not be asked; `asked` are the paths it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def forger(app, signed_in):
    return Forger(app, signed_in.access_token)


def shown(client, token):
    """The answers to a token that is shown twice: once when it is new, once when it was seen."""
    client = client.copy()
    client.access_token = token
    return {(answer.status, answer.code) for answer in (client.get("/auth/protected"), client.get("/auth/protected"))}


REFUSED = {(401, "token_invalid")}
EXPIRED = {(401, "token_expired")}


# Tampering


def flipped(token, position, bit):
    """The token with one bit of one character flipped; the characters stand for six bits each."""
    if token[position] == ".":
        return token[:position] + "A" + token[position + 1 :]
    return token[:position] + ALPHABET[ALPHABET.index(token[position]) ^ 1 << bit] + token[position + 1 :]


@one_database
@one_client
@pytest.mark.asvs("9.1.1")
def test_a_flipped_bit_at_any_place_is_seen(signed_in):
    token = signed_in.access_token
    accepted = [place for place in range(len(token)) if shown(signed_in, flipped(token, place, place % 6)) != REFUSED]
    assert accepted == []


@one_database
@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize("bit", range(6))
def test_every_bit_at_the_end_of_every_part_counts(signed_in, bit):
    token = signed_in.access_token
    ends = [token.index(".") - 1, token.rindex(".") - 1, len(token) - 1]
    assert [shown(signed_in, flipped(token, place, bit)) for place in ends] == [REFUSED] * 3


@one_database
@one_client
@pytest.mark.asvs("9.1.1")
@pytest.mark.parametrize(
    "respell",
    [
        lambda token: token + "=",
        lambda token: token + "==",
        lambda token: token + "!",
        lambda token: token + "A",
        lambda token: token[:-1],
        lambda token: token[:-43],
        lambda token: token[: token.rindex(".") + 1],
        lambda token: token[: token.rindex(".")],
        lambda token: token[: token.index(".")],
        lambda token: token + ".",
        lambda token: "." + token,
        lambda token: token[:-5] + "*" + token[-5:],
        lambda token: token.replace(".", ".."),
        lambda token: token.replace("-", "+").replace("_", "/") + "+",
        lambda token: token + "." + token,
        lambda token: f'"{token}"',
        lambda token: "ey" * 5000,
        lambda token: token + "A" * 70000,
        lambda token: "\u00e4.\u00f6.\u00fc",
    ],
)
def test_a_token_has_one_spelling(signed_in, respell):
    assert shown(signed_in, respell(signed_in.access_token)) == REFUSED


@one_database
@one_client
@pytest.mark.parametrize("payload", [b"null", b"[]", b"1", b'"x"', b"{", b"\xff", b"[" * 30000, b"{}", b'{"exp":NaN}'])
def test_a_payload_that_is_no_set_of_claims_is_refused(signed_in, forger, payload):
    text = f"{encode(forger.header)}.{encode(payload)}"
    token = f"{text}.{encode(forger.key.private.sign(text.encode()))}"
    assert shown(signed_in, token) == REFUSED


@one_database
@one_client
@pytest.mark.parametrize(
    "header", [b"null", b"[]", b"1", b'"x"', b"{", b"\xff", b"[" * 5000, b"{}", b'{"alg":"EdDSA"}']
)
def test_a_header_that_is_none_is_refused(signed_in, forger, header):
    text = f"{encode(header)}.{encode(forger.claims)}"
    token = f"{text}.{encode(forger.key.private.sign(text.encode()))}"
    assert shown(signed_in, token) == REFUSED


# Algorithms and keys


@one_database
@pytest.mark.asvs("9.1.2", "RFC 8725")
@pytest.mark.parametrize(
    "alg", ["none", "nOnE", "NONE", "", ABSENT, None, ["EdDSA"], {"a": 1}, 1, "HS512", "eddsa", "ES256"]
)
@pytest.mark.parametrize("stripped", [True, False])
def test_no_other_algorithm_is_believed(signed_in, forger, alg, stripped):
    token = forger.with_header(alg=alg)
    assert shown(signed_in, token[: token.rindex(".") + 1] if stripped else token) == REFUSED


def public_forms(key):
    """What a verifier that mistakes a public key for a secret would use as one."""
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    jwk = key.jwk
    yield key.public.public_bytes(pem, spki)
    yield key.public.public_bytes(pem, spki).rstrip(b"\n")
    yield key.public.public_bytes(der, spki)
    yield json.dumps(jwk).encode()
    yield json.dumps(jwk, separators=(",", ":")).encode()
    yield base64.urlsafe_b64decode(jwk.get("x", jwk.get("n")) + "===")
    yield jwk.get("x", jwk.get("n")).encode()


@one_database
@one_client
@pytest.mark.asvs("9.1.2", "RFC 8725")
@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
def test_a_public_key_is_no_secret_for_hs256(make_app, make_client, algorithm):
    client = make_client(JWT_ALGORITHM=algorithm).signed_in("ada")
    forger = Forger(make_app(JWT_ALGORITHM=algorithm), client.access_token)
    tokens = [signed(forger.header | {"alg": "HS256"}, forger.claims, secret) for secret in public_forms(forger.key)]
    assert [shown(client, token) for token in tokens] == [REFUSED] * len(tokens)


@one_database
@one_client
@pytest.mark.asvs("9.1.2")
@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", RSA), ("PS256", RSA), ("ES256", EC), ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
        ("HS256", b"guessed"), ("HS256", b"\0"), ("HS256", b"Zk3v9QpX-7Lw2mTn5RbY8sHd4GcJ6fAe1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kid", ["own", ABSENT, "foreign"])
def test_a_foreign_key_signs_nothing(signed_in, forger, algorithm, key, kid):
    changes = {} if kid == "own" else {"kid": kid}
    assert shown(signed_in, forger.by_another(key, algorithm, **changes)) == REFUSED


def own_jwk(key):
    return {**json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key())), "alg": "EdDSA", "kid": "mine"}


@one_database
@one_client
@pytest.mark.asvs("9.1.3", "RFC 8725")
@pytest.mark.parametrize("kid", ["own", "mine", ABSENT])
@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
def test_a_key_that_a_token_brings_along_is_not_believed(signed_in, forger, canary, member, kid):
    key = ed25519.Ed25519PrivateKey.generate()
    brought = {"jwk": own_jwk(key), "jku": canary.url, "x5u": canary.url, "x5c": ["MIIB"]}[member]
    changes = {member: brought} | ({} if kid == "own" else {"kid": kid})
    assert shown(signed_in, forger.by_another(key, "EdDSA", **changes)) == REFUSED
    assert canary.asked == []


KIDS = ["../../dev/null", "/dev/null", "' OR '1'='1", "x' UNION SELECT '", "http://127.0.0.1/", "k" * 10000, "", "\0"]


@one_client
@pytest.mark.asvs("9.1.3")
@pytest.mark.parametrize("kid", [*KIDS, 1, None, True, ["x"], {"x": 1}, "\ud800"])
def test_a_key_id_is_only_compared(signed_in, forger, kid):
    assert shown(signed_in, forger.with_header(kid=kid)) == REFUSED
    assert shown(signed_in, signed(forger.header | {"kid": kid, "alg": "HS256"}, forger.claims, b"\0")) == REFUSED


@one_database
@pytest.mark.parametrize(
    "typ", [ABSENT, None, "", "JWT", "jwt", "rt+jwt", "at+jwt ", "AT+JWT", ["at+jwt"], 1, "id+jwt"]
)
@pytest.mark.asvs("RFC 8725")
def test_the_type_in_the_header_is_exactly_that_of_an_access_token(signed_in, forger, typ):
    assert shown(signed_in, forger.with_header(typ=typ)) == REFUSED


@one_database
@one_client
@pytest.mark.parametrize(
    "header", [{"crit": ["exp"]}, {"crit": []}, {"crit": "b64"}, {"b64": False}, {"zip": "DEF", "crit": ["zip"]}]
)
def test_what_a_token_calls_critical_and_we_do_not_know_is_refused(signed_in, forger, header):
    assert shown(signed_in, forger.with_header(**header)) == REFUSED


# Claims


@one_database
@pytest.mark.asvs("9.2.1")
@pytest.mark.parametrize("exp", [ABSENT, None, "", "9999999999", 9999999999.5, True, [], 10**30, 2**63, float("inf")])
def test_an_expiry_that_is_none_is_refused(signed_in, forger, exp):
    assert shown(signed_in, forger.with_claims(exp=exp)) == REFUSED


@one_database
@pytest.mark.asvs("9.2.1")
@pytest.mark.parametrize("seconds", [-1, -900, -(10**12)])
def test_an_expiry_that_has_passed_is_told(signed_in, forger, seconds):
    assert shown(signed_in, forger.with_claims(exp=in_seconds(seconds))) == EXPIRED


@one_database
@one_client
def test_a_lifetime_that_was_lowered_holds_for_tokens_that_are_out(make_client, clock):
    token = make_client(ACCESS_TOKEN_SECONDS=86400).signed_in("ada").access_token
    lowered = make_client(ACCESS_TOKEN_SECONDS=900)
    assert shown(lowered, token) == {(200, None)}
    clock.shift(901)
    assert shown(lowered, token) == EXPIRED


@one_database
@one_client
def test_a_token_that_was_revoked_stays_so_when_the_lifetime_is_lowered(make_client, clock):
    before = make_client(ACCESS_TOKEN_SECONDS=86400).signed_in("ada")
    lowered = make_client(ACCESS_TOKEN_SECONDS=900)
    token = before.access_token
    assert lowered.post("/auth/logout", headers={"Authorization": f"Bearer {token}"}).status == 200
    assert shown(lowered, token) == {(401, "token_revoked")}
    clock.shift(900 + revocations.MARGIN_SECONDS + 1)
    lowered.wire.app.extensions["gatehouse.revocations"].reset()
    assert shown(lowered, token) == EXPIRED


@one_database
@one_client
def test_a_lifetime_that_was_raised_prolongs_no_token_that_is_out(make_client, clock):
    token = make_client(ACCESS_TOKEN_SECONDS=900).signed_in("ada").access_token
    clock.shift(901)
    assert shown(make_client(ACCESS_TOKEN_SECONDS=86400), token) == EXPIRED


@one_database
@pytest.mark.asvs("9.2.1")
@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize("value", [20, 60, 10**9])
def test_a_token_of_the_future_is_refused(signed_in, forger, name, value):
    assert shown(signed_in, forger.with_claims(**{name: in_seconds(value)})) == REFUSED


@one_database
@one_client
def test_clocks_may_differ_by_a_few_seconds(signed_in, forger):
    assert shown(signed_in, forger.with_claims(iat=in_seconds(3))) == {(200, None)}


@one_database
@one_client
@pytest.mark.parametrize("name", ["iss", "aud", "sub", "iat", "exp", "jti", "sid"])
@pytest.mark.parametrize("value", [ABSENT, None, [], {}, True, 1.5])
@pytest.mark.asvs("RFC 9068")
def test_every_claim_is_there_and_of_its_type(signed_in, forger, name, value):
    assert shown(signed_in, forger.with_claims(**{name: value})) == REFUSED


@one_database
@one_client
@pytest.mark.asvs("9.2.3", "RFC 8725")
@pytest.mark.parametrize("aud", ["gatehous", "gatehouse2", "Gatehouse", "*", "", ["gatehouse"], ["gatehouse", "x"], 1])
def test_the_audience_is_exactly_ours(signed_in, forger, aud):
    assert shown(signed_in, forger.with_claims(aud=aud)) == REFUSED


@one_database
@one_client
@pytest.mark.asvs("9.2.3", "RFC 8725")
@pytest.mark.parametrize(
    "change",
    [
        lambda iss: iss + "/",
        lambda iss: iss[:-1],
        lambda iss: iss + ".evil",
        lambda iss: iss.upper(),
        lambda iss: [iss],
    ],
)
def test_the_issuer_is_exactly_ours(signed_in, forger, change):
    assert shown(signed_in, forger.with_claims(iss=change(forger.claims["iss"]))) == REFUSED


@one_database
@one_client
@pytest.mark.parametrize("sub", [1, "", "ada", "1.0", "-1", " 1", ["1"], "1e3", "\u0661", "9" * 5000])
@pytest.mark.asvs("RFC 8725")
def test_the_subject_is_the_id_of_a_person_as_text(signed_in, forger, sub):
    assert shown(signed_in, forger.with_claims(sub=sub)) == REFUSED


@one_database
@one_client
@pytest.mark.parametrize("use", ["refresh", "id", "", ABSENT, None, 1, ["access"], "ACCESS"])
@pytest.mark.asvs("RFC 9068")
def test_the_use_in_the_claims_is_exactly_access(signed_in, forger, use):
    assert shown(signed_in, forger.with_claims(type=use)) == REFUSED


def test_an_expired_token_is_expired_although_it_was_verified_before(signed_in, clock):
    clock.shift(900)
    assert shown(signed_in, signed_in.access_token) == EXPIRED


# Each for its own use


@pytest.mark.asvs("9.2.2")
def test_a_refresh_token_opens_no_access_route(signed_in):
    assert shown(signed_in, signed_in.refresh_token) == REFUSED


@pytest.mark.asvs("9.2.2")
def test_an_access_token_does_not_refresh(signed_in):
    signed_in.refresh_token = signed_in.access_token
    assert signed_in.refresh().code == "token_invalid"


def others(app, client):
    """Everything else that this service hands out."""
    with app.app_context():
        for purpose in ("password reset", "email verification", "magic link", "mfa", "not me"):
            with app.test_request_context(), one_time.database.apart():
                issued = one_time.issue(purpose, one_time.timedelta(minutes=5), subject="ada")
            yield from (issued.secret, issued.code)
        yield crypto.keyed_hash("csrf", client.session_id)
    yield client.session_id
    yield client.get("/.well-known/revocations").text


@pytest.mark.asvs("9.2.4")
def test_every_token_says_exactly_for_whom_it_is(make_client):
    client = make_client(JWT_AUDIENCE="orders").signed_in("ada")
    assert [claims_of(token)["aud"] for token in (client.access_token, client.refresh_token)] == ["orders", "orders"]
    assert client.get("/auth/protected").status == 200


@one_database
@pytest.mark.asvs("9.2.4")
@pytest.mark.parametrize("name", ["audience", "aud", "resource", "scope", "client_id"])
def test_nobody_chooses_for_whom_a_token_is(client, name):
    client.register("ada")
    body = {"identifier": "ada", "password": PASSWORD, name: "payments"}
    answer = client.post("/auth/login", body)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, name)


@pytest.mark.asvs("9.2.2")
def test_nothing_else_that_is_issued_opens_anything(app, signed_in):
    tokens = list(others(app, signed_in))
    assert [shown(signed_in, token) for token in tokens] == [REFUSED] * len(tokens)
    for token in tokens:
        thief = signed_in.copy()
        thief.refresh_token = token
        assert thief.refresh().code == "token_invalid"


def crawled(app, client, token):
    """What every route that needs a token answers to this one, but 401."""
    app_routes = [told for told in endpoint.declared(app) if told.auth in ("access", "fresh", "refresh", "session")]
    assert len(app_routes) > 8
    for told in app_routes:
        thief = client.copy()
        thief.access_token = thief.refresh_token = token
        path = re.sub("<.*?>", "1", told.rule)
        if (status := thief.request(told.method, path).status) != 401:
            yield told.method, told.rule, status


@one_database
@pytest.mark.asvs("7.2.1")
def test_every_route_refuses_a_tampered_token(app, signed_in):
    token = signed_in.access_token
    assert list(crawled(app, signed_in, flipped(token, token.index(".") + 9, 2))) == []


@one_database
@pytest.mark.asvs("7.2.1")
def test_every_route_refuses_a_token_of_another_service(app, make_client, signed_in):
    other = make_client(SECRET_KEY="another-0f1d2c3b4a5968778695a4b3c2d1e0f")
    assert other.kind
    token = Forger(app, signed_in.access_token).by_another(ed25519.Ed25519PrivateKey.generate(), "EdDSA")
    assert list(crawled(app, signed_in, token)) == []


@one_database
@pytest.mark.asvs("7.2.1")
def test_every_route_but_logout_refuses_an_expired_token(app, signed_in, forger):
    expired = forger.with_claims(exp=in_seconds(-1))
    assert {rule for _, rule, _ in crawled(app, signed_in, expired)} <= {"/auth/logout"}


@one_database
@pytest.mark.asvs("7.2.1", "7.4.1")
def test_every_route_but_logout_refuses_the_token_of_a_session_that_has_ended(app, signed_in):
    kept = signed_in.copy()
    signed_in.logout()
    assert {rule for _, rule, _ in crawled(app, kept, kept.access_token)} <= {"/auth/logout"}


@one_database
@pytest.mark.asvs("7.2.1")
@pytest.mark.parametrize("token", ["", "undefined", "null", "0" * 43, "admin", "\ufffd".encode().decode("latin-1")])
def test_every_route_refuses_what_is_no_token(app, signed_in, token):
    assert list(crawled(app, signed_in, token)) == []


# How a token is shown (RFC 6750, 7235)


@one_database
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer "])
@pytest.mark.asvs("RFC 6750")
def test_the_scheme_is_compared_without_case(bearer, scheme):
    token = bearer.signed_in("ada").access_token
    assert bearer.get("/auth/protected", headers={"Authorization": f"{scheme} {token}"}).status == 200


@one_database
@pytest.mark.parametrize("header", ["{}", "Basic {}", "Token {}", "Bearer", "Bearer ", "Bearer={}", "Bearer\t{}"])
def test_anything_but_a_bearer_token_is_none(bearer, header):
    token = bearer.signed_in("ada").access_token
    answer = bearer.get("/auth/protected", headers={"Authorization": header.format(token)})
    assert (answer.status, answer.code) == (401, "token_missing")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="gatehouse"'


@one_database
@pytest.mark.asvs("RFC 6750")
def test_a_refusal_says_what_is_wrong_in_the_challenge(signed_in):
    thief = signed_in.copy()
    thief.access_token = "x.y.z"
    assert thief.get("/auth/protected").headers["WWW-Authenticate"] == 'Bearer realm="gatehouse", error="invalid_token"'


@one_database
@pytest.mark.parametrize("name", ["access_token", "token", "jwt", "authorization"])
def test_a_token_in_the_address_is_not_taken(bearer, name):
    token = bearer.signed_in("ada").access_token
    answer = bearer.get(f"/auth/protected?{name}={token}", headers={"Authorization": None})
    assert answer.code == "token_missing"


# Every algorithm


@one_database
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_signs_and_verifies(make_client, algorithm):
    client = make_client(JWT_ALGORITHM=algorithm).signed_in("ada")
    assert header_of(client.access_token)["alg"] == algorithm
    assert client.get("/auth/protected").status == 200
    assert client.refresh().status == 200
    assert client.get("/auth/protected").status == 200


@one_database
@one_client
@pytest.mark.parametrize(("algorithm", "kind"), [("EdDSA", "OKP"), ("ES256", "EC"), ("RS256", "RSA")])
def test_every_published_key_verifies_elsewhere(make_client, algorithm, kind):
    client = make_client(JWT_ALGORITHM=algorithm).signed_in("ada")
    (published,) = client.get("/.well-known/jwks.json").json["keys"]
    assert (published["kty"], published["alg"]) == (kind, algorithm)
    assert {"d", "p", "q", "k", "dp", "dq", "qi"} & published.keys() == set()
    token = client.access_token
    claims = jwt.decode(token, jwt.PyJWK(published), [algorithm], audience="gatehouse", issuer=client.wire.url)
    assert claims["sid"] == client.session_id


@one_database
@one_client
def test_a_symmetric_key_is_never_published(make_client):
    client = make_client(JWT_ALGORITHM="HS256").signed_in("ada")
    assert client.get("/.well-known/jwks.json").json == {"keys": []}


@one_database
@one_client
def test_another_algorithm_takes_over_and_old_tokens_stay_valid(make_app, make_client, clock, reloading):
    before = make_client(JWT_ALGORITHM="EdDSA").signed_in("ada")
    later = make_app(JWT_ALGORITHM="ES256")
    with later.app_context():
        keys.ensure()
        keys.ensure()
    assert len(rows(later, SigningKey)) == 2
    clock.shift(keys.PUBLISHED_SECONDS + keys.RELOAD_SECONDS)
    client = make_client(JWT_ALGORITHM="ES256")
    client.login("ada")
    assert header_of(client.access_token)["alg"] == "ES256"
    assert shown(client, before.access_token) == {(200, None)}
    assert shown(before, client.access_token) == {(200, None)}


# Keys: kept, rotated, retired


@pytest.fixture
def reloading(monkeypatch):
    """Every use of the keys looks at the table, as if the time between two looks had passed."""
    monkeypatch.setattr(keys, "RELOAD_SECONDS", 0)


def rotate(app):
    with app.app_context():
        return keys.rotate()


def published_kids(client):
    return [key["kid"] for key in client.get("/.well-known/jwks.json").json["keys"]]


@pytest.mark.asvs("RFC 7517")
def test_a_rotation_publishes_the_new_key_before_it_signs(app, signed_in, clock, reloading):
    old = header_of(signed_in.access_token)["kid"]
    new = rotate(app)
    assert published_kids(signed_in) == [old, new]
    signed_in.refresh()
    assert header_of(signed_in.access_token)["kid"] == old
    clock.shift(60)
    signed_in.refresh()
    assert header_of(signed_in.access_token)["kid"] == new


@pytest.mark.asvs("RFC 7517")
def test_a_second_rotation_does_not_make_a_key_sign_before_it_is_known(app, signed_in, clock, reloading):
    old = header_of(signed_in.access_token)["kid"]
    first = rotate(app)
    clock.shift(3)
    second = rotate(app)
    assert published_kids(signed_in) == [old, first, second]

    def signing(seconds):
        clock.shift(seconds)
        assert signed_in.refresh().status == 200
        return header_of(signed_in.access_token)["kid"]

    # 3, 42, 46 and 50 seconds after the first rotation.
    assert [signing(seconds) for seconds in (0, 39, 4, 4)] == [old, old, first, second]


def test_of_keys_that_are_all_new_the_oldest_signs(app, clock, reloading):
    with app.app_context():
        first = keys.current().signing.kid
        keys.rotate()
        assert keys.current().signing.kid == first


@one_database
def test_a_key_signs_once_everybody_knows_it_and_within_a_minute(bearer):
    """The last worker publishes it, what a cache keeps has passed, and the verifiers have asked again."""
    age = int(bearer.get("/.well-known/jwks.json").headers["Cache-Control"].partition("max-age=")[2])
    asked = signature(Verifier).parameters["stale_after"].default / 4
    assert keys.RELOAD_SECONDS + age + asked <= keys.PUBLISHED_SECONDS
    last = keys.PUBLISHED_SECONDS + keys.RELOAD_SECONDS
    assert last <= 60
    assert last <= keys.OVERLAP_SECONDS


def test_tokens_of_the_old_key_stay_valid_until_they_expire(app, signed_in, clock, reloading):
    rotate(app)
    clock.shift(60)
    assert shown(signed_in, signed_in.access_token) == {(200, None)}
    assert signed_in.refresh().status == 200


def test_the_last_refresh_token_of_the_old_key_still_refreshes(app, signed_in, clock, reloading):
    rotate(app)
    clock.shift(1209590)
    assert signed_in.refresh().status == 200


@one_client
def test_a_worker_that_never_saw_the_new_key_finds_it_at_once(app, make_client, signed_in, clock, monkeypatch):
    other_worker = make_client()
    other_worker.access_token = signed_in.access_token
    assert other_worker.get("/auth/protected").status == 200
    monkeypatch.setattr(keys, "RELOAD_SECONDS", 10**9)
    monkeypatch.setattr(keys, "UNKNOWN_KEY_SECONDS", 0)
    new = rotate(app)
    clock.shift(60)
    app.extensions["gatehouse.keys"].reset()
    signed_in.refresh()
    assert header_of(signed_in.access_token)["kid"] == new
    assert shown(other_worker, signed_in.access_token) == {(200, None)}


def test_a_retired_key_is_neither_published_nor_believed(app, signed_in, clock, reloading):
    old = header_of(signed_in.access_token)["kid"]
    new = rotate(app)
    change(app, SigningKey, SigningKey.kid == old, verify_until=now())
    assert shown(signed_in, signed_in.access_token) == REFUSED
    assert published_kids(signed_in) == [new]


@pytest.mark.asvs("7.2.2")
def test_private_keys_are_encrypted_where_they_are_stored(app, signed_in):
    (row,) = rows(app, SigningKey)
    with app.app_context():
        private = keys.current().signing.private
        plain = crypto.decrypt(keys.PURPOSE, row.private_key, row.kid)
        with pytest.raises(crypto.Undecryptable):
            crypto.decrypt(keys.PURPOSE, row.private_key, "another kid")
    assert serialization.load_der_private_key(plain, None).private_bytes_raw() == private.private_bytes_raw()
    assert private.private_bytes_raw() not in row.private_key
    assert signed_in.session_id


@one_client
def test_keys_outlive_a_change_of_the_secret_key_that_names_the_earlier_one(make_client, signed_in):
    earlier = "Zk3v9QpX-7Lw2mTn5RbY8sHd4GcJ6fAe1"
    renewed = make_client(SECRET_KEY="Qm7t2WzR-4Hx9kUc1NeV6yPb8LdJ3gSf5", SECRET_KEY_FALLBACKS=earlier)
    assert shown(renewed, signed_in.access_token) == {(200, None)}


@pytest.mark.asvs("RFC 7517")
def test_the_id_of_a_key_is_its_thumbprint(bearer):
    (key,) = bearer.get("/.well-known/jwks.json").json["keys"]
    members = json.dumps({name: key[name] for name in ("crv", "kty", "x")}, sort_keys=True, separators=(",", ":"))
    assert key["kid"] == encode(bytes.fromhex(crypto.hash_secret(members)))


def test_the_command_rotates_and_lists(app, bearer, clock, reloading):
    bearer.signed_in("ada")
    runner = app.test_cli_runner()
    kid = runner.invoke(args=["keys", "rotate"]).output.strip()
    listed = runner.invoke(args=["keys", "list"]).output.splitlines()
    assert [line[:2] for line in listed] == ["* ", "  "]
    assert listed[1].split() == ["EdDSA", kid]
    clock.shift(60)
    assert runner.invoke(args=["keys", "list"]).output.splitlines()[1].split() == ["*", "EdDSA", kid]


@one_client
def test_the_key_table_is_asked_once_for_many_unknown_keys(signed_in, forger, statements):
    with statements() as seen:
        for number in range(20):
            shown(signed_in, forger.with_header(kid=f"unknown-{number}"))
    assert sum("signing_keys" in statement for statement in seen) <= 2


# What the cache of verified tokens must not do


def test_a_revocation_is_seen_although_the_token_was_verified_before(app, signed_in):
    with app.test_request_context(), one_time.database.apart() as unit:
        revocations.add(claims_of(signed_in.access_token)["jti"])
        revocations.write(unit.revoked)
    revocations.settle()
    assert shown(signed_in, signed_in.access_token) == {(401, "token_revoked")}


@one_client
@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_revocation_is_seen_although_a_standby_that_lagged_took_over(app, signed_in, database):
    for _ in range(3):
        other = signed_in.another()
        other.login("ada")
        other.logout()
    assert signed_in.get("/auth/protected").status == 200
    clear(app, RevokedToken)
    execute(database.url, "ALTER SEQUENCE revoked_tokens_id_seq RESTART")
    with app.app_context():
        # Only the connection that is held open is cut, so that the next test finds no dead one in the pool.
        db.engine.dispose()
    execute(database.url, CUT)
    assert served(lambda: signed_in.get("/auth/protected")).status == 200
    served(signed_in.copy().logout)
    assert served(lambda: signed_in.get("/auth/protected")).code == "token_revoked"


@one_database
def test_the_cache_is_bounded(app, signed_in, monkeypatch):
    monkeypatch.setattr("auth.tokens.REMEMBERED", 16)
    for _ in range(40):
        signed_in.refresh()
        assert signed_in.get("/auth/protected").status == 200
    assert len(app.extensions["gatehouse.keys"].set.verified) <= 16


def test_the_password_is_in_no_token(signed_in):
    for token in (signed_in.access_token, signed_in.refresh_token):
        assert PASSWORD not in json.dumps(claims_of(token))
        assert "ada@example.org" not in json.dumps(claims_of(token))
