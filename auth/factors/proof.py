"""The proof of a second factor by a code, whatever its kind: paid for before it is looked at, spent at most once."""

from collections.abc import Callable

from auth import crypto, limits
from auth.factors import authenticators, enrolled, recovery
from auth.problems import CodeInvalid
from auth.users import Account

Spend = Callable[[int, str], bool]

SPEND: dict[str, Spend] = {
    enrolled.TOTP: authenticators.spend_step,
    enrolled.RECOVERY_CODE: recovery.spend,
}


def check(account: Account, method: str, code: str) -> None:
    """Spend a code of a person's factor; raises CodeInvalid whatever was wrong with it, and AccountLocked.

    The guesses share the budget of the password's: a code cannot be tried more often than a password.
    """
    limits.count_guess(account, account.username)
    if not SPEND[method](account.id, crypto.tidy_code(code)):
        raise CodeInvalid().recorded("mfa.failed", user_id=account.id, method=method)
