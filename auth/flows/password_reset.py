"""Forgotten: a letter, then a new password. It never signs in, and a second factor stays on."""

from typing import Any, ClassVar

from flask import Blueprint

from auth import events, fields, limits, links, mail, one_time, passwords, sessions, users
from auth.endpoint import endpoint
from auth.fields import Body, Email, Message, Password
from auth.links import Proof
from auth.problems import AccountLocked, InvalidRequest, LinkInvalid
from auth.users import Account
from config import settings
from models import now

bp = Blueprint("password_reset", __name__)

PURPOSE = links.RESET
SENT = "If there is an account with this address, a letter is on its way"


class Forgotten(Body):
    """The address of the account."""

    email: Email


class Reset(Proof):
    """What the letter held, and the new password."""

    missing: ClassVar[str] = "Missing password"

    password: Password


@endpoint(bp, "POST", "/auth/password/forgot", body=Forgotten, returns=Message, status=202, limit="mail")
def forgot_password(body: Forgotten) -> dict[str, Any]:
    """Ask for a letter. The answer is the same for every address; the worker decides whether a letter goes."""
    mail.ask(PURPOSE, email=body.email)
    return {"message": SENT}


@endpoint(
    bp, "POST", "/auth/password/reset", body=Reset, returns=Message, limit="redeem",
    errors=(LinkInvalid, AccountLocked),
)  # fmt: skip
def reset_password(body: Reset) -> dict[str, Any]:
    """Choose a new password. Every session ends and the lockout is over; the person then signs in as always."""
    held = links.hold(PURPOSE, body)
    account = links.owner(held)
    _check_policy(body.password, account)
    password_hash = passwords.hash_password(body.password)
    account = links.redeem(held)
    verified = account.email_verified_at or now()
    users.change(account.id, password_hash=password_hash, reset_forced_at=None, email_verified_at=verified)
    one_time.void_all(account.id, keep=(links.NOT_ME,))
    users.forget_devices(account.id)
    sessions.revoke_all(account.id, "password reset")
    limits.forgive(account.id)
    events.record("password.reset", account.id)
    return {"message": "Your password was changed; please sign in"}


def _check_policy(password: str, account: Account) -> None:
    """A right code is no wrong one because the password will not do: what its try has cost is given back."""
    try:
        passwords.check_policy(password, account.username, account.email)
    except InvalidRequest as refusal:
        raise refusal.then(lambda: _give_back(account)) from None


def _give_back(account: Account) -> None:
    links.forget(PURPOSE, fields.key(account.email))
    limits.forgive(account.id)


@mail.answers(PURPOSE)
def _write(locale: str, email: str) -> None:
    account = users.find_by_email(email)
    if account is not None and account.disabled_at is None:
        links.send("reset_password", PURPOSE, settings().reset_path, links.SIGN_IN, account)
