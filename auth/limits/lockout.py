"""The budget of guesses at an account (lockout), whatever the way in and wherever the guesses come from.

Every password and every code is paid for before it is looked at, by one conditional statement that is committed by
itself, so that no number of parallel requests, addresses or processes buys more. Names that nobody has are counted the
same way, so that the answers tell nothing. A device on which the person has signed in before has a budget of its own.

Every other guess is paid for twice by that statement: by the account, and by the name that was typed. Only the second
is told of, as nothing must tell whether a username and an address are one person's.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, delete, literal, not_, or_, select, true, union_all, update
from sqlalchemy.exc import IntegrityError

from auth import crypto, database, devices, fields
from auth.problems import AccountLocked, TokenRevoked
from auth.users import Account
from models import Attempt, now

GUESSES = 10
WINDOW = timedelta(minutes=5)
GUESSES_IN_A_ROW = 100
# What `guesses` is set to when the first refusal is told, so that it is told once.
TOLD = GUESSES + 1
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def count_guess(account: Account | None, identifier: str) -> bool:
    """Pay for one guess. Raises AccountLocked when what was typed is exhausted.

    False when the account is by guesses under its other name, or was deleted meanwhile: what was shown must not be
    looked at, and the answer be that to a wrong guess. A budget returns after WINDOW without an evaluated guess, and
    with a sign-in of the owner.
    """
    try:
        return _pay(account, identifier)
    except IntegrityError:
        return False


def count_own_guess(account: Account) -> None:
    """Pay for one guess of somebody who has shown who they are.

    Raises AccountLocked whichever name is exhausted, and TokenRevoked when the account was deleted meanwhile.
    """
    try:
        paid = _pay(account, account.username)
    except IntegrityError:
        raise TokenRevoked from None
    if not paid:
        raise AccountLocked(retry_after=math.ceil(WINDOW.total_seconds()))


def forgive(user_id: int) -> None:
    """Give an account and its devices their whole budget back, in the current transaction."""
    database.execute(delete(Attempt).where(Attempt.user_id == user_id))


def _pay(account: Account | None, identifier: str) -> bool:
    """Whether a guess at the account was paid for; raises IntegrityError when there is no such account any more."""
    device = devices.known(account.id, account.device_epoch) if account else devices.known(0, 0)
    time = now()
    values = {
        "user_id": account.id if account else None,
        "now": time,
        "cutoff": time - WINDOW,
        "proven": (account.last_sign_in if account else None) or LONG_AGO,
    }
    if device is not None:
        told = [f"device:{device}"]
        paid = database.alone(database.by_dialect(_counting_one), {**values, "told": told[0]})
    else:
        told = _subjects(account, identifier)
        paid = database.alone(database.by_dialect(_counting_both), {**values, "told": told[0], "other": told[1]})
    if told[0] not in (subjects := {row.subject for row in paid}):
        raise _locked(account, told[0], time)
    return subjects == set(told)


def _subjects(account: Account | None, identifier: str) -> list[str]:
    """What a guess is counted under: the name that was typed, for as long as it is this account's, and the account."""
    name = crypto.keyed_hash("lockout", f"{account.id if account else ''} {fields.key(identifier)}")[:48]
    return [f"name:{name}", f"user:{account.id}" if account else f"nobody:{name}"]


def _locked(account: Account | None, subject: str, time: datetime) -> AccountLocked:
    """The refusal, with the event when it is the first."""
    row = database.execute(_reading, {"asked": subject}).first()
    first = row is not None and row.guesses < TOLD and bool(database.alone(_telling, {"asked": subject}))
    left = row.last_guess_at + WINDOW - time if row else timedelta(seconds=1)
    # After a hundred in a row time alone does not help: the answer is the same, and says nothing of it.
    wait = left if left > timedelta(0) else WINDOW
    refusal = AccountLocked(retry_after=math.ceil(wait.total_seconds()))
    return refusal.recorded("account.locked", user_id=account.id if account else None) if first else refusal


_reading = select(Attempt.guesses, Attempt.last_guess_at).where(Attempt.subject == bindparam("asked"))
_telling = (
    update(Attempt)
    .where(Attempt.subject == bindparam("asked"), Attempt.guesses < TOLD)
    .values(guesses=TOLD)
    .returning(Attempt.subject)
)


def _counting_one(insert: Any) -> Any:
    return _upsert(insert, _row("told"))


def _counting_both(insert: Any) -> Any:
    """A name that is exhausted costs the account nothing: it is not looked at. The account's row comes first always."""
    exhausted = select(Attempt.subject).where(Attempt.subject == bindparam("told"), not_(_open()))
    return _upsert(insert, union_all(_row("other").where(~exhausted.exists()), _row("told")))


def _row(subject: str) -> Select[Any]:
    return select(
        bindparam(subject, type_=Attempt.subject.type),
        bindparam("user_id", type_=Attempt.user_id.type),
        literal(1),
        literal(1),
        bindparam("now", type_=Attempt.last_guess_at.type),
        bindparam("proven", type_=Attempt.proven_at.type),
    ).where(true())


def _upsert(insert: Any, rows: Any) -> Any:
    first = insert(Attempt).from_select(
        ["subject", "user_id", "guesses", "in_a_row", "last_guess_at", "proven_at"], rows
    )
    return first.on_conflict_do_update(
        index_elements=[Attempt.subject],
        set_={
            "guesses": case((_fresh(), 1), else_=Attempt.guesses + 1),
            "in_a_row": case((_proven(), 1), else_=Attempt.in_a_row + 1),
            "last_guess_at": bindparam("now"),
            "proven_at": case((_proven(), bindparam("proven")), else_=Attempt.proven_at),
        },
        where=_open(),
    ).returning(Attempt.subject)


def _proven() -> Any:
    return Attempt.proven_at < bindparam("proven", type_=Attempt.proven_at.type)


def _fresh() -> Any:
    return or_(Attempt.last_guess_at <= bindparam("cutoff", type_=Attempt.last_guess_at.type), _proven())


def _open() -> Any:
    """Whether a row still has a guess to pay with."""
    return and_(or_(_fresh(), Attempt.guesses < GUESSES), or_(_proven(), Attempt.in_a_row < GUESSES_IN_A_ROW))
