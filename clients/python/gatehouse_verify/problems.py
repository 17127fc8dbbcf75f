"""What can go wrong, one class a problem, with the codes and sentences of Gatehouse itself.

Refused
├── TokenMissing   401 token_missing
├── TokenInvalid   401 token_invalid
├── TokenExpired   401 token_expired
├── TokenRevoked   401 token_revoked
└── Stale          503 unavailable
"""

from http import HTTPStatus
from typing import ClassVar


class Refused(Exception):
    """The token is not accepted. `str(error)` is safe to show; `status`, `headers` and `body` are an HTTP answer."""

    status = 401
    code = "token_invalid"
    message = "Signature verification failed"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}  # RFC 6750 section 3

    def __init__(self, reason: str = "") -> None:
        """Take the precise reason, which is for logs: an answer carries only `message`."""
        super().__init__(self.message)
        self.reason = reason

    @property
    def body(self) -> dict[str, str | int]:
        """Return the problem document (RFC 9457), shaped like the errors of Gatehouse."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
            "message": self.message,
        }


class TokenMissing(Refused):
    """The request carries no Bearer token."""

    code = "token_missing"
    message = "Missing Authorization Header"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class TokenInvalid(Refused):
    """The token is not one that this issuer made for this audience."""


class TokenExpired(Refused):
    """The token has to be refreshed: it is past `exp`, or older than the list of revocations reaches back."""

    code = "token_expired"
    message = "Token has expired"


class TokenRevoked(Refused):
    """The session, or this token alone, was ended before its time."""

    code = "token_revoked"
    message = "Token has been revoked"


class Stale(Refused):
    """The keys or revocations in hand are too old to rely on: nothing is accepted until the service answers again."""

    status = 503
    code = "unavailable"
    message = "Tokens cannot be verified at the moment"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}
