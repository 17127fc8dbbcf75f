"""The budget of guesses at an account (lockout), whatever the way in and wherever the guesses come from.

Every password and every code is paid for before it is looked at, by one conditional statement that is committed by
itself, so that no number of parallel requests, addresses or processes buys more. Names that nobody has are counted the
same way, so that the answers tell nothing. A device on which the person has signed in before has a budget of its own.
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, or_, select, update

from auth import crypto, database, devices, fields
from auth.problems import AccountLocked
from auth.users import Account
from models import Attempt, now

GUESSES = 10
WINDOW = timedelta(minutes=5)
GUESSES_IN_A_ROW = 100
# What `guesses` is set to when the first refusal is told, so that it is told once.
TOLD = GUESSES + 1
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def count_guess(account: Account | None, identifier: str) -> str:
    """Pay for one guess; the subject that paid. Raises AccountLocked when the budget is exhausted.

    The budget returns after WINDOW without an evaluated guess, and with a sign-in of the owner.
    """
    subject = _subject(account, identifier)
    time = now()
    values = {
        "subject": subject,
        "user_id": account.id if account else None,
        "now": time,
        "cutoff": time - WINDOW,
        "proven": (account.last_sign_in if account else None) or LONG_AGO,
    }
    if database.alone(database.by_dialect(_counting), values) is None:
        raise _locked(account, subject, time)
    return subject


def forgive(user_id: int) -> None:
    """Give an account and its devices their whole budget back, in the current transaction."""
    database.execute(delete(Attempt).where(Attempt.user_id == user_id))


def _subject(account: Account | None, identifier: str) -> str:
    """What the guesses are counted under: the device, the account, or the keyed hash of a name that nobody has."""
    device = devices.known(account.id, account.device_epoch) if account else devices.known(0, 0)
    if device is not None:
        return f"device:{device}"
    return f"user:{account.id}" if account else "name:" + crypto.keyed_hash("lockout", fields.key(identifier))[:48]


def _locked(account: Account | None, subject: str, time: datetime) -> AccountLocked:
    """The refusal, with the event when it is the first."""
    row = database.execute(_reading, {"asked": subject}).first()
    first = row is not None and row.guesses < TOLD and database.alone(_telling, {"asked": subject}) is not None
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


def _counting(insert: Any) -> Any:
    proven = Attempt.proven_at < bindparam("proven")
    fresh = or_(Attempt.last_guess_at <= bindparam("cutoff"), proven)
    first = insert(Attempt).values(
        subject=bindparam("subject"),
        user_id=bindparam("user_id"),
        guesses=1,
        in_a_row=1,
        last_guess_at=bindparam("now"),
        proven_at=bindparam("proven"),
    )
    return first.on_conflict_do_update(
        index_elements=[Attempt.subject],
        set_={
            "guesses": case((fresh, 1), else_=Attempt.guesses + 1),
            "in_a_row": case((proven, 1), else_=Attempt.in_a_row + 1),
            "last_guess_at": bindparam("now"),
            "proven_at": case((proven, bindparam("proven")), else_=Attempt.proven_at),
        },
        where=and_(or_(fresh, Attempt.guesses < GUESSES), or_(proven, Attempt.in_a_row < GUESSES_IN_A_ROW)),
    ).returning(Attempt.guesses)
