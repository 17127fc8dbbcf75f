"""What can go wrong: one class a problem (RFC 9457). The code is what clients branch on; the sentence is for people.

Problem
├── InvalidRequest 400            MalformedBody, EmptyBody, LinkInvalid, PasskeyInvalid
├── Unauthorized 401
│   ├── TokenProblem              TokenMissing, TokenInvalid, TokenExpired, TokenRevoked, TokenReused,
│   │                             FreshTokenRequired
│   └── InvalidCredentials, MfaRequired, CodeInvalid
├── Forbidden 403                 CsrfFailed, AccountDisabled, EmailNotVerified, PermissionDenied, RegistrationClosed,
│                                 PasswordResetRequired, EnrolmentRequired, FactorUnavailable, HttpsRequired
├── NotFound 404, MethodNotAllowed 405
├── Conflict 409                  UsernameTaken, EmailTaken, FactorMissing, LastFactor, TooManyFactors, NoPassword
├── TooLarge 413, UnsupportedMediaType 415
├── TooMany 429                   RateLimited, AccountLocked
├── InternalError 500
└── Unavailable 503
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar, Self


class Problem(Exception):
    """A refusal. `extra` are further members of the body; `retry_after` is in seconds.

    `then` names what must be remembered although the request failed: the door runs it, and records `event`, in a
    transaction of their own after the request's was rolled back.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "problem"
    detail: str = "The request could not be served"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: list[dict[str, str]] | None = None,
        retry_after: int | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.detail)
        self.detail = detail or self.detail
        self.errors = errors
        self.retry_after = retry_after
        self.extra = extra
        self.aftermath: Callable[[], object] | None = None
        self.event: tuple[str, dict[str, Any]] | None = None

    def then(self, aftermath: Callable[[], object]) -> Self:
        """Have the door run `aftermath` after the rollback."""
        self.aftermath = aftermath
        return self

    def recorded(self, event: str, **fields: Any) -> Self:
        """Have the door record `event` after the rollback; fields as in events.record."""
        self.event = (event, fields)
        return self

    def body(self, request_id: str) -> dict[str, Any]:
        """The members of the problem document, `message` equal to `detail`."""
        members: dict[str, Any] = {
            "type": f"urn:gatehouse:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "message": self.detail,
            "code": self.code,
            "request_id": request_id,
            **self.extra,
        }
        if self.errors is not None:
            members["errors"] = self.errors
        return members


class InvalidRequest(Problem):
    """The body, the query or the path is not as documented; `errors` names each field, never its value."""

    code = "invalid_request"
    detail = "The request is invalid"


class MalformedBody(InvalidRequest):
    """The body is no JSON object this service reads: broken, deep, duplicate names, not UTF-8."""

    detail = "The body must be one valid JSON object in UTF-8"


class EmptyBody(InvalidRequest):
    """A body is needed and none, or an empty one, came."""

    detail = "No input data provided"


class LinkInvalid(Problem):
    """A mailed link or code is unknown, used, expired, foreign or malformed: one answer for all."""

    code = "link_invalid"
    detail = "This link or code is not valid any more"


class PasskeyInvalid(Problem):
    """A passkey could not be registered: one answer for whatever was wrong with the ceremony (WebAuthn section 7.1)."""

    code = "passkey_invalid"
    detail = "This passkey could not be registered"


class Unauthorized(Problem):
    """Nobody is signed in, or the proof was wrong (RFC 6750, RFC 7235)."""

    status = 401
    code = "unauthorized"


class TokenProblem(Unauthorized):
    """The token presented does not open this route."""


class TokenMissing(TokenProblem):
    """No token came with the request."""

    code = "token_missing"
    detail = "Missing Authorization Header"


class TokenInvalid(TokenProblem):
    """The token is not one this service issued for this use; one sentence for every cause."""

    code = "token_invalid"
    detail = "Signature verification failed"


class TokenExpired(TokenProblem):
    """The token was good once."""

    code = "token_expired"
    detail = "Token has expired"


class TokenRevoked(TokenProblem):
    """The session of this token has ended."""

    code = "token_revoked"
    detail = "Token has been revoked"


class TokenReused(TokenProblem):
    """A refresh token came a second time: the session has been ended (RFC 9700 section 4.14)."""

    code = "token_reused"
    detail = "This refresh token was used before; the session has been ended"


class FreshTokenRequired(TokenProblem):
    """The person must prove themselves again before this (step-up, RFC 9470)."""

    code = "fresh_token_required"
    detail = "Please confirm that it is you"


