"""JWT in and out: access tokens (RFC 9068) and refresh tokens, issued and validated by Flask-JWT-Extended.

A token that was verified, or signed here, is remembered by its whole text for as long as the keys stay what they are,
bounded. Its signature and its form are then not checked again; its use, expiry and revocation are, on every request.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from flask import Flask, g
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import InvalidTokenError, get_unverified_header
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_decode, base64url_encode

from auth import keys
from auth.problems import TokenExpired, TokenInvalid
from config import Settings, settings

ACCESS, REFRESH = "access", "refresh"
TYP = {ACCESS: "at+jwt", REFRESH: "rt+jwt"}
# Each weighs some kilobyte.
REMEMBERED = 2048
LONGEST = 8192
# Clocks of two machines may differ by so much when a token is said to be issued; expiry has no leeway.
CLOCK_SKEW_SECONDS = 5
# The end of the year 9999: no calendar of the systems around goes further.
LATEST = 253402300799
_USER_ID = re.compile("[1-9][0-9]{0,18}")
_CLAIM_TYPES = {"iss": str, "aud": str, "sub": str, "jti": str, "sid": str, "iat": int, "exp": int, "type": str}
_BROKEN = (
    PyJWTError,
    JWTExtendedException,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)

Claims = dict[str, Any]

# What the access token of a session that can only enrol a factor says. Its audience is none that another service
# accepts, so that a verifier that never heard of such sessions refuses it as well.
ENROL_ONLY: Claims = {"enrol_only": True, "aud": "urn:gatehouse:enrolment", "roles": []}


def mint(use: str, user_id: int, lifetime: int, claims: Claims) -> str:
    """A signed token for one use and so many seconds; `claims` come on top of the registered ones and win over them.

    The library adds `fresh`, always false, which nobody reads: freshness is told from `auth_time` and `acr`.
    """
    # The key is chosen once: what the header names is what signs, although keys may rotate meanwhile.
    key_set = keys.current()
    g.signing_key = key = key_set.signing
    create = create_access_token if use == ACCESS else create_refresh_token
    token: str = create(
        str(user_id),
        expires_delta=timedelta(seconds=lifetime),
        additional_claims=claims,
        additional_headers={"typ": TYP[use], "kid": key.kid},
    )
    _remember(token, key_set)
    return token


def read(token: str, use: str, *, allow_expired: bool = False) -> Claims:
    """The claims of a valid token for one use; raises TokenInvalid, TokenExpired. Revocation is the next question."""
    key_set = keys.current()
    known = key_set.verified.get(token)
    claims: Claims = orjson.loads(known) if known else _verify(token, use)
    if known:
        if claims["type"] != use:
            raise TokenInvalid
    elif use == ACCESS:
        _remember(token, key_set)
    until = claims["exp"]
    if use == ACCESS:
        # Revocations are kept as long as tokens live by today's setting: none lives longer, whatever it was promised.
        until = min(until, claims["iat"] + settings().access_token_seconds)
    if until <= time.time() and not allow_expired:
        raise TokenExpired
    return claims


def use_of(token: str) -> str:
    """What a token says it is for, unverified; whoever reads it for that use then verifies it."""
    try:
        typ = get_unverified_header(token).get("typ") if len(token) <= LONGEST else None
    except _BROKEN:
        raise TokenInvalid from None
    return REFRESH if typ == TYP[REFRESH] else ACCESS


def present(claims: Claims, location: str) -> None:
    """Let get_jwt() of Flask-JWT-Extended find the claims in this request."""
    request_globals = g._get_current_object()
    request_globals._jwt_extended_jwt = claims
    request_globals._jwt_extended_jwt_header = {"typ": TYP[claims["type"]]}
    request_globals._jwt_extended_jwt_user = {"loaded_user": None}
    request_globals._jwt_extended_jwt_location = location


def moment(claim: int) -> datetime:
    """The instant of a NumericDate (RFC 7519 section 2)."""
    return datetime.fromtimestamp(claim, UTC)


def init_app(app: Flask, chosen: Settings) -> None:
    """Configure Flask-JWT-Extended; its key callbacks take keys from the key set and never fail with a key error."""
    app.config |= {
        "JWT_ALGORITHM": chosen.jwt_algorithm,
        "JWT_DECODE_ALGORITHMS": [chosen.jwt_algorithm],
        "JWT_ENCODE_AUDIENCE": chosen.jwt_audience,
        "JWT_DECODE_AUDIENCE": [chosen.jwt_audience, ENROL_ONLY["aud"]],
        "JWT_ENCODE_ISSUER": chosen.public_url,
        "JWT_DECODE_ISSUER": chosen.public_url,
        "JWT_DECODE_LEEWAY": CLOCK_SKEW_SECONDS,
        "JWT_ENCODE_NBF": False,
        "JWT_COOKIE_CSRF_PROTECT": False,
        "JWT_TOKEN_LOCATION": ["headers"],
    }
    manager = JWTManager(app)
    manager.encode_key_loader(lambda _identity: g.signing_key.private)
    manager.decode_key_loader(_decode_key)


def _verify(token: str, use: str) -> Claims:
    """The claims of a token, validated in full but for its expiry; raises TokenInvalid."""
    try:
        signature = token.rpartition(".")[2]
        # A lenient decoder skips foreign characters and unused bits: one token must not have many spellings.
        if len(token) > LONGEST or base64url_encode(base64url_decode(signature)).decode() != signature:
            raise TokenInvalid
        claims: Claims = decode_token(token, allow_expired=True)
        _check_claims(claims, use)
    except _BROKEN:
        raise TokenInvalid from None
    return claims


def _remember(token: str, key_set: keys.KeySet) -> None:
    """Keep the claims of a token that is known to be right as long as these keys are; the oldest go when it is full.

    As the JSON that they came in: read again on every request, that weighs a quarter of what they do as objects.
    """
    verified = key_set.verified
    if len(verified) >= REMEMBERED:
        for oldest in list(verified)[: REMEMBERED // 8]:
            verified.pop(oldest, None)
    verified[token] = base64url_decode(token.split(".")[1])


def _decode_key(header: dict[str, Any], claims: Claims) -> Any:
    """The key that the header names, if it is ours and of the header's algorithm; nothing else there is believed."""
    key = keys.find(header.get("kid"))
    if key is None or header.get("alg") != key.algorithm or header.get("typ") != TYP.get(str(claims.get("type"))):
        raise InvalidTokenError("unknown key")
    return key.public


def _check_claims(claims: Claims, use: str) -> None:
    """Every claim is there, of its exact type, and equal to what is expected: no array, no prefix, no boolean."""
    for name, kind in _CLAIM_TYPES.items():
        if type(claims.get(name)) is not kind:
            raise TokenInvalid
    audience = ENROL_ONLY["aud"] if use == ACCESS and "enrol_only" in claims else settings().jwt_audience
    expected = (use, settings().public_url, audience)
    if (claims["type"], claims["iss"], claims["aud"]) != expected or not _USER_ID.fullmatch(claims["sub"]):
        raise TokenInvalid
    if claims["exp"] > LATEST:
        raise TokenInvalid
    if use == REFRESH and type(claims.get("generation")) is not int:
        raise TokenInvalid
