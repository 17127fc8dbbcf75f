"""Change the password, knowing the old one. The session goes on, all others end."""

from typing import ClassVar

from flask import Blueprint

from auth import access, events, links, one_time, passwords, sessions, users
from auth.endpoint import endpoint
from auth.fields import Body, Password, TokensAnswer
from auth.problems import AccountLocked, FreshTokenRequired, InvalidCredentials, InvalidRequest, NoPassword
from auth.sessions import Tokens

bp = Blueprint("password_change", __name__)

SAME = {"field": "new_password", "code": "password_same", "message": "must differ from the current one"}


class PasswordChange(Body):
    """The password until now, and the one from now on."""

    missing: ClassVar[str] = "Missing current_password or new_password"

    current_password: Password
    new_password: Password


@endpoint(
    bp, "POST", "/auth/password/change", body=PasswordChange, returns=TokensAnswer, auth="fresh", limit="login",
    errors=(FreshTokenRequired, InvalidCredentials, AccountLocked, NoPassword, *sessions.STATES),
)  # fmt: skip
def change_password(body: PasswordChange) -> Tokens:
    """Choose another password. Every other session ends, and links that were mailed before are void.

    So are the tokens of devices; this one is given another.
    """
    account = passwords.check_own(access.account(), body.current_password)
    if body.new_password == body.current_password:
        raise InvalidRequest("Invalid new_password", errors=[SAME])
    passwords.check_policy(body.new_password, account.username, account.email, field="new_password")
    if not users.replace_password(account, passwords.hash_password(body.new_password)):
        raise InvalidCredentials
    one_time.void_all(account.id, keep=(links.NOT_ME, links.EMAIL_VERIFICATION))
    sessions.revoke_all(account.id, "password changed", keep=access.session_id())
    events.record("password.changed", account.id, access.session_id())
    epoch = users.forget_devices(account.id)
    return sessions.renew(account._replace(device_epoch=epoch), access.session_id())
