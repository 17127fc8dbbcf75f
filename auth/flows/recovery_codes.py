"""Recovery codes: a new set in place of the old one."""

from typing import Any

from flask import Blueprint

from auth import access
from auth.endpoint import endpoint
from auth.factors import enrolled, recovery
from auth.fields import Answer
from auth.problems import FactorMissing, FreshTokenRequired

bp = Blueprint("recovery_codes", __name__)


class NewRecoveryCodes(Answer):
    """Ten codes, shown this once."""

    recovery_codes: list[str]


@endpoint(
    bp, "POST", "/auth/mfa/recovery-codes", returns=NewRecoveryCodes, auth="fresh",
    errors=(FreshTokenRequired, FactorMissing),
)  # fmt: skip
def make_recovery_codes() -> dict[str, Any]:
    """Make ten new recovery codes; the old ones are void."""
    if access.account().mfa_since is None:
        raise FactorMissing
    enrolled.lock(access.user_id())
    return {"recovery_codes": recovery.replace(access.user_id())}
