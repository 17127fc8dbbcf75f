"""Change the address: confirmed at the new one, announced at the old one, which has a way back for seven days."""

from typing import Any, ClassVar

from flask import Blueprint

from auth import access, crypto, events, fields, links, mail, one_time, passwords, users
from auth.endpoint import endpoint
from auth.fields import Body, Email, Message, Password
from auth.links import Token
from auth.problems import (
    AccountLocked,
    EmailTaken,
    FreshTokenRequired,
    InvalidCredentials,
    InvalidRequest,
    LinkInvalid,
    NoPassword,
)
from auth.users import Account
from config import settings
from models import now

bp = Blueprint("email_change", __name__)

PURPOSE = "email_change"
SAME = {"field": "email", "code": "email_same", "message": "is your address already"}


class EmailChange(Body):
    """The new address, and the password."""

    missing: ClassVar[str] = "Missing email or password"

    email: Email
    password: Password


class Confirmation(Body):
    """The token of the letter to the new address."""

    missing: ClassVar[str] = "Missing token"

    token: Token


@endpoint(
    bp, "POST", "/auth/email/change", body=EmailChange, returns=Message, status=202, auth="fresh", limit="mail",
    errors=(FreshTokenRequired, InvalidCredentials, AccountLocked, NoPassword),
)  # fmt: skip
def change_email(body: EmailChange) -> dict[str, Any]:
    """Ask to use another address. The answer does not tell whether it belongs to somebody."""
    account = passwords.check_own(access.account(), body.password)
    if fields.key(body.email) == fields.key(account.email):
        raise InvalidRequest("Invalid email", errors=[SAME])
    events.record("email.change_asked", account.id, access.session_id())
    mail.ask(PURPOSE, user_id=account.id, email=body.email, proof=_proof(account))
    return {"message": "A letter is on its way to the new address"}


@endpoint(
    bp, "POST", "/auth/email/change/confirm", body=Confirmation, returns=Message, limit="redeem",
    errors=(LinkInvalid, EmailTaken),
)  # fmt: skip
def confirm_email(body: Confirmation) -> dict[str, Any]:
    """Use the new address from now on. Links that were mailed to the old one are void, but the way back."""
    held = links.hold_token(PURPOSE, body.token)
    account = links.redeem(held)
    users.check_unheld(email=held.data["new"], owner=account.id)
    users.readdress(account.id, held.data["new"])
    # Nobody else may take the old address while there is a way back to it.
    users.hold_email(account.email, account.id, links.WAY_BACK)
    one_time.void_all(account.id, keep=(links.NOT_ME,))
    links.send_way_back("email_changed", account, now())
    events.record("email.changed", account.id)
    return {"message": "Your address was changed"}


@mail.answers(PURPOSE)
def _write(locale: str, user_id: int, email: str, proof: str) -> None:
    account = users.lock(user_id)
    # What was asked for before a new password, or before a cry for help, is void.
    if account is None or account.reset_forced_at is not None or not crypto.same(proof, _proof(account)):
        return
    owner = users.find_by_email(email)
    if owner is None:
        _ask_to_confirm(account, email)
    elif owner.id != user_id:
        mail.send("email_in_use", owner.email, owner.locale, owner.id, username=owner.username)
    links.send_way_back("email_change_asked", account, now())


def _ask_to_confirm(account: Account, email: str) -> None:
    lifetime = links.VERIFICATION
    made = one_time.issue(PURPOSE, lifetime, user_id=account.id, email=fields.key(account.email), new=email)
    page, name = settings().confirm_email_path, account.username
    links.put("confirm_new_email", email, account.locale, made, page, lifetime, user_id=account.id, username=name)


def _proof(account: Account) -> str:
    """Changes with the password."""
    return crypto.keyed_hash(PURPOSE, account.password_hash)
