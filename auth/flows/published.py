"""What other services verify tokens with, offline: the key set (RFC 7517) and the revocations still in force."""

import gzip
import threading
import time
from typing import Any

import jwt
import orjson
from flask import Blueprint, Response, current_app, request

from auth import answers, keys, revocations
from auth.endpoint import endpoint
from auth.fields import Answer
from auth.problems import Unavailable
from auth.tokens import CLOCK_SKEW_SECONDS
from config import settings

bp = Blueprint("published", __name__)

LISTED = 5000
# However many sign out, a worker signs the list no more often than this: so much later may a revocation be seen.
SIGNED_EVERY_SECONDS = 1
# A list is signed anew after so long although nothing changed, and may be relied on for so long.
RENEWED_SECONDS = 30
RELIABLE_SECONDS = 120
TYP = "revocations+jwt"
# Names are random: more effort than the least of gzip saves a few hundredths more, at four times the time.
PACKING = 1


class KeySetAnswer(Answer):
    """A JWK set."""

    keys: list[dict[str, str]]


class RevocationList(Answer):
    """A signed list (RFC 7515, compact)."""

    media_type = "application/jwt"


# The bytes of the list in one encoding, and their entity tag.
Form = tuple[bytes, str]


class SignedList:
    """The revocations as last signed, plain and packed, with what they were signed for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Sign anew at the next request."""
        self.made_for: tuple[Any, ...] = ()
        self.made_at = float("-inf")
        self.forms: dict[str, Form] = {}


@endpoint(bp, "GET", "/.well-known/jwks.json", returns=KeySetAnswer, errors=(Unavailable,))
def jwks() -> Response:
    """The public keys, old and new during a rotation, for whoever verifies tokens."""
    kept = f"public, max-age={keys.CACHED_SECONDS}"
    return answers.cacheable(orjson.dumps(keys.current().published()), "application/json", kept)


@endpoint(bp, "GET", "/.well-known/revocations", returns=RevocationList, errors=(Unavailable,))
def revoked() -> Response:
    """The revocations still in force, signed (a compact JWS of type `revocations+jwt`).

    `revoked` maps each `sid` or `jti` to the NumericDate until which it matters. Tokens issued before `complete_since`
    must be refused, whatever their `exp` says: their session may have ended and not be listed. When more are in force
    than are listed, that tells those left out. A list is signed at most once a second, and comes compressed to whoever
    accepts gzip.
    """
    # Each encoding has an entity tag of its own (RFC 9110 section 8.8.3.3).
    encoding = "gzip" if request.accept_encodings["gzip"] else "identity"
    body, etag = _signed()[encoding]
    response = answers.cacheable(body, "application/jwt", "public, max-age=1", etag)
    response.vary.add("Accept-Encoding")
    if encoding == "gzip":
        response.content_encoding = encoding
    return response


def _signed() -> dict[str, Form]:
    """The signed list by its encoding, made anew when it changed or its signature grows old."""
    seen = revocations.current()
    seen.refresh()
    kept: SignedList = current_app.extensions.setdefault("gatehouse.revocation_list", SignedList())
    key = keys.current().signing
    with kept.lock:
        period = int(time.time()) // RENEWED_SECONDS * RENEWED_SECONDS
        made_for = (seen.version, key.kid, period)
        if kept.made_for != made_for and time.monotonic() - kept.made_at >= SIGNED_EVERY_SECONDS:
            kept.forms = _forms(_payload(seen, period), key)
            kept.made_for, kept.made_at = made_for, time.monotonic()
        return kept.forms


def _forms(payload: dict[str, Any], key: keys.Key) -> dict[str, Form]:
    headers = {"typ": TYP, "kid": key.kid}
    body = jwt.encode(payload, key.private, key.algorithm, headers=headers).encode()
    forms = {"identity": body, "gzip": gzip.compress(body, PACKING, mtime=0)}
    return {encoding: (content, answers.etag_of(content)) for encoding, content in forms.items()}


def _payload(seen: revocations.Revocations, period: int) -> dict[str, Any]:
    """What is signed: the same for every worker that has seen the same, so that they answer with one entity tag."""
    in_force = sorted((int(until.timestamp()), name) for name, until in list(seen.in_force.items()))
    in_force = [(until, name) for until, name in in_force if until > period]
    left_out, listed = in_force[:-LISTED], in_force[-LISTED:]
    lasting = settings().access_token_seconds + revocations.MARGIN_SECONDS
    newest = listed[-1][0] - lasting if listed else 0
    # What mattered until then is not told of: it is left out, or has just been dropped, by today's setting.
    untold = left_out[-1][0] if left_out else period
    return {
        "iss": settings().public_url,
        "iat": min(max(period, newest), int(time.time())),
        "exp": period + RELIABLE_SECONDS,
        "revoked": {name: until for until, name in listed},
        # A host whose clock is ahead may have issued a token of that session in what is the future here.
        "complete_since": untold - lasting + 1 + CLOCK_SKEW_SECONDS,
    }
