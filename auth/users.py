"""Find, create and change accounts: the only queries on User.

An account is handed around as the row of `COLUMNS`, read in one statement.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from auth import crypto, database, fields
from auth.problems import EmailTaken, UsernameTaken
from models import HeldName, Session, User, now


class Account(NamedTuple):
    """What the flows and the gate know of a person.

    `last_sign_in` is when the newest session began; tokens of devices are good for one `device_epoch`.
    """

    id: int
    username: str
    email: str
    password_hash: str
    email_verified_at: datetime | None
    disabled_at: datetime | None
    reset_forced_at: datetime | None
    mfa_since: datetime | None
    device_epoch: int
    locale: str
    roles: list[str]
    created_at: datetime
    updated_at: datetime
    last_sign_in: datetime | None


HELD_USERNAME, HELD_EMAIL = "held username", "held email"
_last_sign_in = select(func.max(Session.created_at)).where(Session.user_id == User.id).scalar_subquery()
_columns = [getattr(User, name) for name in Account._fields[:-1]]
_account = select(*_columns, _last_sign_in.label("last_sign_in")).where(User.deleted_at.is_(None))
# Built once: making a statement costs more than running it.
_by_id = _account.where(User.id == bindparam("wanted"))
# Nothing changes by it, but that two of them wait for each other.
_locked = (
    update(User)
    .where(User.id == bindparam("wanted"), User.deleted_at.is_(None))
    .values(mfa_since=User.mfa_since)
    .returning(*_columns, _last_sign_in)
)
_barred = select(User.id).where(User.id == bindparam("wanted")).with_for_update()
_by_username = _account.where(User.username_key == bindparam("wanted"))
_by_email = _account.where(User.email_key == bindparam("wanted"))


def find(identifier: str) -> Account | None:
    """The account with this username or address; a username cannot look like an address, so one statement knows."""
    return _one(_by_email if "@" in identifier else _by_username, fields.key(identifier))


def find_by_email(email: str) -> Account | None:
    """The account with this address in its normal form."""
    return _one(_by_email, fields.key(email))


def find_by_username(username: str) -> Account | None:
    """The account with this username in its normal form."""
    return _one(_by_username, fields.key(username))


def get(user_id: int) -> Account | None:
    """The account with this id."""
    row = database.execute(_by_id, {"wanted": user_id}).first()
    return Account._make(row) if row else None


def lock(user_id: int) -> Account | None:
    """The account as it is now; changes to it come one after the other until the end of the transaction.

    Whoever redeems a letter, writes one or enrols a factor begins with this, so that all lock in the same order.
    """
    row = database.execute(_locked, {"wanted": user_id}).first()
    return Account._make(row) if row else None


def await_sign_ins(user_id: int) -> None:
    """Wait until the sign-ins under way have their sessions; those that come later wait for who calls this."""
    database.execute(_barred, {"wanted": user_id})


def _one(statement: Select[Any], wanted: str) -> Account | None:
    row = database.execute(statement, {"wanted": wanted}).first()
    return Account._make(row) if row else None


def check_free(username: str, email: str) -> None:
    """Refuse names that are taken before a hash is spent on them; raises UsernameTaken, EmailTaken."""
    name, look = fields.key(username), fields.skeleton(username)
    taken = select(User.username_key, User.username_skeleton).where(
        (User.username_skeleton == look) | (User.username_key == name) | (User.email_key == fields.key(email))
    )
    rows = database.execute(taken).all()
    if any(name == row.username_key or look == row.username_skeleton for row in rows):
        raise UsernameTaken
    if rows:
        raise EmailTaken
    check_unheld(username, email)


def check_unheld(username: str = "", email: str = "", owner: int = 0) -> None:
    """Refuse names that nobody but their `owner` may take for now; raises UsernameTaken, EmailTaken."""
    looks = fields.skeletons(username) if username else ()
    usernames = [made for look in looks for made in crypto.keyed_hashes(HELD_USERNAME, look)]
    emails = crypto.keyed_hashes(HELD_EMAIL, fields.key(email)) if email else []
    mine = HeldName.user_id.is_not(None) & (HeldName.user_id == owner)
    held = select(HeldName.name_hash).where(
        HeldName.name_hash.in_([*usernames, *emails]), HeldName.held_until > now(), ~mine
    )
    for name_hash in database.execute(held).scalars():
        raise UsernameTaken if name_hash in usernames else EmailTaken


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


def rename(user_id: int, username: str) -> None:
    """Give an account another username; raises UsernameTaken."""
    check_unheld(username=username)
    names = {"username": username, "username_key": fields.key(username), "username_skeleton": fields.skeleton(username)}
    change(user_id, **names)


def readdress(user_id: int, email: str) -> None:
    """Give an account another address, which was proven to be the person's; raises EmailTaken."""
    change(user_id, email=email, email_key=fields.key(email), email_verified_at=now())


def prove_first(user_id: int, password_hash: str) -> bool:
    """Verify an address that nobody has proven yet, and replace the password; whether no other request has."""
    mine = update(User).where(User.id == user_id, User.email_verified_at.is_(None))
    proven = mine.values(email_verified_at=now(), password_hash=password_hash).returning(User.id)
    return database.execute(proven).first() is not None


def replace_password(account: Account, password_hash: str) -> bool:
    """Store a new password unless another request has stored one since the account was read; whether it was stored."""
    mine = update(User).where(User.id == account.id, User.password_hash == account.password_hash)
    stored = mine.values(password_hash=password_hash).returning(User.id)
    return database.execute(stored).first() is not None


def forget_devices(user_id: int) -> int:
    """Void the token of every device that an account knows, and every sign-in under way; the epoch of new ones."""
    mine = update(User).where(User.id == user_id).values(device_epoch=User.device_epoch + 1)
    return int(database.execute(mine.returning(User.device_epoch)).scalar_one())


def begin_erasing(user_id: int) -> bool:
    """Let nobody find an account any more; whether no other request has begun to erase it."""
    mine = update(User).where(User.id == user_id, User.deleted_at.is_(None)).values(deleted_at=now())
    return database.execute(mine.returning(User.id)).first() is not None


def erase(user_id: int) -> None:
    """Remove an account and everything that belongs to it: the rows of all other tables go with it."""
    database.execute(delete(User).where(User.id == user_id))


def hold_username(username: str, lifetime: timedelta) -> None:
    """Let nobody take a username, nor one that looks like it, for so long."""
    for look in fields.skeletons(username):
        _hold(crypto.keyed_hash(HELD_USERNAME, look), None, lifetime)


def hold_email(email: str, owner: int, lifetime: timedelta) -> None:
    """Let nobody else take an address for so long."""
    _hold(crypto.keyed_hash(HELD_EMAIL, fields.key(email)), owner, lifetime)


def _hold(name_hash: str, owner: int | None, lifetime: timedelta) -> None:
    row = {"name_hash": name_hash, "user_id": owner, "held_until": now() + lifetime}
    database.execute(database.by_dialect(_holding), row)


def _holding(insert_: Any) -> Any:
    held = insert_(HeldName)
    latest = {"user_id": held.excluded.user_id, "held_until": held.excluded.held_until}
    return held.on_conflict_do_update(index_elements=[HeldName.name_hash], set_=latest)


def taken_by(error: IntegrityError) -> UsernameTaken | EmailTaken:
    """Which name a violated constraint speaks of."""
    return EmailTaken() if "email" in str(error.orig) else UsernameTaken()
