"""docs/limits.md: how often anything may be tried, from the tables and constants that the code itself uses."""

from datetime import timedelta

from limits import RateLimitItem

from auth import links, session_rows
from auth.docs.tables import headed, table
from auth.factors import enrolled, passkeys, pending
from auth.limits import lockout, rates
from auth.openapi import Route

INTRODUCTION = """<!-- asvs: 2.1.3, 6.1.1 -->

Beyond a limit the answer is 429 with `Retry-After`. Nothing here can be switched off in production."""

REQUESTS = """## Requests

Never more than so many in any period of the given length. An address is one IPv4 address or one IPv6 network of 64
bits; a person is who the request is about, known or not. An address has its number for all routes of a row together, a
person at each of them: nobody keeps a person from one way back by using up another. Every answer of a limited route
carries `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` of the narrower of its limits. Requests are
counted in the database, so that every process counts together under any server and on any number of machines, or in
Redis (`REDIS_URL`); while Redis is away each process counts for itself. Only the one worker of the built-in server on
SQLite counts in its memory."""

GUESSES = """## Guesses at an account

Every password and every code is counted before it is looked at, by one statement in the database, so that no number of
addresses, processes or parallel requests buys more:"""

OWNER = """**Nobody is locked out by others.** A browser or program that has signed in before keeps a signed device
token (a cookie, or `X-Device-Token`) and has the same budget for itself, which strangers cannot spend. A new
password, "not me" and the first proof of an address by a mailed sign-in void every such token (where the password is
changed, a new one is handed out), and after 400 days without a sign-in it is void by itself. A password reset gives
every budget back.

**A lockout tells nothing.** Names that nobody has are counted in the same way and answered with the same words. A guess
is counted for the account and for the name that was typed, and only a name is ever answered as locked: under its other
name an account that is exhausted answers as if the guess were wrong, without looking at it. Such guesses stand in the
owner's events as `login.failed` with the reason `locked`, and the owner is told by mail as of any lockout."""


def limits(routes: list[Route]) -> str:
    """The document."""
    return "\n".join(
        [
            headed("Limits", INTRODUCTION).rstrip() + "\n",
            REQUESTS + "\n\n" + _requests(routes),
            GUESSES + "\n\n" + _guesses() + "\n" + OWNER + "\n",
            "## Everything else\n\n" + _others(),
        ]
    )


def _requests(routes: list[Route]) -> str:
    cited: dict[str, list[str]] = {name: [] for name in rates.LIMITS}
    for route in routes:
        if route.told.limit:
            cited[route.told.limit].append(f"`{route.told.method} {route.path}`")
    rows = (
        [f"`{name}`", limit.told, _rate(limit.address), _rate(limit.person), ", ".join(cited[name]) or "none yet"]
        for name, limit in rates.LIMITS.items()
    )
    return table(["name", "for", "an address", "a person", "routes"], rows)


def _rate(item: RateLimitItem | None) -> str:
    return f"{item.amount} in {_period(timedelta(seconds=item.get_expiry()))}" if item else "none of its own"


def _guesses() -> str:
    return table(
        ["what", "how many"],
        [
            ["guesses at an account", f"{lockout.GUESSES} until {_period(lockout.WINDOW)} pass without one"],
            ["guesses in a row, ever", f"{lockout.GUESSES_IN_A_ROW}, until the owner signs in or resets the password"],
        ],
    )


def _others() -> str:
    return table(
        ["what", "how many"],
        [
            ["wrong codes for one letter, until it is void", str(links.WRONG_CODES)],
            ["letters of one kind that still work, for one address", "1: a new one voids the one before"],
            ["lifetime of a link to sign in, and of every code", _period(links.SIGN_IN)],
            ["lifetime of a link that verifies an address", _period(links.VERIFICATION)],
            ["lifetime of a way back in a notice", _period(links.WAY_BACK)],
            ["lifetime of a half-finished sign-in", _period(pending.LIFETIME)],
            ["lifetime of a passkey's challenge", _period(passkeys.LIFETIME)],
            ["authenticators of one kind, passkeys, of a person", f"{enrolled.MOST_OF_A_KIND} each"],
            ["open sessions of a person", f"{session_rows.MOST}: one more ends the oldest"],
        ],
    )


def _period(length: timedelta) -> str:
    """A length of time in its largest whole unit."""
    seconds = int(length.total_seconds())
    size, unit = next((size, unit) for size, unit in UNITS if seconds % size == 0)
    return f"{seconds // size} {unit}" + ("s" if seconds != size else "")


UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
