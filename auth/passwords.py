"""Passwords: hash, check, policy (SP 800-63B-4, section 3.1.1).

bcrypt sees 72 bytes and stops at NUL, so it is given base64(HMAC-SHA384(pepper, NFKC(password))): the whole password
counts, and a copy of the database without the pepper is worth less.
"""

import base64
import hmac

import bcrypt
from zxcvbn_rs_py import zxcvbn

from auth import breaches, database, fields, hashing, limits, users
from auth.problems import InvalidCredentials, InvalidRequest, NoPassword, Unavailable
from auth.users import Account
from config import settings

# A well-formed hash that no password has: an unknown person costs the same work as a known one.
NOBODYS_HASH = "$2b${rounds:02d}$" + "." * 21 + "u" + "." * 31
UNUSABLE = "!"

SERVICE_NAMES = ("gatehouse",)
# Names shorter than this stand in too many words by chance.
SHORT_NAME = 4
# With at most a hundred guesses in a row an account, what is not among the first fifteen thousand is out of reach.
EASY_GUESSES = 15_000
# The estimator takes any long repetition for easy; a text this long is not guessed.
LONG = 48
# Signs that the estimator also reads as letters. It tries every reading of all kinds there are, which for ten kinds in
# 47 characters holds every thread for 160 ms; for two it is 10 ms at most.
SIGNS, KINDS_OF_SIGNS = frozenset("@({[<!|$+%"), 2
# The tables of the estimator are made by its first call: by this one the workers are forked after, and share them.
zxcvbn(SERVICE_NAMES[0])


def hash_password(password: str) -> str:
    """The bcrypt hash to store. Holds no connection; raises Unavailable when every hashing place is taken."""
    database.release()
    salt_rounds = settings().bcrypt_rounds
    return hashing.run(_hash, _prehash(password), salt_rounds)


def check(account: Account | None, identifier: str, password: str) -> Account:
    """The account, when it exists and the password is its own; raises InvalidCredentials, AccountLocked, Unavailable.

    The guess is paid for first, once there is a place to hash in: a refused request costs the person no guess. Unknown
    and known people cost the same statements and the same work.
    """
    stored, rounds = account.password_hash if account else UNUSABLE, settings().bcrypt_rounds
    with hashing.place() as run:
        paid = limits.count_guess(account, identifier)
        database.release()
        right = run(_compare, _prehash(password), stored if paid else UNUSABLE, rounds)
    if account is None or not right:
        reason = "password" if paid else "locked"
        raise InvalidCredentials().recorded("login.failed", user_id=account.id if account else None, reason=reason)
    return _renewed(account, password) if int(stored.split("$")[2]) < rounds else account


def check_own(account: Account, password: str) -> Account:
    """As `check`, for who is signed in: to them it may be told that they have no password; raises NoPassword."""
    if account.password_hash == UNUSABLE:
        raise NoPassword
    return check(account, account.username, password)


def check_policy(password: str, username: str, email: str, *, field: str = "password") -> None:
    """Refuse a new password that is too short, too easy, or made of the person's own names; raises InvalidRequest.

    No composition rules, no forced change (SP 800-63B-4): length, a list of what is guessed first, and the context.
    """
    database.release()
    shortest = settings().password_min_length
    if len(password) < shortest:
        raise _refused(field, "password_short", f"must have at least {shortest} characters")
    if _speaks_of(password, username, email):
        raise _refused(
            field, "password_personal", "must not be made of your name, your address or the name of this service"
        )
    if len(password) < LONG and (advice := _advice(password, username, email)):
        raise _refused(field, "password_common", advice)
    if breaches.is_breached(password):
        raise _refused(field, "password_breached", "is known from a breach of another service")


def _compare(prehashed: bytes, stored: str, rounds: int) -> bool:
    """Whether this is the password of the hash; always the work of one hash at `rounds`, however light the stored one.

    What a lighter hash leaves is made up: 2 ** r and each cost from r to R - 1 add up to 2 ** R.
    """
    usable = stored != UNUSABLE
    right = usable and bcrypt.checkpw(prehashed, stored.encode())
    for cost in range(int(stored.split("$")[2]), rounds) if usable else (rounds,):
        bcrypt.checkpw(prehashed, NOBODYS_HASH.format(rounds=cost).encode())
    return right


def _renewed(account: Account, password: str) -> Account:
    """The account with its password hashed at today's cost; as it was when there is no place to hash in."""
    try:
        password_hash = hash_password(password)
    except Unavailable:
        return account
    with database.apart():
        users.replace_password(account, password_hash)
    return account._replace(password_hash=password_hash)


def _speaks_of(password: str, username: str, email: str) -> bool:
    text, name, local = fields.key(password), fields.key(username), fields.key(email).partition("@")[0]
    if fields.key(email) in text or (len(name) >= SHORT_NAME and name in text):
        return True
    letters = "".join(mark for mark in text if mark.isalpha())
    own = (*SERVICE_NAMES, name, local, *fields.key(email).partition("@")[2].split("."))
    return letters in {"".join(mark for mark in word if mark.isalpha()) for word in own} and letters != ""


def _advice(password: str, username: str, email: str) -> str:
    """What to improve about a password that is among the first guesses; empty when it is not."""
    estimate = zxcvbn(_tame(password), [username, email, *SERVICE_NAMES])
    if estimate.guesses >= EASY_GUESSES:
        return ""
    advice = estimate.feedback
    hints = [advice.warning, *advice.suggestions] if advice else []
    return " ".join(["is too easy to guess.", *(str(hint) for hint in hints if hint)])


def _tame(password: str) -> str:
    """The password with no more kinds of signs than the estimator reads in a short time."""
    kinds = [mark for mark in dict.fromkeys(password) if mark in SIGNS]
    return password.translate({ord(mark): "~" for mark in kinds[KINDS_OF_SIGNS:]})


def _refused(field: str, code: str, message: str) -> InvalidRequest:
    return InvalidRequest(
        f"The {field.replace('_', ' ')} {message}", errors=[{"field": field, "code": code, "message": message}]
    )


def _prehash(password: str) -> bytes:
    pepper = settings().password_pepper or "gatehouse"
    digest = hmac.digest(pepper.encode(), fields.normal(password).encode(), "sha384")
    return base64.b64encode(digest)


def _hash(prehashed: bytes, rounds: int) -> str:
    return bcrypt.hashpw(prehashed, bcrypt.gensalt(rounds)).decode()
