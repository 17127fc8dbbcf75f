"""What second factors a person has, who must have one, and what follows when one is added or removed."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, exists, func, literal, select, union_all, update

from auth import database, events, one_time, users
from auth.factors import recovery
from auth.problems import EmailNotVerified, LastFactor, TooManyFactors
from auth.users import Account
from config import settings
from models import Authenticator, Passkey, RecoveryCode, User, now

TOTP, SMS, EMAIL, PASSKEY, RECOVERY_CODE = "totp", "sms", "email", "passkey", "recovery_code"
# Whoever has one of the better is not taken for themselves in what concerns factors by one of the lesser.
BETTER, LESSER = frozenset({TOTP, PASSKEY}), frozenset({SMS, EMAIL})
# What each method adds to `amr` (RFC 8176 section 2).
AMR = {
    TOTP: ("otp",),
    SMS: ("sms",),
    EMAIL: ("otp",),
    PASSKEY: ("pop", "user"),
    RECOVERY_CODE: ("otp",),
}
# How well a person is proven (`acr`): by one factor, or by two (the levels of SP 800-63B).
AAL1, AAL2 = "aal1", "aal2"
MOST_OF_A_KIND = 10

_authenticators = select(Authenticator.kind).where(Authenticator.confirmed_at.is_not(None))
_passkeys = select(literal(PASSKEY))
_recovery_codes = select(literal(RECOVERY_CODE))


def methods(user_id: int, amr: list[str]) -> list[str]:
    """The second factors open to a person who has proven `amr`, the strongest first."""
    rows = database.execute(
        union_all(
            _authenticators.where(Authenticator.user_id == user_id),
            _passkeys.where(exists().where(Passkey.user_id == user_id)),
            _recovery_codes.where(exists().where(RecoveryCode.user_id == user_id)),
        )
    )
    has = {row[0] for row in rows}
    return [method for method in (PASSKEY, TOTP, SMS, EMAIL, RECOVERY_CODE) if method in has and _is_open(method, amr)]


def demanded(account: Account) -> bool:
    """Whether the policy wants a second factor of this person."""
    chosen = settings()
    if chosen.mfa_policy == "required_for_roles":
        return not set(chosen.mfa_roles).isdisjoint(account.roles)
    return chosen.mfa_policy == "required"


def lacking(account: Account, acr: str, proven_at: datetime) -> bool:
    """Whether the policy wants a factor that a session knows nothing of: one missing, or enrolled after it began."""
    if acr != AAL1 or not demanded(account):
        return False
    return account.mfa_since is None or proven_at < account.mfa_since


def check_may_enrol(account: Account) -> None:
    """Refuse a factor to a person whose address nobody has verified; raises EmailNotVerified."""
    if account.email_verified_at is None:
        raise EmailNotVerified


def check_room(user_id: int, table: Any, *which: Any, most: int = MOST_OF_A_KIND) -> None:
    """Refuse one more than there may be of a kind; raises TooManyFactors. Called with the person locked."""
    count = select(func.count()).select_from(table).where(table.user_id == user_id, *which)
    if database.execute(count).scalar_one() >= most:
        raise TooManyFactors


def added(user_id: int, kind: str) -> list[str]:
    """Note a factor that was confirmed just now; recovery codes when it is the first, else none."""
    since = func.coalesce(User.mfa_since, now())
    database.execute(update(User).where(User.id == user_id).values(mfa_since=since))
    events.record("factor.added", user_id, kind=kind)
    return [] if recovery.left(user_id) else recovery.replace(user_id)


def removed(account: Account, kind: str) -> None:
    """Note a factor that was removed just now; with the last one go the recovery codes. Raises LastFactor."""
    events.record("factor.removed", account.id, kind=kind)
    one_time.void(code_purpose(kind), user_id=account.id)
    if _has_any(account.id):
        return
    if demanded(account):
        raise LastFactor
    forget(account.id)


def code_purpose(kind: str) -> str:
    """The purpose of the codes that are sent for a kind of factor."""
    return f"{kind} code"


def forget(user_id: int) -> None:
    """Note that a person has no second factor any more."""
    database.execute(update(User).where(User.id == user_id).values(mfa_since=None))
    recovery.clear(user_id)


def reset(user_id: int) -> int:
    """Take every second factor from a person, for an administrator; how many there were."""
    users.lock(user_id)
    authenticators = delete(Authenticator).where(Authenticator.user_id == user_id).returning(Authenticator.id)
    passkeys = delete(Passkey).where(Passkey.user_id == user_id).returning(Passkey.id)
    count = sum(len(database.execute(gone).all()) for gone in (authenticators, passkeys))
    forget(user_id)
    events.record("factors.reset", user_id, count=count)
    return count


def _has_any(user_id: int) -> bool:
    authenticator = exists().where(Authenticator.user_id == user_id, Authenticator.confirmed_at.is_not(None))
    passkey = exists().where(Passkey.user_id == user_id)
    return bool(database.execute(select(authenticator | passkey)).scalar())


def _is_open(method: str, amr: list[str]) -> bool:
    """Mail is no second factor after a first proof that came by mail, and none at all where mail is no way in."""
    if method == EMAIL:
        return settings().magic_link and "pwd" in amr
    return method != SMS or bool(settings().sms_url)
