"""Find, create and change accounts: the only queries on User.

An account is handed around as the row of `COLUMNS`, read in one statement.
"""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from auth import database, fields
from auth.problems import EmailTaken, UsernameTaken
from models import Session, User, now


class Account(NamedTuple):
    """What the flows and the gate know of a person. `last_sign_in` is when the newest session began."""

    id: int
    username: str
    email: str
    password_hash: str
    email_verified_at: datetime | None
    disabled_at: datetime | None
    reset_forced_at: datetime | None
    mfa_since: datetime | None
    locale: str
    roles: list[str]
    created_at: datetime
    updated_at: datetime
    last_sign_in: datetime | None


_last_sign_in = select(func.max(Session.created_at)).where(Session.user_id == User.id).scalar_subquery()
_columns = [getattr(User, name) for name in Account._fields[:-1]]
_account = select(*_columns, _last_sign_in.label("last_sign_in")).where(User.deleted_at.is_(None))
# Built once: making a statement costs more than running it.
_by_id = _account.where(User.id == bindparam("wanted"))
_by_username = _account.where(User.username_key == bindparam("wanted"))
_by_email = _account.where(User.email_key == bindparam("wanted"))


def find(identifier: str) -> Account | None:
    """The account with this username or address; a username cannot look like an address, so one statement knows."""
    return find_by_email(identifier) if "@" in identifier else find_by_username(identifier)


def find_by_email(email: str) -> Account | None:
    """The account with this address in its normal form."""
    return _one(_by_email, fields.key(email))


def find_by_username(username: str) -> Account | None:
    """The account with this username in its normal form."""
    return _one(_by_username, fields.key(username))


def get(user_id: int) -> Account | None:
    """The account with this id."""
    return _one(_by_id, user_id)


def _one(statement: Select[Any], wanted: str | int) -> Account | None:
    row = database.execute(statement, {"wanted": wanted}).first()
    return Account._make(row) if row else None


def check_free(username: str, email: str) -> None:
    """Refuse names that are taken before a hash is spent on them; raises UsernameTaken, EmailTaken."""
    taken = select(User.username_key, User.username_skeleton, User.email_key).where(
        (User.username_skeleton == fields.skeleton(username)) | (User.email_key == fields.key(email))
    )
    rows = database.execute(taken).all()
    if any(row.username_skeleton == fields.skeleton(username) for row in rows):
        raise UsernameTaken
    if rows:
        raise EmailTaken


def create(username: str, email: str, password_hash: str, locale: str = "en") -> int:
    """A new account; its id. The unique constraints decide between racing requests; as `check_free` raises."""
    values = {
        "username": username,
        "username_key": fields.key(username),
        "username_skeleton": fields.skeleton(username),
        "email": email,
        "email_key": fields.key(email),
        "password_hash": password_hash,
        "locale": locale,
        "created_at": now(),
        "updated_at": now(),
    }
    try:
        return int(database.execute(insert(User).values(values).returning(User.id)).scalar_one())
    except IntegrityError as error:
        raise taken_by(error) from None


def change(user_id: int, **values: Any) -> None:
    """Change columns of an account; raises UsernameTaken, EmailTaken."""
    try:
        database.execute(update(User).where(User.id == user_id).values(values))
    except IntegrityError as error:
        raise taken_by(error) from None


def taken_by(error: IntegrityError) -> UsernameTaken | EmailTaken:
    """Which name a violated constraint speaks of."""
    return EmailTaken() if "email" in str(error.orig) else UsernameTaken()
