"""Recovery codes: a new set in place of the old one."""

from typing import Any

from flask import Blueprint

from auth import access, events
from auth.endpoint import endpoint
from auth.factors import recovery
from auth.factors.forms import RecoveryCodes
from auth.problems import FactorMissing, FreshTokenRequired

bp = Blueprint("recovery_codes", __name__)


@endpoint(
    bp, "POST", "/auth/mfa/recovery-codes", returns=RecoveryCodes, auth="fresh",
    errors=(FreshTokenRequired, FactorMissing),
)  # fmt: skip
def make_recovery_codes() -> dict[str, Any]:
    """Make ten new recovery codes; the old ones are void.

    With an app or a passkey enrolled, a session begun with a code by SMS or by mail will not do.
    """
    if access.account().mfa_since is None:
        raise FactorMissing
    access.check_no_lesser()
    access.hold()
    events.record("recovery_codes.made", access.user_id(), access.session_id())
    return {"recovery_codes": recovery.replace(access.user_id())}
