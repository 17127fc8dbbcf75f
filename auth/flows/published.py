"""What other services verify tokens with, offline: the key set (RFC 7517) and the revocations still in force."""

import threading
import time
from typing import Any

import jwt
import orjson
from flask import Blueprint, Response, current_app

from auth import answers, keys, revocations
from auth.endpoint import endpoint
from auth.fields import Answer
from auth.problems import Unavailable
from config import settings

bp = Blueprint("published", __name__)

LISTED = 5000
# A list is signed anew after so long although nothing changed, and may be relied on for so long.
RENEWED_SECONDS = 30
RELIABLE_SECONDS = 120
TYP = "revocations+jwt"


class KeySetAnswer(Answer):
    """A JWK set."""

    keys: list[dict[str, str]]


class RevocationList(Answer):
    """A signed list (RFC 7515, compact)."""

    media_type = "application/jwt"


class SignedList:
    """The revocations as last signed, with what they were signed for."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made_for: tuple[Any, ...] = ()
        self.made_at = 0.0
        self.body = ""


@endpoint(bp, "GET", "/.well-known/jwks.json", returns=KeySetAnswer, errors=(Unavailable,))
def jwks() -> Response:
    """The public keys, old and new during a rotation, for whoever verifies tokens."""
    return answers.cacheable(orjson.dumps(keys.current().published()), "application/json", "public, max-age=60")


@endpoint(bp, "GET", "/.well-known/revocations", returns=RevocationList, errors=(Unavailable,))
def revoked() -> Response:
    """The revocations still in force, signed (a compact JWS of type `revocations+jwt`).

    `revoked` maps each `sid` or `jti` to the NumericDate until which it matters. When more are in force than are
    listed, tokens issued before `complete_since` must be refused: their session may be one of those left out.
    """
    return answers.cacheable(_signed().encode(), "application/jwt", "public, max-age=2")


def _signed() -> str:
    """The signed list, made anew when it changed or its signature grows old."""
    seen = revocations.current()
    seen.refresh()
    kept: SignedList = current_app.extensions.setdefault("gatehouse.revocation_list", SignedList())
    key = keys.current().signing
    with kept.lock:
        made_for = (seen.version, key.kid)
        if kept.made_for != made_for or time.monotonic() - kept.made_at > RENEWED_SECONDS:
            headers = {"typ": TYP, "kid": key.kid}
            kept.body = jwt.encode(_payload(seen), key.private, key.algorithm, headers=headers)
            kept.made_for, kept.made_at = made_for, time.monotonic()
        return kept.body


def _payload(seen: revocations.Revocations) -> dict[str, Any]:
    now = int(time.time())
    in_force = [
        (name, int(until.timestamp())) for name, until in list(seen.in_force.items()) if until.timestamp() > now
    ]
    left_out, listed = in_force[:-LISTED], in_force[-LISTED:]
    lasting = settings().access_token_seconds + revocations.MARGIN_SECONDS
    return {
        "iss": settings().public_url,
        "iat": now,
        "exp": now + RELIABLE_SECONDS,
        "revoked": dict(listed),
        "complete_since": left_out[-1][1] - lasting + 1 if left_out else 0,
    }
