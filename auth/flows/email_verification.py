"""Verify an address: whoever opens the letter proves that the address is theirs."""

from typing import Any

from flask import Blueprint

from auth import access, events, links, mail, users
from auth.endpoint import endpoint
from auth.fields import Body, Email, Message
from auth.links import Proof
from auth.one_time import Held
from auth.problems import AccountLocked, EmailTaken, InvalidRequest, LinkInvalid, UsernameTaken
from config import settings
from models import now

bp = Blueprint("email_verification", __name__)

PURPOSE = links.EMAIL_VERIFICATION
SENT = "If this address is still to be verified, a letter is on its way"
NO_ADDRESS = {"field": "email", "code": "missing", "message": "is needed unless you are signed in"}


class VerificationRequest(Body):
    """Whose address; one's own when signed in."""

    email: Email | None = None


@endpoint(
    bp, "POST", "/auth/email/verify/request", body=VerificationRequest, returns=Message, status=202, auth="optional",
    limit="mail", enrolling=True,
)  # fmt: skip
def request_verification(body: VerificationRequest) -> dict[str, Any]:
    """Ask for the letter again. The answer is the same for every address; the worker decides whether a letter goes."""
    mail.ask(PURPOSE, email=body.email or _own_address())
    return {"message": SENT}


@endpoint(
    bp, "POST", "/auth/email/verify", body=Proof, returns=Message, limit="redeem",
    errors=(LinkInvalid, AccountLocked, UsernameTaken, EmailTaken),
)  # fmt: skip
def verify_email(body: Proof) -> dict[str, Any]:
    """Verify by the link, or by the code and the address. It works once, and signs nobody in."""
    held = links.hold(PURPOSE, body)
    user_id = links.redeem(held).id if held.user_id is not None else _registered(held)
    users.change(user_id, email_verified_at=now())
    events.record("email.verified", user_id)
    return {"message": "Your address is verified"}


@mail.answers(PURPOSE)
def _write(locale: str, email: str) -> None:
    account = users.find_by_email(email)
    if account is not None and account.disabled_at is None and account.email_verified_at is None:
        links.send("verify_email", PURPOSE, settings().verify_path, links.VERIFICATION, account)


def _own_address() -> str:
    if "sub" not in access.claims():
        raise InvalidRequest("Invalid email", errors=[NO_ADDRESS])
    return access.account().email


def _registered(held: Held) -> int:
    """The account that a private registration becomes now that its address is proven."""
    links.finish(held)
    registration = held.data["registration"]
    users.check_unheld(registration["username"], registration["email"])
    user_id = users.create(**registration)
    events.record("account.registered", user_id)
    return user_id
