"""What Gatehouse publishes for offline verification (key set, RFC 7517; revocations), kept fresh by a thread."""

import json
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

import jwt

from .feed import Feed
from .problems import Stale, TokenExpired, TokenInvalid

ALGORITHMS = ("EdDSA", "ES256", "RS256")
KEY_COOLDOWN_SECONDS = 5.0
KEY_PATIENCE_SECONDS = 0.25


@dataclass(frozen=True)
class Settings:
    """How a verifier was set up; `Verifier` says what each means."""

    issuer: str
    audience: str
    service_url: str
    leeway: float
    poll_seconds: float
    stale_after: float
    timeout: float


@dataclass(frozen=True)
class Revocations:
    """The revocations in force, and until when the service lets anyone rely on them."""

    revoked: frozenset[str]
    complete_since: float
    expires: float


def read_keys(body: bytes) -> dict[str, jwt.PyJWK]:
    """Return the usable keys of a JWK set by `kid`, each bound to its one algorithm (RFC 8725 section 3.1)."""
    keys = {}
    for entry in json.loads(body)["keys"]:
        try:
            key = jwt.PyJWK(entry)
        except jwt.PyJWTError:  # a kind of key this version does not know must not take the others with it
            continue
        if key.algorithm_name in ALGORITHMS and key.key_id and key.public_key_use in (None, "sig"):
            keys[key.key_id] = key
    if not keys:
        raise ValueError("no usable key")
    return keys


class Published:
    """The two documents in one process. A fork starts its own: threads and connections do not cross it."""

    def __init__(self, settings: Settings) -> None:
        """Load both documents, as far as the service answers, and go on refreshing them in the background."""
        self.pid = os.getpid()
        self._settings = settings
        self._stop = threading.Event()
        service, timeout = settings.service_url, settings.timeout
        self._keys = Feed(service, "/.well-known/jwks.json", read_keys, timeout)
        self._revocations = Feed(service, "/.well-known/revocations", self._read_revocations, timeout)
        self._refresh()
        self._thread = threading.Thread(target=self._run, name="gatehouse-verify", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the background thread and close the connections."""
        self._stop.set()
        self._thread.join()
        self._keys.close()
        self._revocations.close()

    def revocations(self) -> Revocations:
        """Return the revocations in hand; raises Stale when they are too old. No network."""
        revocations = self._revocations.held(self._settings.stale_after)
        if time.time() > revocations.expires + self._settings.leeway:
            raise Stale("the revocations have expired")
        return revocations

    def read(self, token: str, typ: str, audience: str | None, require: list[str]) -> dict[str, Any]:
        """Return the claims of a JWT of this issuer, type and audience (RFC 8725); raises a Refused."""
        require = ["iss", "iat", "exp", *require]
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != typ:
                raise TokenInvalid("another type of token")
            key = self._key(header.get("kid"))
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=self._settings.issuer,
                leeway=self._settings.leeway,
                options={"require": require, "verify_aud": audience is not None, "strict_aud": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired(str(error)) from error
        # The parsers of the standard library answer absurd input (deep nesting, huge numbers) with these two.
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenInvalid(str(error)) from error

    def _key(self, kid: str | None) -> jwt.PyJWK:
        keys = self._keys.held(self._settings.stale_after)
        if kid not in keys:
            # The service may just have rotated. Forged kids cannot make this busy: all callers share one request
            # in five seconds, and while a service that hangs keeps that one waiting the others do not wait with it.
            self._keys.refresh(KEY_COOLDOWN_SECONDS, KEY_PATIENCE_SECONDS)
            keys = self._keys.held(self._settings.stale_after)
        if kid not in keys:
            raise TokenInvalid("unknown key")
        return keys[kid]

    def _read_revocations(self, body: bytes) -> Revocations:
        claims = self.read(body.decode("ascii"), "revocations+jwt", None, ["revoked", "complete_since"])
        return Revocations(frozenset(claims["revoked"]), claims["complete_since"], claims["exp"])

    def _refresh(self) -> None:
        self._keys.refresh(at_most_every=self._settings.stale_after / 4)
        self._revocations.refresh()

    def _run(self) -> None:
        while not self._stop.wait(self._settings.poll_seconds):
            self._refresh()
