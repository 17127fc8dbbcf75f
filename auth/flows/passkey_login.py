"""Sign in with a passkey (WebAuthn Level 3): alone, which counts as two factors, or as the second one."""

from typing import Any

from flask import Blueprint

from auth import sessions, users
from auth.endpoint import endpoint
from auth.factors import enrolled, passkeys, pending
from auth.factors.forms import Credential, PasskeyOptions
from auth.factors.passkeys import PASSKEY_ALONE
from auth.factors.pending import Pending
from auth.fields import Body, Secret, TokensAnswer
from auth.problems import CodeInvalid, TokenRevoked
from auth.sessions import Tokens

bp = Blueprint("passkey_login", __name__)


class Beginning(Body):
    """Nothing, or the `mfa_token` of a sign-in that waits for its second factor."""

    mfa_token: Secret | None = None


class Assertion(Body):
    """The answer of `navigator.credentials.get()`, as its `toJSON()` gives it."""

    credential: Credential
    mfa_token: Secret | None = None
    trust_device: bool = False


@endpoint(
    bp, "POST", "/auth/passkeys/login/options", body=Beginning, returns=PasskeyOptions, limit="passkey",
    errors=(CodeInvalid,),
)  # fmt: skip
def begin_passkey_login(body: Beginning) -> dict[str, Any]:
    """Begin to sign in: the options for the browser, good for five minutes and one answer.

    With nothing in the body any passkey of this service will do, chosen in the browser's own list or offered beside
    the name field (conditional UI). With an `mfa_token` it must be one of that person's.
    """
    if body.mfa_token is None:
        return passkeys.begin(passkeys.SIGN_IN)
    return passkeys.begin(passkeys.SECOND_FACTOR, **_bound(pending.find(body.mfa_token)))


@endpoint(
    bp, "POST", "/auth/passkeys/login/verify", body=Assertion, returns=TokensAnswer, limit="passkey",
    errors=(CodeInvalid, TokenRevoked, *sessions.RESUMED),
)  # fmt: skip
def verify_passkey_login(body: Assertion) -> Tokens:
    """Sign in. Whatever is wrong with an assertion is one answer."""
    waiting = pending.attempt(body.mfa_token) if body.mfa_token is not None else None
    bound = _bound(waiting) if waiting else {}
    purpose = passkeys.SECOND_FACTOR if waiting else passkeys.SIGN_IN
    account = users.get(passkeys.check(purpose, body.credential, **bound))
    if account is None:
        raise CodeInvalid
    if waiting:
        return sessions.resume(waiting, account, enrolled.PASSKEY, body.trust_device)
    return sessions.sign_in(account, PASSKEY_ALONE, enrolled.PASSKEY)


def _bound(waiting: Pending) -> dict[str, Any]:
    """What a challenge for a second factor is bound to. After a password, having the key is enough."""
    return {"user_id": waiting.user_id, "verified": "pwd" not in waiting.amr, "scope": waiting.scope}