class InvalidCredentials(Unauthorized):
    """Unknown person or wrong password: never tells which."""

    code = "invalid_credentials"
    detail = "Invalid credentials"


class MfaRequired(Unauthorized):
    """The first proof was right; `mfa_token` and `methods` say how to go on."""

    code = "mfa_required"
    detail = "A second factor is required"


class CodeInvalid(Unauthorized):
    """A code of a second factor was wrong, used, stale or foreign: one answer for all."""

    code = "code_invalid"
    detail = "This code is not valid"


class Forbidden(Problem):
    """Known who it is, and still no."""

    status = 403
    code = "forbidden"
    detail = "This is not allowed"


class HttpsRequired(Forbidden):
    """The request reached the proxy over plain http, where everybody can read along."""

    code = "https_required"
    detail = "Please use https"


class CsrfFailed(Forbidden):
    """A request by cookie came without its CSRF token or from a foreign origin."""

    code = "csrf_failed"
    detail = "The request did not come from an allowed page"


class AccountDisabled(Forbidden):
    """Told only after a right proof."""

    code = "account_disabled"
    detail = "This account is disabled"


class EmailNotVerified(Forbidden):
    """Told only after a right proof."""

    code = "email_not_verified"
    detail = "Please verify your email address first"


class PermissionDenied(Forbidden):
    """The token lacks the permission this route needs."""

    code = "permission_denied"
    detail = "You may not do this"


class RegistrationClosed(Forbidden):
    """Nobody registers by themselves here."""

    code = "registration_closed"
    detail = "Registration is closed"


class PasswordResetRequired(Forbidden):
    """Told only after a right proof: the account was reported as taken over, and waits for a new password."""

    code = "password_reset_required"
    detail = "Please choose a new password first"


class EnrolmentRequired(Forbidden):
    """The session can do nothing but enrol the second factor that the policy demands."""

    code = "enrolment_required"
    detail = "Please set up a second factor first"


class FactorUnavailable(Forbidden):
    """This kind of second factor is not offered by this service."""

    code = "factor_unavailable"
    detail = "This method is not offered here"


class NotFound(Problem):
    """No such route or object, or not one's own."""

    status = 404
    code = "not_found"
    detail = "There is nothing here"


class MethodNotAllowed(Problem):
    """The route exists, with another verb."""

    status = 405
    code = "method_not_allowed"
    detail = "This method is not allowed here"


class Conflict(Problem):
    """The change collides with what is there."""

    status = 409
    code = "conflict"
    detail = "This collides with what is there"


class UsernameTaken(Conflict):
    """Somebody has this username, or one that looks like it."""

    code = "username_taken"
    detail = "Username already exists"


class EmailTaken(Conflict):
    """Somebody has this address."""

    code = "email_taken"
    detail = "Email already exists"


class FactorMissing(Conflict):
    """There is no second factor that this could belong to."""

    code = "factor_missing"
    detail = "Please set up a second factor first"


class LastFactor(Conflict):
    """Without this factor the person could not sign in any more, or not as the policy demands."""

    code = "last_factor"
    detail = "This is the last way to sign in; please add another one first"


class NoPassword(Conflict):
    """The account has no password that works: a mailed link proved its address first, or it never had one."""

    code = "no_password"
    detail = "There is no password yet; please choose one by the letter that “forgotten password” sends"


class TooManyFactors(Conflict):
    """A person may have so many of a kind and no more."""

    code = "too_many_factors"
    detail = "There are too many of these already; please remove one first"


class TooLarge(Problem):
    """The body is larger than 64 KiB."""

    status = 413
    code = "too_large"
    detail = "The body is too large"


class UnsupportedMediaType(Problem):
    """The body is not declared as application/json."""

    status = 415
    code = "unsupported_media_type"
    detail = "The body must be application/json"


class TooMany(Problem):
    """Come back after `Retry-After`."""

    status = 429


class RateLimited(TooMany):
    """A named rate limit is exhausted."""

    code = "rate_limited"
    detail = "Too many requests"


class AccountLocked(TooMany):
    """Too many guesses at one account, which may or may not exist."""

    code = "account_locked"
    detail = "Too many attempts; please wait"


class InternalError(Problem):
    """Our fault; the log has the rest under the request id."""

    status = 500
    code = "internal_error"
    detail = "Something went wrong on our side"


class Unavailable(Problem):
    """A store is away or every hashing place is taken; nothing was done."""

    status = 503
    code = "unavailable"
    detail = "The service is busy; please try again"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1, **extra: Any) -> None:
        super().__init__(detail, retry_after=retry_after, **extra)
