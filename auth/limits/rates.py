"""Rate limits: one table of names that routes cite, counted by address and by person (docs/limits.md is made from it).

Never more than so many requests in any period of the given length (a sliding window). An address is one IPv4 address
or one IPv6 network of 64 bits; a person is the name or address that was typed, or the account that is signed in, so
that the people nobody knows are counted like all others. Both are known by a keyed hash: a count outlives the request,
and the deletion of the person. Each route counts people by itself: whoever spends what a person has at one of them
leaves the others open.
"""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

from flask import Flask, Response, current_app, g, request
from limits import RateLimitItem, parse

from auth import crypto, fields, metrics
from auth.limits import shared
from auth.limits.counters import Counter, Window
from auth.problems import RateLimited
from config import Settings, settings


@dataclass(frozen=True, slots=True)
class Limit:
    """How many requests an address and a person have; `told` says for what."""

    told: str
    address: RateLimitItem
    person: RateLimitItem | None = None


LETTERS = "mail"
LIMITS = {
    "login": Limit("Proofs of who one is; for one account the lockout counts as well", parse("60/5 minutes")),
    "refresh": Limit("Refreshing tokens", parse("120/minute")),
    "register": Limit("New accounts; a person is the address given", parse("30/hour"), parse("6/hour")),
    LETTERS: Limit("Letters that anybody can ask for; a person is who gets them", parse("20/hour"), parse("5/hour")),
    "redeem": Limit("Links and codes out of letters", parse("30/5 minutes"), parse("20/5 minutes")),
    "passkey": Limit("Ceremonies of passkeys", parse("60/5 minutes")),
    "code": Limit("Codes sent by SMS or mail as a second factor", parse("30/hour"), parse("10/hour")),
    "account": Limit("Changes of one's own account", parse("60/hour"), parse("30/hour")),
}


def check(name: str) -> None:
    """Count a request against the limit of its address; raises RateLimited."""
    if settings().rate_limits:
        _count(name, LIMITS[name].address, f"address:{_hashed(network(request.remote_addr or ''))}")


def check_person(name: str, person: str) -> None:
    """Count a request against what whom it is about has at this route; raises RateLimited."""
    item = LIMITS[name].person
    if item is not None and settings().rate_limits:
        _count(name, item, f"person:{request.endpoint}:{_hashed(fields.key(person))}")


def tell(response: Response) -> Response:
    """Tell the client how much is left of the narrower limit."""
    window: Window | None = g.get("rate_window")
    if window is not None:
        response.headers["RateLimit-Limit"] = str(window.amount)
        response.headers["RateLimit-Remaining"] = str(window.remaining)
        response.headers["RateLimit-Reset"] = str(window.reset)
    return response


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """What is counted as one address: whoever has an IPv6 address usually has the 2 ** 64 around it too."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:45]
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))


def init_app(app: Flask, chosen: Settings, alone: bool = False) -> None:
    """Choose where requests are counted; `alone` when it is certain that no other process serves."""
    app.extensions["gatehouse.limits"] = shared.choose(chosen, alone)


def _hashed(who: str) -> str:
    return crypto.keyed_hash("rate limits", who)[:32]


def _count(name: str, item: RateLimitItem, who: str) -> None:
    counter: Counter = current_app.extensions["gatehouse.limits"]
    window = counter.hit(item, f"{name}:{who}")
    known: Window | None = g.get("rate_window")
    if known is None or window.remaining <= known.remaining:
        g.rate_window = window
    if not window.granted:
        metrics.rate_limited.labels(name).inc()
        raise RateLimited(retry_after=window.reset)
