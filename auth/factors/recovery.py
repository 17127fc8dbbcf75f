"""Recovery codes: ten ways back when every other factor is lost. Shown once, stored as hashes, each used once."""

from sqlalchemy import delete, func, insert, select

from auth import crypto, database, events
from models import RecoveryCode, now

CODES = 10
# 24 characters of 5 random bits: with at least 112 bits a fast hash is enough (crypto.hash_secret).
LENGTH, GROUP = 24, 4


def replace(user_id: int) -> list[str]:
    """A new set, in the form it is shown in; the old one is void."""
    clear(user_id)
    codes = [crypto.random_code(LENGTH) for _ in range(CODES)]
    time = now()
    rows = [{"user_id": user_id, "code_hash": crypto.hash_secret(code), "created_at": time} for code in codes]
    database.execute(insert(RecoveryCode), rows)
    return [_grouped(code) for code in codes]


def spend(user_id: int, code: str) -> bool:
    """Use a code, in its tidy form, up: of any number of callers at once exactly one is told True."""
    mine = (RecoveryCode.user_id == user_id, RecoveryCode.code_hash == crypto.hash_secret(code))
    used = database.execute(delete(RecoveryCode).where(*mine).returning(RecoveryCode.id)).first()
    if used:
        events.record("recovery_code.used", user_id, left=left(user_id))
    return used is not None


def left(user_id: int) -> int:
    """How many codes a person has left."""
    count = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return int(database.execute(count).scalar_one())


def clear(user_id: int) -> None:
    """Remove every code of a person."""
    database.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def _grouped(code: str) -> str:
    return "-".join(code[start : start + GROUP] for start in range(0, LENGTH, GROUP))
