"""Delete the account: what was personal is gone, and the audit trail keeps what happened under a bare number."""

from datetime import timedelta
from typing import ClassVar

from flask import Blueprint, after_this_request

from auth import access, events, links, mail, passwords, sessions, transport, users
from auth.endpoint import endpoint
from auth.fields import Body, Password
from auth.problems import AccountLocked, FreshTokenRequired, InvalidCredentials, NoPassword, TokenRevoked

bp = Blueprint("deletion", __name__)

# Nobody shall pose as the person who had the name.
NAME_HELD = timedelta(days=30)


class Deletion(Body):
    """The password, so that nobody else does this."""

    missing: ClassVar[str] = "Missing password"

    password: Password


@endpoint(
    bp, "DELETE", "/auth/me", body=Deletion, status=204, auth="fresh", limit="login",
    errors=(FreshTokenRequired, InvalidCredentials, AccountLocked, NoPassword),
)  # fmt: skip
def delete_account(body: Deletion) -> None:
    """Delete the account for good. Every session ends, and the username stays free of others for 30 days."""
    account = passwords.check_own(access.account(), body.password)
    if not users.begin_erasing(account.id):
        raise TokenRevoked
    sessions.revoke_all(account.id, "account deleted")
    events.record("account.deleted", account.id)
    users.hold_username(account.username, NAME_HELD)
    links.forget_address(account.email)
    mail.send("account_deleted", account.email, account.locale, username=account.username)
    events.forget_origin(account.id)
    users.erase(account.id)
    after_this_request(transport.clear_cookies)
