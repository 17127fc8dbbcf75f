"""Tokens as a forger would make them: any header, any claims, any key, signed or not by the application's own."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from flask import Flask
from jwt.algorithms import get_default_algorithms

from auth import keys

ABSENT = object()


def encode(part: bytes | dict[str, Any]) -> str:
    """One part of a token: base64url without padding (RFC 7515 section 2)."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def header_of(token: str) -> dict[str, Any]:
    """What the header of a token says."""
    return jwt.get_unverified_header(token)


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    return jwt.decode(token, options={"verify_signature": False})


def signed(header: dict[str, Any], claims: dict[str, Any], key: Any = b"", algorithm: str | None = None) -> str:
    """A token with exactly this header and these claims; `key` signs by `algorithm`, or by HMAC when it is bytes."""
    text = f"{encode(header)}.{encode(claims)}"
    if isinstance(key, bytes):
        return f"{text}.{encode(hmac.digest(key, text.encode(), hashlib.sha256) if key else b'')}"
    return f"{text}.{encode(get_default_algorithms()[algorithm].sign(text.encode(), key))}"


class Forger:
    """Knows a good token and, for what only a broken issuer could make, the application's own signing key."""

    def __init__(self, app: Flask, token: str) -> None:
        self.app = app
        self.header = header_of(token)
        self.claims = claims_of(token)
        with app.app_context():
            self.key = keys.current().verifying[self.header["kid"]]

    def with_claims(self, **changes: Any) -> str:
        """The token with other claims, signed as the service signs; ABSENT leaves a claim out."""
        return self._signed(self.header, _changed(self.claims, changes))

    def with_header(self, **changes: Any) -> str:
        """The token with another header, signed as the service signs; ABSENT leaves a member out."""
        return self._signed(_changed(self.header, changes), self.claims)

    def by_another(self, key: Any, algorithm: str, **changes: Any) -> str:
        """The token with its own header but for the changes, signed by a key that is not the service's."""
        return signed(_changed(self.header | {"alg": algorithm}, changes), self.claims, key, algorithm)

    def _signed(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        return signed(header, claims, self.key.private, self.key.algorithm)


def _changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (members | changes).items() if value is not ABSENT}


def in_seconds(seconds: float) -> int:
    """The NumericDate that far from now."""
    return int(time.time() + seconds)
