"""Which problems a route can answer: those it was declared with, and those that the door adds to it."""

from auth.endpoint import Endpoint
from auth.problems import (
    CsrfFailed,
    FreshTokenRequired,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Problem,
    RateLimited,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# What each kind of authentication refuses with. Signing out also works with a token that has expired.
BY_AUTH: dict[str | None, tuple[type[Problem], ...]] = {
    None: (),
    "optional": (TokenInvalid, TokenExpired, TokenRevoked),
    "access": (TokenMissing, TokenInvalid, TokenExpired, TokenRevoked),
    "fresh": (TokenMissing, TokenInvalid, TokenExpired, TokenRevoked, FreshTokenRequired),
    "refresh": (TokenMissing, TokenInvalid, TokenExpired, TokenRevoked),
    "session": (TokenMissing, TokenInvalid),
}
# What a session that can only enrol a second factor does not open, but where the route says so.
ENROLLED = ("access", "fresh", "optional")


def problems_of(told: Endpoint) -> list[type[Problem]]:
    """Every problem that a route can answer, one class a code, by status."""
    found = [*BY_AUTH[told.auth], *told.errors, *_by_input(told), *_by_guard(told)]
    by_code = {problem.code: problem for problem in reversed(found)}
    order = [problem.code for problem in found]
    return sorted(by_code.values(), key=lambda problem: (problem.status, order.index(problem.code)))


def _by_input(told: Endpoint) -> list[type[Problem]]:
    found: list[type[Problem]] = []
    if told.body is not None or told.method not in SAFE_METHODS:
        found += [InvalidRequest, TooLarge, UnsupportedMediaType]
    if not told.takes_any_query:
        found.append(InvalidRequest)
    if "<" in told.rule:
        found.append(NotFound)
    return found


def _by_guard(told: Endpoint) -> list[type[Problem]]:
    found: list[type[Problem]] = []
    if told.method not in SAFE_METHODS:
        found.append(CsrfFailed)
    if told.auth in ENROLLED and told.closed_by:
        found.append(told.closed_by)
    if told.needs:
        found.append(PermissionDenied)
    if told.limit:
        found.append(RateLimited)
    if told.auth is not None or told.method not in SAFE_METHODS:
        found.append(Unavailable)
    return found
