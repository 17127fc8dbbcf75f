"""The proof of a second factor by a code, whatever its kind: paid for before it is looked at, spent at most once."""

from auth import crypto, limits
from auth.factors import authenticators, codes, enrolled, recovery
from auth.problems import CodeInvalid
from auth.users import Account


def check(account: Account, method: str, code: str, scope: str) -> None:
    """Spend a code of a person's factor; raises CodeInvalid whatever was wrong with it, and AccountLocked.

    `scope` is the sign-in or session it is given for. The guesses share the budget of the password's: a code cannot be
    tried more often than a password.
    """
    limits.count_own_guess(account)
    if not _spend(account.id, method, crypto.tidy_code(code), scope):
        raise CodeInvalid().recorded("mfa.failed", user_id=account.id, method=method)


def of_session(sid: str) -> str:
    """The scope of codes that are given within a session."""
    return f"session {sid}"


def _spend(user_id: int, method: str, code: str, scope: str) -> bool:
    if method == enrolled.TOTP:
        return authenticators.spend_step(user_id, code)
    if method == enrolled.RECOVERY_CODE:
        return recovery.spend(user_id, code)
    return codes.spend(method, user_id, scope, code)
