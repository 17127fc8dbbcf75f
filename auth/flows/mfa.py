"""The second factor of a sign-in, and the factors a person has."""

from datetime import datetime
from typing import Any, Literal

from flask import Blueprint

from auth import access, sessions, users
from auth.endpoint import endpoint
from auth.factors import authenticators, enrolled, pending, proof, recovery
from auth.fields import Answer, Body, Code, Secret, TokensAnswer
from auth.problems import AccountLocked, CodeInvalid, FreshTokenRequired, LastFactor, NotFound, TokenRevoked
from auth.sessions import Tokens

bp = Blueprint("mfa", __name__)


class Verification(Body):
    """The second proof: the `mfa_token` of the answer `mfa_required`, and a code of one of its methods.

    With `trust_device` this device is not asked for a second factor again for thirty days.
    """

    mfa_token: Secret
    method: Literal["totp", "recovery_code", "sms", "email"]
    code: Code
    trust_device: bool = False


class AuthenticatorAnswer(Answer):
    """A second factor other than a passkey."""

    id: int
    kind: Literal["totp", "sms", "email"]
    name: str
    created_at: datetime
    last_used_at: datetime | None


class Factors(Answer):
    """What the person can prove themselves with; passkeys have a list of their own."""

    required: bool
    methods: list[str]
    authenticators: list[AuthenticatorAnswer]
    recovery_codes_left: int


@endpoint(
    bp, "POST", "/auth/mfa/verify", body=Verification, returns=TokensAnswer, limit="login",
    errors=(CodeInvalid, AccountLocked, TokenRevoked, *sessions.RESUMED),
)  # fmt: skip
def verify_mfa(body: Verification) -> Tokens:
    """Finish a sign-in. Wrong, used, stale and foreign codes are one answer; five of them end the sign-in."""
    waiting = pending.attempt(body.mfa_token)
    account = users.get(waiting.user_id)
    if account is None:
        raise CodeInvalid
    proof.check(account, body.method, body.code, waiting.scope)
    return sessions.resume(waiting, account, body.method, body.trust_device)


@endpoint(bp, "GET", "/auth/mfa", returns=Factors, auth="access", enrolling=True)
def list_factors() -> dict[str, Any]:
    """The person's second factors, and how many recovery codes are left."""
    account = access.account()
    rows = authenticators.in_force(account.id)
    return {
        "required": enrolled.demanded(account),
        "methods": enrolled.methods(account.id, ["pwd"]),
        "authenticators": [_show(row) for row in rows],
        "recovery_codes_left": recovery.left(account.id),
    }


@endpoint(
    bp, "DELETE", "/auth/mfa/authenticators/<int:number>", status=204, auth="fresh",
    errors=(FreshTokenRequired, NotFound, LastFactor),
)  # fmt: skip
def remove_authenticator(number: int) -> None:
    """Remove one factor. Needs a session begun with one of its kind, or with a recovery code; other sessions end."""
    mine = [row for row in authenticators.in_force(access.user_id()) if row.id == number]
    if not mine:
        raise NotFound
    access.check_factor(mine[0].kind)
    authenticators.remove(access.account(), mine[0].kind, number)
    sessions.revoke_all(access.user_id(), "factor removed", keep=access.session_id())


def _show(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in AuthenticatorAnswer.model_fields}
