"""What happened: the names, `record` inside the transaction, `dispatch` after it.

A row is written in the transaction of what it tells of, so that neither exists without the other. Whoever wants to
know (notices, metrics, logs) subscribes and is called once the transaction is committed.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import has_request_context, request
from sqlalchemy import insert, select, update

from auth import database, metrics
from models import AuditEvent, now

log = logging.getLogger("gatehouse.events")

# Every name, with what it tells. docs/events.md is made from this table.
NAMES = {
    "account.registered": "A person registered.",
    "login.succeeded": "A session began; `amr` says by which proofs.",
    "login.failed": "A proof of a sign-in was wrong, or the account may not sign in; `reason` says which.",
    "login.half": "A first proof was right and a second factor is due; `amr` says by which proof.",
    "login.renewed": "A person proved themselves again within a session (step-up); `amr` says by which proofs.",
    "mfa.failed": "A second factor was wrong; `method` says which.",
    "factor.added": "A second factor or passkey was enrolled; `kind` says which.",
    "factor.removed": "A second factor or passkey was removed; `kind` says which.",
    "factor.renamed": "A passkey has another name from now on; `kind` says what was renamed.",
    "factors.reset": "An administrator removed every second factor of a person; `count` says how many.",
    "recovery_codes.made": "A new set of recovery codes took the place of the old one.",
    "recovery_code.used": "A recovery code was used; `left` says how many remain.",
    "device.trusted": "A device need not give the second factor again until `until`.",
    "device.forgotten": "A device must give the second factor again.",
    "session.revoked": "One session was ended; `why` says by what.",
    "sessions.revoked": "Several sessions of a person were ended; `why` says by what, `count` how many.",
    "session.replayed": "A refresh token came a second time after its grace; the session was ended.",
    "account.locked": "The budget of guesses at an account was exhausted.",
    "code.failed": "A mailed code was wrong, used or expired.",
    "email.verified": "A person proved that their address is theirs.",
    "email.change_asked": "A person asked to use another address, which is not confirmed yet.",
    "email.changed": "A person uses another address from now on.",
    "password.changed": "A person chose a new password, knowing the old one.",
    "password.reset": "A person chose a new password by a mailed link or code; every session was ended.",
    "password.voided": "A mailed link proved an address for the first time; the password from before works no more.",
    "username.changed": "A person has another username from now on.",
    "account.disowned": "A person said of a security notice that it was not them; a new password is due, "
    "and `passkeys` enrolled since then no longer sign in by themselves.",
    "account.exported": "A person took a copy of everything that is kept about them.",
    "account.deleted": "A person deleted their account.",
    "account.disabled": "An administrator disabled an account; every session was ended.",
    "roles.changed": "An administrator changed what a person may do, `roles` from now on; every session was ended.",
    "account.enabled": "An administrator enabled an account again.",
    "mail.given_up": "A letter did not leave within a day, or its recipient is refused for good; `reason` says why.",
    "keys.rotated": "A new signing key took over.",
}

# Where the id of a request is kept in its WSGI environment.
REQUEST_ID = "gatehouse.request_id"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, as subscribers see it."""

    name: str
    at: datetime
    user_id: int | None
    session_id: str | None
    data: dict[str, Any] = field(default_factory=dict)


_subscribers: list[Callable[[Event], None]] = []
_insert = insert(AuditEvent)


def subscribe(subscriber: Callable[[Event], None]) -> Callable[[Event], None]:
    """Call `subscriber` with every event once its transaction is committed; usable as a decorator."""
    _subscribers.append(subscriber)
    return subscriber


def record(name: str, /, user_id: int | None = None, session_id: str | None = None, **data: Any) -> None:
    """Write the event into the current transaction and queue it for the subscribers. `data` must hold no secret."""
    if name not in NAMES:
        raise ValueError(f"{name} is not the name of an event")
    at = now()
    ip, user_agent, request_id = origin()
    row = {
        "at": at, "name": name, "user_id": user_id, "session_id": session_id,
        "ip": ip, "user_agent": user_agent, "request_id": request_id, "data": data,
    }  # fmt: skip
    database.execute(_insert, row)
    database.current().events.append(Event(name, at, user_id, session_id, data))


def of_person(user_id: int, before: int | None, limit: int) -> list[Any]:
    """The events of a person before an id, the newest first."""
    mine = select(AuditEvent.__table__).where(AuditEvent.user_id == user_id)
    if before is not None:
        mine = mine.where(AuditEvent.id < before)
    return list(database.execute(mine.order_by(AuditEvent.id.desc()).limit(limit)).all())


def forget_origin(user_id: int) -> None:
    """Keep what happened to a person who is gone, and forget from where; the chain of the audit trail stays whole."""
    mine = update(AuditEvent).where(AuditEvent.user_id == user_id)
    database.execute(mine.values(ip=None, user_agent=None))


def dispatch(happened: list[Event]) -> None:
    """Tell the subscribers. What one of them gets wrong is logged and harms neither the others nor the answer."""
    for event in happened:
        metrics.events.labels(event.name).inc()
        for subscriber in _subscribers:
            try:
                subscriber(event)
            except Exception:
                log.exception("a subscriber failed", extra={"event_name": event.name})


def origin() -> tuple[str | None, str | None, str | None]:
    """Address, user agent and request id of the request under way; nothing outside of one."""
    if not has_request_context():
        return None, None, None
    user_agent = _CONTROL.sub(" ", request.headers.get("User-Agent", ""))[:256]
    return request.remote_addr, user_agent, request.environ[REQUEST_ID]


def request_id() -> str:
    """The id of this request, in its answer, its log lines and its events."""
    return str(request.environ[REQUEST_ID])


def one_line(text: str) -> str:
    """The text without anything that could begin a line or move a cursor, for logs and records."""
    return _CONTROL.sub(" ", text)
