"""Single-use secrets: issue and redeem. Only hashes are stored; one conditional statement consumes.

A secret belongs to a purpose, may belong to a person, and carries `data`. Beside the long secret a letter may carry a
short code, which works only together with the `subject` it was sent to and dies after FIVE wrong tries.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from auth import crypto, database
from models import OneTimeSecret, now

WRONG_CODES = 5
_HELD = (OneTimeSecret.id, OneTimeSecret.user_id, OneTimeSecret.data, OneTimeSecret.created_at)


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a secret stood for."""

    user_id: int | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A secret that was shown and not yet consumed."""

    id: int
    user_id: int | None
    data: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """A new secret and its code, in the only plaintext there will ever be."""

    secret: str
    code: str


def issue(
    purpose: str,
    lifetime: timedelta,
    *,
    user_id: int | None = None,
    subject: str | None = None,
    beside_others: bool = False,
    digits: int = 0,
    **data: Any,
) -> Issued:
    """A new secret and code; earlier ones of the purpose and subject (or person) are void, unless `beside_others`.

    The code is for people who read and type, or of `digits` alone for those who have it read to them by a phone.
    """
    made = Issued(crypto.random_secret(), crypto.random_digits(digits) if digits else crypto.random_code())
    if not beside_others:
        void(purpose, user_id=user_id, subject=subject)
    time = now()
    row = {
        "purpose": purpose,
        "secret_hash": crypto.hash_secret(made.secret),
        "code_hash": _code_hash(purpose, subject, made.code) if subject else None,
        "subject": _subject(purpose, subject),
        "user_id": user_id,
        "data": data,
        "created_at": time,
        "expires_at": time + lifetime,
    }
    database.execute(insert(OneTimeSecret).values(row))
    return made


def void(purpose: str, *, user_id: int | None = None, subject: str | None = None) -> None:
    """End the open secrets of a purpose for a subject or a person."""
    if subject is not None:
        mine = OneTimeSecret.subject == _subject(purpose, subject)
    elif user_id is not None:
        mine = OneTimeSecret.user_id == user_id
    else:
        return
    database.execute(delete(OneTimeSecret).where(OneTimeSecret.purpose == purpose, mine))


def void_all(user_id: int, keep: tuple[str, ...] = ()) -> None:
    """End every open secret of a person but those of the purposes to `keep`."""
    others = OneTimeSecret.purpose.not_in(keep)
    database.execute(delete(OneTimeSecret).where(OneTimeSecret.user_id == user_id, others))


def void_newer(purpose: str, user_id: int, than: Held) -> None:
    """End the open secrets of a purpose for a person that were made after one of them."""
    newer = (OneTimeSecret.purpose == purpose, OneTimeSecret.user_id == user_id, OneTimeSecret.id > than.id)
    database.execute(delete(OneTimeSecret).where(*newer))


def redeem(purpose: str, secret: str) -> Redeemed | None:
    """Consume a secret: of any number of callers at once exactly one gets what it stood for, the others None."""
    consume = (
        delete(OneTimeSecret)
        .where(
            OneTimeSecret.secret_hash == crypto.hash_secret(secret),
            OneTimeSecret.purpose == purpose,
            OneTimeSecret.expires_at > now(),
        )
        .returning(OneTimeSecret.user_id, OneTimeSecret.data)
    )
    row = database.execute(consume).first()
    return Redeemed(row.user_id, row.data) if row else None


def redeem_code(purpose: str, subject: str, code: str) -> Redeemed | None:
    """Consume by the short code sent to `subject`. Each call is counted by itself, whatever the request comes to."""
    with database.apart():
        counted = (
            update(OneTimeSecret)
            .where(
                OneTimeSecret.purpose == purpose,
                OneTimeSecret.subject == _subject(purpose, subject),
                OneTimeSecret.attempts < WRONG_CODES,
                OneTimeSecret.expires_at > now(),
            )
            .values(attempts=OneTimeSecret.attempts + 1)
            .returning(OneTimeSecret.id)
        )
        row = database.execute(counted).first()
    consume = (
        delete(OneTimeSecret)
        .where(
            OneTimeSecret.id == (row.id if row else 0),
            OneTimeSecret.code_hash == _code_hash(purpose, subject, crypto.tidy_code(code)),
        )
        .returning(OneTimeSecret.user_id, OneTimeSecret.data)
    )
    found = database.execute(consume).first()
    return Redeemed(found.user_id, found.data) if found else None


def hold(purpose: str, secret: str) -> Held | None:
    """What a secret stands for, without consuming it or counting."""
    mine = (OneTimeSecret.secret_hash == crypto.hash_secret(secret), OneTimeSecret.purpose == purpose)
    row = database.execute(select(*_HELD).where(*mine, OneTimeSecret.expires_at > now())).first()
    return Held(row.id, row.user_id, row.data, row.created_at) if row else None


def hold_code(purpose: str, subject: str, code: str, lifetime: timedelta) -> Held | None:
    """What the code sent to `subject` stands for, at most `lifetime` old, without consuming it or counting."""
    mine = (
        OneTimeSecret.purpose == purpose,
        OneTimeSecret.subject == _subject(purpose, subject),
        OneTimeSecret.code_hash == _code_hash(purpose, subject, crypto.tidy_code(code)),
    )
    time = now()
    alive = (OneTimeSecret.expires_at > time, OneTimeSecret.created_at > time - lifetime)
    row = database.execute(select(*_HELD).where(*mine, *alive)).first()
    return Held(row.id, row.user_id, row.data, row.created_at) if row else None


def attempt(purpose: str, secret: str) -> Held | None:
    """What a secret stands for, for one try at what it waits for; after FIVE tries, or when unknown, nothing.

    The try is counted by itself, whether the request succeeds or not. `finish` consumes the secret.
    """
    counted = (
        update(OneTimeSecret)
        .where(
            OneTimeSecret.secret_hash == crypto.hash_secret(secret),
            OneTimeSecret.purpose == purpose,
            OneTimeSecret.attempts < WRONG_CODES,
            OneTimeSecret.expires_at > now(),
        )
        .values(attempts=OneTimeSecret.attempts + 1)
        .returning(*_HELD)
    )
    with database.apart():
        row = database.execute(counted).first()
    return Held(row.id, row.user_id, row.data, row.created_at) if row else None


def finish(held: Held) -> bool:
    """Consume a secret that was held: of any number of callers at once exactly one is told True."""
    consume = delete(OneTimeSecret).where(OneTimeSecret.id == held.id, OneTimeSecret.expires_at > now())
    return database.execute(consume.returning(OneTimeSecret.id)).first() is not None


def _subject(purpose: str, subject: str | None) -> str | None:
    return crypto.keyed_hash(f"one-time subject {purpose}", subject) if subject else None


def _code_hash(purpose: str, subject: str | None, code: str) -> str:
    # 40 random bits are too few for a plain hash: without the key they cannot be tried out.
    return crypto.keyed_hash(f"one-time code {purpose}", f"{subject}\n{code}")
