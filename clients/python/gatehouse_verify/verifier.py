"""Verify access tokens (RFC 9068) offline: keys and revocations are fetched in the background, never per token."""

import os
import threading
from typing import NotRequired, Self, TypedDict, cast

from .problems import TokenExpired, TokenInvalid, TokenMissing, TokenRevoked
from .published import Published, Settings


class Claims(TypedDict):
    """What a verified token says; `sub` is the id of the account. The first seven are required, the others usual."""

    iss: str
    aud: str
    sub: str
    iat: int
    exp: int
    jti: str
    sid: str
    auth_time: NotRequired[int]
    amr: NotRequired[list[str]]
    acr: NotRequired[str]
    preferred_username: NotRequired[str]
    roles: NotRequired[list[str]]


class Verifier:
    """Verifies the tokens of one issuer for one audience. One for the whole process; safe to share between threads."""

    def __init__(
        self,
        issuer: str,
        audience: str = "gatehouse",
        *,
        service_url: str | None = None,
        leeway: float = 10,
        poll_seconds: float = 2,
        stale_after: float = 60,
        timeout: float = 2,
    ) -> None:
        """Take the issuer (PUBLIC_URL of the service) and the audience (its JWT_AUDIENCE). No network yet.

        `service_url`: where to fetch, when that is not the issuer's address. `leeway`: clock difference forgiven, at
        most 30 s. `poll_seconds`: how often revocations are asked for; the key set is asked for four times within
        `stale_after`. `stale_after`: how long what was fetched is relied on while the service is away; then every
        token is refused with Stale. `timeout`: of one network step. Raises ValueError for an unsafe value.
        """
        service_url = service_url or issuer
        if not service_url.startswith(("https://", "http://")):
            raise ValueError("the service is reached by https, or by http inside a trusted network")
        if not 0 <= leeway <= 30:
            raise ValueError("leeway is between 0 and 30 seconds")
        if not 0 < poll_seconds < stale_after:
            raise ValueError("poll_seconds is positive and less than stale_after")
        self._settings = Settings(issuer, audience, service_url, leeway, poll_seconds, stale_after, timeout)
        self._starting = threading.Lock()
        self._published: Published | None = None

    def start(self) -> Self:
        """Fetch now rather than at the first token, and return the verifier; never raises for a missing answer."""
        self._current()
        return self

    def close(self) -> None:
        """End the background thread; a later `verify` would start it again."""
        published, self._published = self._published, None
        if published and published.pid == os.getpid():
            published.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def verify(self, token: str) -> Claims:
        """Return the claims of an access token.

        Raises TokenInvalid, TokenExpired, TokenRevoked, or Stale (the documents in hand are older than the bound).
        Asks the network only for the first token of a process and for an unknown `kid`, once in five seconds at most.
        """
        published = self._current()
        revocations = published.revocations()
        claims = published.read(token, "at+jwt", self._settings.audience, ["aud", "sub", "jti", "sid"])
        if not isinstance(claims["sid"], str):
            raise TokenInvalid("sid is not a string")
        if claims["sid"] in revocations.revoked or claims["jti"] in revocations.revoked:
            raise TokenRevoked
        if claims["iat"] < revocations.complete_since:
            raise TokenExpired("older than the list of revocations reaches back")
        return cast(Claims, claims)

    def verify_header(self, authorization: str | None) -> Claims:
        """Return the claims of the token in an Authorization header (RFC 6750); raises like verify, or TokenMissing."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise TokenMissing
        return self.verify(token.strip())

    def _current(self) -> Published:
        published = self._published
        if published and published.pid == os.getpid():
            return published
        with self._starting:
            if not self._published or self._published.pid != os.getpid():
                self._published = Published(self._settings)
            return self._published
