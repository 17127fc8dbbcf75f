"""Passwords: hash, check, policy (SP 800-63B-4, section 3.1.1).

bcrypt sees 72 bytes and stops at NUL, so it is given base64(HMAC-SHA384(pepper, NFKC(password))): the whole password
counts, and a copy of the database without the pepper is worth less.
"""

import base64
import hmac

import bcrypt

from auth import database, fields, hashing, limits
from auth.problems import InvalidCredentials, InvalidRequest
from auth.users import Account
from config import settings

# A well-formed hash that no password has: an unknown person costs the same work as a known one.
NOBODYS_HASH = "$2b${rounds:02d}$" + "." * 21 + "u" + "." * 31
UNUSABLE = "!"


def hash_password(password: str) -> str:
    """The bcrypt hash to store. Holds no connection; raises Unavailable when every hashing place is taken."""
    database.release()
    salt_rounds = settings().bcrypt_rounds
    return hashing.run(_hash, _prehash(password), salt_rounds)


def check(account: Account | None, identifier: str, password: str) -> Account:
    """The account, when it exists and the password is its own; raises InvalidCredentials, AccountLocked, Unavailable.

    The guess is paid for first. Unknown and known people cost the same statements and the same hash.
    """
    limits.count_guess(account, identifier)
    database.release()
    rounds = settings().bcrypt_rounds
    stored = account.password_hash if account else UNUSABLE
    expected = NOBODYS_HASH.format(rounds=rounds) if stored == UNUSABLE else stored
    right = hashing.run(bcrypt.checkpw, _prehash(password), expected.encode())
    if account is None or not right or stored == UNUSABLE:
        raise InvalidCredentials().recorded("login.failed", user_id=account.id if account else None, reason="password")
    return account


def is_outdated(account: Account) -> bool:
    """Whether the stored hash was made at another cost than today's."""
    return account.password_hash.split("$")[2:3] != [f"{settings().bcrypt_rounds:02d}"]


def check_policy(password: str, *names: str) -> None:
    """Refuse a new password that is too short or too easy; `names` are the person's own. Raises InvalidRequest."""
    shortest = settings().password_min_length
    if len(fields.normal(password)) < shortest:
        raise refused(f"must have at least {shortest} characters")


def refused(message: str, field: str = "password") -> InvalidRequest:
    """The answer to a password that is not good enough."""
    return InvalidRequest(
        f"The {field} {message}", errors=[{"field": field, "code": "password_weak", "message": message}]
    )


def _prehash(password: str) -> bytes:
    pepper = settings().password_pepper or "gatehouse"
    digest = hmac.digest(pepper.encode(), fields.normal(password).encode(), "sha384")
    return base64.b64encode(digest)


def _hash(prehashed: bytes, rounds: int) -> str:
    return bcrypt.hashpw(prehashed, bcrypt.gensalt(rounds)).decode()
