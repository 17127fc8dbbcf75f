"""Step-up (RFC 9470): prove oneself again within a session, which a new and fresh one takes the place of."""

from typing import Any, ClassVar, Literal

from flask import Blueprint

from auth import access, passwords, sessions, tokens
from auth.endpoint import endpoint
from auth.factors import enrolled, passkeys, proof
from auth.factors.forms import Credential, PasskeyOptions
from auth.factors.passkeys import PASSKEY_ALONE
from auth.fields import Body, Code, Password, TokensAnswer
from auth.problems import AccountLocked, CodeInvalid, InvalidCredentials, InvalidRequest, NoPassword
from auth.sessions import Tokens
from auth.users import Account

bp = Blueprint("reauthenticate", __name__)


class Reauthentication(Body):
    """The password, a code of a second factor, or both; or the assertion of a passkey, which is both."""

    missing: ClassVar[str] = "Missing password, code, or passkey"

    password: Password | None = None
    method: Literal["totp", "recovery_code", "sms", "email"] = "totp"
    code: Code | None = None
    passkey: Credential | None = None


@endpoint(
    bp, "POST", "/auth/reauthenticate/options", returns=PasskeyOptions, auth="access", enrolling=True
)  # fmt: skip
def begin_reauthentication() -> dict[str, Any]:
    """The options for proving oneself again with a passkey, good for five minutes and one answer."""
    return passkeys.begin(passkeys.STEP_UP, user_id=access.user_id(), session=access.session_id())


@endpoint(
    bp, "POST", "/auth/reauthenticate", body=Reauthentication, returns=TokensAnswer, auth="access", limit="login",
    errors=(InvalidCredentials, CodeInvalid, AccountLocked, NoPassword, *sessions.REFUSALS), enrolling=True,
)  # fmt: skip
def reauthenticate(body: Reauthentication) -> Tokens:
    """Get fresh tokens; the old session ends. With a second factor both proofs must be fresh.

    A code alone will do while the password is still fresh; a password alone is answered by `mfa_required`, to go on
    at `/auth/mfa/verify`.
    """
    account = access.account()
    if body.passkey is not None:
        passkeys.check(passkeys.STEP_UP, body.passkey, user_id=account.id, session=access.session_id())
        return sessions.sign_in(account, PASSKEY_ALONE, enrolled.PASSKEY, access.session_id())
    if body.password is None:
        return _by_code_alone(account, body)
    passwords.check_own(account, body.password)
    if body.code is None:
        return sessions.sign_in(account, ["pwd"], replaces=access.session_id())
    proof.check(account, body.method, body.code, proof.of_session(access.session_id()))
    amr = ["pwd", *enrolled.AMR[body.method], "mfa"]
    return sessions.sign_in(account, amr, body.method, access.session_id())


def _by_code_alone(account: Account, body: Reauthentication) -> Tokens:
    """The second proof added to a first that is still fresh, and stays as old as it is."""
    claims = access.claims()
    if body.code is None or not access.is_recent(claims["auth_time"]):
        fault = {"field": "password", "code": "missing", "message": "Field required"}
        raise InvalidRequest(Reauthentication.missing if body.code is None else "Missing password", errors=[fault])
    proof.check(account, body.method, body.code, proof.of_session(access.session_id()))
    amr = list(dict.fromkeys([*claims["amr"], *enrolled.AMR[body.method], "mfa"]))
    return sessions.sign_in(account, amr, body.method, access.session_id(), tokens.moment(claims["auth_time"]))
