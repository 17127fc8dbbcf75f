"""It was not me: the answer to a security notice. Everybody is signed out, and a new password is due."""

from datetime import datetime
from typing import Any, ClassVar

from flask import Blueprint

from auth import events, fields, links, mail, one_time, sessions, users
from auth.endpoint import endpoint
from auth.factors import passkeys
from auth.fields import Body, Message
from auth.links import Token
from auth.problems import EmailTaken, LinkInvalid
from models import now

bp = Blueprint("not_me", __name__)


class Report(Body):
    """The token of the notice."""

    missing: ClassVar[str] = "Missing token"

    token: Token


@endpoint(bp, "POST", "/auth/not-me", body=Report, returns=Message, limit="redeem", errors=(LinkInvalid, EmailTaken))
def report(body: Report) -> dict[str, Any]:
    """End every session, let nobody in until a new password was chosen by mail, and undo a change of address.

    A passkey enrolled since the moment of the notice no longer signs in by itself.
    """
    held = links.hold_token(links.NOT_ME, body.token)
    account = links.finish(held)
    if account is None:
        raise LinkInvalid
    # Whoever has taken the account over may have had letters to an address of their own since.
    one_time.void_newer(links.NOT_ME, account.id, held)
    address = held.data["restore"]
    if fields.key(address) != fields.key(account.email):
        users.readdress(account.id, address)
        events.record("email.changed", account.id)
        # Without a way back: that one could be handed to and fro.
        mail.send("email_given_back", account.email, account.locale, account.id, username=account.username)
    users.change(account.id, reset_forced_at=now())
    one_time.void_all(account.id, keep=(links.NOT_ME,))
    users.forget_devices(account.id)
    sessions.revoke_all(account.id, "not me")
    disowned = passkeys.disown(account.id, datetime.fromisoformat(held.data["since"]))
    events.record("account.disowned", account.id, passkeys=disowned)
    mail.ask(links.RESET, account.locale, email=address)
    return {"message": "Every device is signed out; a letter to choose a new password is on its way"}
