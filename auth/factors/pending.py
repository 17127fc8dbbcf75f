"""The half-finished sign-in: an opaque secret that stands for a first proof and waits for the second.

It is bound to the person, to what was proven, and to the client; it lives ten minutes, five wrong codes end it, and it
opens no route but those of the second factors. Signing in on several devices at once makes one for each.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from auth import crypto, devices, events, one_time
from auth.factors import enrolled
from auth.one_time import Held
from auth.problems import CodeInvalid, MfaRequired
from auth.users import Account

PURPOSE = "half-finished sign-in"
LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that waits: by whom, what was proven and when, and the session it shall take the place of."""

    held: Held
    user_id: int
    amr: list[str]
    proven_at: datetime
    replaces: str | None

    @property
    def scope(self) -> str:
        """What a code that is sent for this sign-in is bound to."""
        return f"sign-in {self.held.id}"


def demand(account: Account, amr: list[str], replaces: str | None) -> MfaRequired:
    """The answer that asks for the second factor. The secret is made after the rollback, by the door."""
    problem = MfaRequired(methods=enrolled.methods(account.id, amr), expires_in=int(LIFETIME.total_seconds()))

    def remember() -> None:
        client = {"client": _program(), "device": devices.known(account.id, account.device_epoch)}
        data: dict[str, Any] = {"amr": amr, "replaces": replaces, "epoch": account.device_epoch, **client}
        made = one_time.issue(PURPOSE, LIFETIME, user_id=account.id, beside_others=True, **data)
        problem.extra["mfa_token"] = made.secret

    return problem.then(remember).recorded("login.half", user_id=account.id, amr=amr)


def attempt(mfa_token: str) -> Pending:
    """The sign-in that waits, for one try at its second factor, which is counted; raises CodeInvalid."""
    waiting = _pending(one_time.attempt(PURPOSE, mfa_token))
    data = waiting.held.data
    if data["device"] not in (None, devices.known(waiting.user_id, data["epoch"])):
        raise CodeInvalid
    return waiting


def find(mfa_token: str) -> Pending:
    """The sign-in that waits, for what is no try, which a page may ask without its cookies; raises CodeInvalid."""
    return _pending(one_time.hold(PURPOSE, mfa_token))


def finish(pending: Pending) -> None:
    """End it, in the current transaction: it becomes a session once. Raises CodeInvalid to all callers but one."""
    if not one_time.finish(pending.held):
        raise CodeInvalid


def void(user_id: int) -> None:
    """End every half-finished sign-in of a person, in the current transaction."""
    one_time.void(PURPOSE, user_id=user_id)


def _pending(held: Held | None) -> Pending:
    if held is None or held.user_id is None:
        raise CodeInvalid
    data = held.data
    if data["client"] != _program():
        raise CodeInvalid
    return Pending(held, held.user_id, data["amr"], held.created_at, data["replaces"])


def _program() -> str:
    """What tells one client from another, beside the token of its device, and stays while its address changes."""
    _, user_agent, _ = events.origin()
    return crypto.keyed_hash("half-finished sign-in client", user_agent or "")
