"""The audit trail made tamper-evident: every row carries the keyed hash of the one before it.

Rows are written by the requests, in their transactions and in no order; they are sealed into the chain a moment later,
by one worker at a time, so that no sign-in waits for another. Who can write to the database but does not know
SECRET_KEY can neither change, remove nor insert a sealed row without `verify` finding it, with one exception: the whole
trail put back as it was, head and all, is whole. Only who has kept a later row's hash elsewhere can tell, and gives it
to `verify`. Address and user agent are in the chain as a keyed hash only, so that a deleted person's can be blanked
without breaking it.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, exists, func, select, update

from auth import crypto, database
from config import settings
from models import AuditEvent, AuditHead, Base, User, now

BATCH = 500
HEAD = 1
BEGINNING = "0" * 64

_table = Base.metadata.tables["audit_events"]
_row = select(_table)
_is_any_open = select(_table.c.id).where(_table.c.position.is_(None)).limit(1)
# The deletion of a person who is gone. One that somebody only wrote here blanks nothing of who is still there; one of
# this very second is not sealed yet.
_erasure = select(_table.c.id).where(
    _table.c.name == "account.deleted",
    _table.c.user_id == bindparam("person"),
    ~exists().where(User.id == bindparam("person")),
)
_seal = (
    update(_table)
    .where(_table.c.id == bindparam("row_id"), _table.c.position.is_(None))
    .values(
        position=bindparam("at_position"),
        origin_hash=bindparam("origin"),
        previous_hash=bindparam("previous"),
        hash=bindparam("own"),
    )
)


class Seen(NamedTuple):
    """A sealed row that was seen, by what no other row can have."""

    position: int
    hash: str


def seal() -> int:
    """Put the rows that are committed and not yet in the chain at its end; how many. Sealers take turns."""
    if database.execute(_is_any_open).first() is None:
        return 0
    with database.apart():
        head = _lock_head()
        rows = database.execute(_row.where(AuditEvent.position.is_(None)).order_by(AuditEvent.id).limit(BATCH)).all()
        position, previous = head.last_position, head.last_hash
        sealed = []
        for row in rows:
            position += 1
            origin = _origin_hash(row)
            own = _hash(row, position, origin, previous)
            sealed.append(
                {"row_id": row.id, "at_position": position, "origin": origin, "previous": previous, "own": own}
            )
            previous = own
        if sealed:
            database.execute(_seal, sealed)
            _move_head(head.first_position, head.first_hash, position, previous)
    return len(rows)


def end() -> Seen:
    """The last sealed row, as the head tells it."""
    head = _head()
    return Seen(head.last_position, head.last_hash) if head else Seen(0, BEGINNING)


def is_purged(row: Seen) -> bool:
    """Whether the chain begins behind this row by now."""
    head = _head()
    return head is not None and row.position < head.first_position


def verify(*seen: Seen) -> list[str]:
    """What is wrong with the chain, a sentence each; nothing when it is whole and holds the rows that were seen.

    Sealing and purging go on meanwhile.
    """
    beginning, faults = _read(seen)
    # Rows that were purged during the reading look like a gap: it is done again behind them.
    while faults and _was_purged_to(_head(), beginning):
        beginning, faults = _read(seen)
    return faults


def purge() -> int:
    """Remove the oldest rows when they are past AUDIT_RETENTION_DAYS; the chain then begins behind them. How many."""
    oldest_kept = now() - timedelta(days=settings().audit_retention_days)
    with database.apart():
        head = _lock_head()
        first = _row.where(AuditEvent.position > head.first_position).order_by(AuditEvent.position).limit(BATCH)
        rows = list(_past(head, database.execute(first).all(), oldest_kept))
        if rows:
            last = rows[-1]
            database.execute(delete(AuditEvent).where(AuditEvent.position <= last.position))
            _move_head(last.position, last.hash, head.last_position, head.last_hash)
    return len(rows)


def _past(head: Any, rows: Iterable[Any], oldest_kept: datetime) -> Iterator[Any]:
    """The rows at the beginning that are old and unchanged: one whose time was changed takes none with it."""
    previous, erased = head.first_hash, set[int]()
    for row in rows:
        if row.at >= oldest_kept or row.previous_hash != previous or not _is_whole(row, erased):
            return
        yield row
        previous = row.hash


def _read(seen: tuple[Seen, ...]) -> tuple[int, list[str]]:
    """Read the whole chain once: the position that it begins behind, and what is wrong."""
    # Asked before the head: whatever is sealed in between ends at the head, and what lies behind it nobody sealed.
    last = database.execute(select(func.max(AuditEvent.position))).scalar() or 0
    head = _head()
    if head is None:
        known = max([last, *(row.position for row in seen)])
        return 0, ["the head of the chain is gone"] if known else []
    lost = [row.position for row in seen if not _holds(head, row)]
    put_back = [f"row {position} is not there as it was seen: the trail was put back" for position in lost]
    return head.first_position, [*_faults(head, last), *put_back]


def _faults(head: Any, last: int) -> Iterator[str]:
    if not _is_proven(head):
        yield "the head of the chain was changed"
    erased: set[int] = set()
    position, previous = head.first_position, head.first_hash
    # No further than the head that was read: a worker may be sealing more.
    for row in _in_order(head.first_position, head.last_position):
        if row.position != position + 1:
            yield f"rows {position + 1} to {row.position - 1} are gone"
        elif row.previous_hash != previous:
            yield f"row {row.position} does not follow the one before it"
        if not _is_whole(row, erased):
            yield f"row {row.position} was changed"
        position, previous = row.position, row.hash
    if (position, previous) != (head.last_position, head.last_hash) or last > head.last_position:
        yield f"the chain ends at row {max(position, last)}, and {head.last_position} were sealed"


def _holds(head: Any, row: Seen) -> bool:
    """Whether a row that was seen is in the chain, or was purged from it."""
    if row.position <= head.first_position:
        return row.position < head.first_position or crypto.same(row.hash, head.first_hash)
    found = select(_table.c.hash).where(AuditEvent.position == row.position)
    return crypto.same(row.hash, database.execute(found).scalar() or "")


def _head() -> Any:
    return database.execute(select(AuditHead.__table__).where(AuditHead.id == HEAD)).first()


def _is_proven(head: Any) -> bool:
    text = _head_text(head.first_position, head.first_hash, head.last_position, head.last_hash)
    return crypto.proves("audit head", text, head.proof)


def _was_purged_to(head: Any, beginning: int) -> bool:
    """Whether the chain begins later than it did, and we ourselves say so."""
    return head is not None and head.first_position > beginning and _is_proven(head)


def _lock_head() -> Any:
    """The head of the chain, held until the transaction ends: an update that changes nothing queues the others."""
    locked = update(AuditHead).where(AuditHead.id == HEAD).values(id=HEAD).returning(*AuditHead.__table__.c)
    head = database.execute(locked).first()
    if head is None:
        first = {"id": HEAD, "first_position": 0, "first_hash": BEGINNING, "last_position": 0, "last_hash": BEGINNING}
        text = _head_text(0, BEGINNING, 0, BEGINNING)
        database.execute(database.by_dialect(_begin), {**first, "proof": crypto.keyed_hash("audit head", text)})
        head = database.execute(locked).one()
    return head


def _begin(insert_: Any) -> Any:
    return insert_(AuditHead).on_conflict_do_nothing()


def _move_head(first_position: int, first_hash: str, last_position: int, last_hash: str) -> None:
    proof = crypto.keyed_hash("audit head", _head_text(first_position, first_hash, last_position, last_hash))
    values = {
        "first_position": first_position,
        "first_hash": first_hash,
        "last_position": last_position,
        "last_hash": last_hash,
        "proof": proof,
    }
    database.execute(update(AuditHead).where(AuditHead.id == HEAD).values(values))


def _head_text(first_position: int, first_hash: str, last_position: int, last_hash: str) -> str:
    return f"{first_position} {first_hash} {last_position} {last_hash}"


def _in_order(after: int, last: int) -> Iterator[Any]:
    """The sealed rows behind one position and up to another, in the order of the chain, read in batches."""
    sealed = _row.where(AuditEvent.position <= last).order_by(AuditEvent.position).limit(BATCH)
    while rows := database.execute(sealed.where(AuditEvent.position > after)).all():
        yield from rows
        after = rows[-1].position


def _is_whole(row: Any, erased: set[int]) -> bool:
    known = crypto.proves("audit origin", _origin_text(row), row.origin_hash or "")
    if not known and not _is_erased(row, erased):
        return False
    return crypto.proves("audit row", _text(row, row.position, row.origin_hash, row.previous_hash), row.hash or "")


def _is_erased(row: Any, erased: set[int]) -> bool:
    """Whether the origin was blanked with its person, whose hash of it stays; `erased` are those found before."""
    if row.ip is not None or row.user_agent is not None:
        return False
    if row.user_id not in erased and database.execute(_erasure, {"person": row.user_id}).first():
        erased.add(row.user_id)
    return row.user_id in erased


def _hash(row: Any, position: int, origin: str, previous: str) -> str:
    return crypto.keyed_hash("audit row", _text(row, position, origin, previous))


def _text(row: Any, position: int, origin: str | None, previous: str | None) -> str:
    """Everything a row says, in one canonical form."""
    said = [position, row.id, row.at.isoformat(), row.name, row.user_id, row.session_id, row.request_id, row.data]
    return json.dumps([*said, origin, previous], sort_keys=True, separators=(",", ":"))


def _origin_hash(row: Any) -> str:
    return crypto.keyed_hash("audit origin", _origin_text(row))


def _origin_text(row: Any) -> str:
    return f"{row.ip}\n{row.user_agent}"
