"""Sign in by a mailed link or code. MAGIC_LINK=off: there is nothing here."""

from typing import Any

from flask import Blueprint

from auth import events, links, mail, one_time, passwords, revocations, sessions, users
from auth.endpoint import endpoint
from auth.fields import Body, Email, Message, TokensAnswer
from auth.links import Proof
from auth.problems import AccountLocked, LinkInvalid, NotFound
from auth.sessions import Tokens
from auth.users import Account
from config import settings
from models import now

bp = Blueprint("magic_link", __name__)

PURPOSE = links.MAGIC_LINK
SENT = "If there is an account with this address, a letter is on its way"


class LinkRequest(Body):
    """The address of the account."""

    email: Email


@endpoint(
    bp, "POST", "/auth/magic-link", body=LinkRequest, returns=Message, status=202, limit="mail", errors=(NotFound,)
)
def request_magic_link(body: LinkRequest) -> dict[str, Any]:
    """Ask for a letter. The answer is the same for every address; the worker decides whether a letter goes."""
    _check_offered()
    mail.ask(PURPOSE, email=body.email)
    return {"message": SENT}


@endpoint(
    bp, "POST", "/auth/magic-link/verify", body=Proof, returns=TokensAnswer, limit="login",
    errors=(LinkInvalid, AccountLocked, NotFound, *sessions.REFUSALS),
)  # fmt: skip
def verify_magic_link(body: Proof) -> Tokens:
    """Sign in. The letter is spent whatever the gate says then, and proves that the address is the person's.

    The first proof ends every other session, and the password: who registered the address may have been a stranger.
    """
    _check_offered()
    held = links.hold(PURPOSE, body)
    with revocations.apart():
        account = _proven(links.redeem(held))
    return sessions.sign_in(account, ["otp"])


@mail.answers(PURPOSE)
def _write(locale: str, email: str) -> None:
    account = users.find_by_email(email)
    if account is not None and account.disabled_at is None:
        links.send("magic_link", PURPOSE, settings().magic_link_path, links.SIGN_IN, account)


def _check_offered() -> None:
    if not settings().magic_link:
        raise NotFound


def _proven(account: Account) -> Account:
    """The account, its address verified; at the first time, without what others may have left in it."""
    if account.email_verified_at is not None or not users.prove_first(account.id, passwords.UNUSABLE):
        return account
    # What chooses a password went to this address, as did the notices.
    one_time.void_all(account.id, keep=(links.NOT_ME, links.RESET))
    epoch = users.forget_devices(account.id)
    sessions.revoke_all(account.id, "address verified")
    events.record("email.verified", account.id)
    events.record("password.voided", account.id)
    return account._replace(email_verified_at=now(), password_hash=passwords.UNUSABLE, device_epoch=epoch)
