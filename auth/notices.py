"""Security notices: letters about what happened to an account, each with a link that says "it was not me".

They follow the sealed audit trail, whose order is fixed, and keep a bookmark in it: no flow knows of them, no answer
waits for them, and a worker that is killed loses none. One transaction moves the bookmark and writes the letters.
"""

import ipaddress
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, select, update

from auth import database, links, useragent, users
from auth.users import Account
from config import settings
from models import AuditEvent, AuditHead, Bookmark, Letter, Session, now

READER = "notices"
BATCH = 200
FAILURES = 5
FAILED = ("login.failed", "mfa.failed", "code.failed")
# What others can bring about at will is told once in so long, or else their attempts would fill a mailbox.
QUIET = timedelta(hours=1)
# So many sign-ins of the past tell which devices and places are known.
REMEMBERED = 200

_position = select(Bookmark.position).where(Bookmark.reader == READER)
_sealed = select(AuditHead.last_position)
_rows = (
    select(AuditEvent.__table__)
    .where(AuditEvent.position > bindparam("after"), AuditEvent.position <= bindparam("until"))
    .order_by(AuditEvent.position)
)


def write() -> bool:
    """Write the notices about the next rows of the trail; whether there were any rows.

    What to write is found out before the transaction begins, so that it holds up no request for long.
    """
    after, until = database.execute(_position).scalar() or 0, database.execute(_sealed).scalar() or 0
    until = min(until, after + BATCH)
    if until <= after:
        return False
    rows = database.execute(_rows, {"after": after, "until": until}).all()
    notices = [notice for row in rows if (notice := _notice(row))]
    with database.apart():
        if _move(after, until):
            for template, row in notices:
                _write(template, row.user_id, row)
    return True


def _move(after: int, until: int) -> bool:
    """Take these rows; whether no other worker has."""
    database.execute(database.by_dialect(_begin), {"reader": READER, "position": 0})
    mine = update(Bookmark).where(Bookmark.reader == READER, Bookmark.position == after)
    return database.execute(mine.values(position=until).returning(Bookmark.position)).first() is not None


def _begin(insert: Any) -> Any:
    return insert(Bookmark).on_conflict_do_nothing()


def _notice(row: Any) -> tuple[str, Any] | None:
    """The template of a notice about a row; None when it is worth none."""
    about = TEMPLATES.get(row.name) if row.user_id else None
    template = about(row) if callable(about) else about
    return (template, row) if template else None


def _write(template: str, user_id: int, row: Any) -> None:
    # Not as they were when the transaction began: the way back leads to the address the letter goes to.
    account = users.lock(user_id)
    if account is None or (template in RARE and _was_told(account, template)):
        return
    device = useragent.describe(row.user_agent) if row.user_agent else ""
    links.send_way_back(template, account, row.at, at=f"{row.at:%Y-%m-%d %H:%M} UTC", device=device, ip=row.ip or "")


def _was_told(account: Account, template: str) -> bool:
    recent = Letter.created_at > now() - QUIET
    told = select(Letter.id).where(Letter.user_id == account.id, Letter.template == template, recent)
    return database.execute(told.limit(1)).first() is not None


def _about_sign_in(row: Any) -> str | None:
    """A sign-in is worth a notice after several failures, or from a device or a place that is new to the account."""
    if _failures_before(row) >= FAILURES:
        return "late_sign_in"
    return "new_device" if _is_new_here(row) else None


def _about_failure(row: Any) -> str | None:
    """A guess that was not looked at, as the account was exhausted under another of its names: no answer told of it."""
    return "account_locked" if row.data.get("reason") == "locked" else None


def _failures_before(row: Any) -> int:
    """The failures between this sign-in and the one before it."""
    earlier = select(AuditEvent.name).where(AuditEvent.user_id == row.user_id, AuditEvent.id < row.id)
    relevant = earlier.where(AuditEvent.name.in_((*FAILED, "login.succeeded")))
    count = 0
    for name in database.execute(relevant.order_by(AuditEvent.id.desc()).limit(FAILURES)).scalars():
        if name == "login.succeeded":
            break
        count += 1
    return count


def _is_new_here(row: Any) -> bool:
    """Whether nothing signed in before from this device, nor from this kind of device in this place."""
    seen = select(Session.id, Session.device_id, Session.user_agent, Session.ip).where(Session.user_id == row.user_id)
    latest = database.execute(seen.order_by(Session.created_at.desc()).limit(REMEMBERED)).all()
    this = next((session for session in latest if session.id == row.session_id), None)
    others = latest[latest.index(this) + 1 :] if this is not None else []
    if not others:
        return _is_new_after_long(row)
    return not any(_is_same(this, other) for other in others)


def _is_new_after_long(row: Any) -> bool:
    """The same where the sessions of the past are gone: by what the trail tells of sign-ins, as far as it reaches."""
    signed_in = (AuditEvent.user_id == row.user_id, AuditEvent.id < row.id, AuditEvent.name == "login.succeeded")
    seen = select(AuditEvent.user_agent, AuditEvent.ip).where(*signed_in).order_by(AuditEvent.id.desc())
    earlier = database.execute(seen.limit(REMEMBERED)).all()
    if not earlier:
        account = users.get(row.user_id)
        return account is not None and row.at - account.created_at > timedelta(days=settings().audit_retention_days)
    return not any(_is_alike(row, other) for other in earlier)


def _is_same(this: Any, other: Any) -> bool:
    if this.device_id is not None and this.device_id == other.device_id:
        return True
    return _is_alike(this, other)


def _is_alike(this: Any, other: Any) -> bool:
    return this.user_agent == other.user_agent and _place(this.ip) == _place(other.ip)


def _place(ip: str) -> str:
    """The network an address is in: what one household or one office shares."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    return str(ipaddress.ip_network(f"{address}/{24 if address.version == 4 else 56}", strict=False))


Choose = Callable[[Any], str | None]
TEMPLATES: dict[str, str | Choose] = {
    "login.succeeded": _about_sign_in,
    "login.failed": _about_failure,
    "password.changed": "password_changed",
    "password.reset": "password_changed",
    "password.voided": "password_voided",
    "username.changed": "username_changed",
    "factor.added": "factor_added",
    "factor.removed": "factor_removed",
    "factor.renamed": "factor_renamed",
    "factors.reset": "factor_removed",
    "recovery_codes.made": "recovery_codes_made",
    "recovery_code.used": "recovery_code_used",
    "session.replayed": "session_replayed",
    "account.locked": "account_locked",
    "mfa.failed": "factor_failed",
}
RARE = frozenset({"session_replayed", "account_locked", "factor_failed", "factor_renamed"})
