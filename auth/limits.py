"""Who may try how often: the budget of guesses at an account (lockout).

Every password and every code is paid for before it is looked at, by one conditional statement in a transaction of its
own, so that no number of parallel requests, addresses or processes buys more. Names that nobody has are counted the
same way, so that the answers tell nothing.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, or_, select

from auth import crypto, database, fields
from auth.problems import AccountLocked
from auth.users import Account
from models import Attempt, now

GUESSES = 10
WINDOW = timedelta(minutes=5)
GUESSES_IN_A_ROW = 100
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def count_guess(account: Account | None, identifier: str) -> str:
    """Pay for one guess; the subject that paid. Raises AccountLocked when the budget is exhausted.

    The budget returns after WINDOW without an evaluated guess, or with a sign-in of the owner since the last guess.
    """
    subject = subject_of(account, identifier)
    time = now()
    values = {
        "subject": subject,
        "user_id": account.id if account else None,
        "now": time,
        "cutoff": time - WINDOW,
        "proven": (account.last_sign_in if account else None) or LONG_AGO,
    }
    with database.apart():
        if database.execute(database.by_dialect(_counting), values).first() is None:
            raise AccountLocked(retry_after=_wait(subject, time))
    return subject


def forgive(user_id: int) -> None:
    """Give an account and its devices their whole budget back, in the current transaction."""
    database.execute(delete(Attempt).where(Attempt.user_id == user_id))


def subject_of(account: Account | None, identifier: str) -> str:
    """What the guesses are counted under: the account, or the keyed hash of a name that nobody has."""
    return f"user:{account.id}" if account else "name:" + crypto.keyed_hash("lockout", fields.key(identifier))[:48]


def _wait(subject: str, time: datetime) -> int:
    row = database.execute(select(Attempt.last_guess_at).where(Attempt.subject == subject)).one()
    return max(1, int((row.last_guess_at + WINDOW - time).total_seconds()))


def _counting(insert: Any) -> Any:
    fresh = or_(Attempt.last_guess_at <= bindparam("cutoff"), Attempt.last_guess_at <= bindparam("proven"))
    proven = Attempt.last_guess_at <= bindparam("proven")
    first = insert(Attempt).values(
        subject=bindparam("subject"),
        user_id=bindparam("user_id"),
        guesses=1,
        in_a_row=1,
        last_guess_at=bindparam("now"),
    )
    return first.on_conflict_do_update(
        index_elements=[Attempt.subject],
        set_={
            "guesses": case((fresh, 1), else_=Attempt.guesses + 1),
            "in_a_row": case((proven, 1), else_=Attempt.in_a_row + 1),
            "last_guess_at": bindparam("now"),
        },
        where=and_(or_(fresh, Attempt.guesses < GUESSES), or_(proven, Attempt.in_a_row < GUESSES_IN_A_ROW)),
    ).returning(Attempt.guesses)
