"""What a letter proves: its link by itself, its code together with the address it was sent to.

A code is short, so every try is paid for before it is looked at, once from the budget of guesses at the account and
once for this letter; WRONG_CODES end the letter. An address that nobody has costs the same statements.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import bindparam, case, delete

from auth import crypto, database, fields, limits, mail, one_time, users
from auth.fields import Body, Email
from auth.one_time import Held
from auth.problems import InvalidRequest, LinkInvalid
from auth.users import Account
from config import settings
from models import Attempt, Moment, now

SIGN_IN = timedelta(minutes=15)
CODE_LIFETIME = timedelta(minutes=15)
VERIFICATION = timedelta(days=1)
WAY_BACK = timedelta(days=7)
WRONG_CODES = 5

# Purposes that more than one flow issues secrets for.
EMAIL_VERIFICATION = "email_verification"
RESET = "password_reset"
MAGIC_LINK = "magic_link"
NOT_ME = "not_me"

NEITHER = {"field": "token", "code": "missing", "message": "is needed, or else email and code"}
BOTH = {"field": "token", "code": "ambiguous", "message": "must not come together with email and code"}


# None is longer than these; one that is, is answered like any other that is wrong.
Token = Annotated[
    str,
    Field(
        description="The secret of a link.", examples=["1n5V3rYl0ng0paqueS3cret"], json_schema_extra={"maxLength": 128}
    ),
]
Code = Annotated[
    str,
    Field(
        description="Spaces, dashes and case do not matter.", examples=["4GH7K2MN"], json_schema_extra={"maxLength": 32}
    ),
]


class Proof(Body):
    """What the letter held: the token of its link, or its code and the address it went to."""

    token: Token | None = None
    email: Email | None = None
    code: Code | None = None


def send(
    template: str, purpose: str, path: str, lifetime: timedelta, account: Account, *, code: bool = True, **data: Any
) -> None:
    """Write a letter with a new secret to a person, in the current transaction; earlier ones for it are void."""
    users.lock(account.id)
    subject = fields.key(account.email)
    made = one_time.issue(
        purpose, lifetime, user_id=account.id, subject=subject if code else None, email=subject, **data
    )
    put(template, account.email, account.locale, made, path, lifetime, user_id=account.id, username=account.username)
    forget(purpose, subject)


def send_way_back(template: str, account: Account, since: datetime, **context: Any) -> None:
    """Write a letter whose link says "it was not me" and brings the account back to the address it was sent to.

    `since` is the moment it is about. Those sent before keep working for their seven days.
    """
    told: dict[str, Any] = {"restore": account.email, "since": since.isoformat()}
    made = one_time.issue(NOT_ME, WAY_BACK, user_id=account.id, beside_others=True, **told)
    page, name = settings().not_me_path, account.username
    put(template, account.email, account.locale, made, page, WAY_BACK, user_id=account.id, username=name, **context)


def put(
    template: str, to: str, locale: str, made: one_time.Issued, path: str, lifetime: timedelta, *,
    username: str, user_id: int | None = None, **context: Any,
) -> None:  # fmt: skip
    """Write a letter that carries a secret which was just made."""
    words = {"minutes": minutes(lifetime), "hours": minutes(lifetime) // 60, "days": lifetime.days}
    words["code_minutes"] = min(words["minutes"], minutes(CODE_LIFETIME))
    secret = {"link": mail.link(path, made.secret), "code": made.code}
    mail.send(template, to, locale, user_id, username=username, **words, **secret, **context)


def hold(purpose: str, proof: Proof) -> Held:
    """What the letter stands for; `finish` consumes it. Raises LinkInvalid, AccountLocked, InvalidRequest."""
    by_code = proof.email is not None and proof.code is not None
    if (proof.token is not None) == by_code:
        raise InvalidRequest("Invalid token", errors=[BOTH if by_code else NEITHER])
    if proof.email is not None and proof.code is not None:
        return _hold_by_code(purpose, proof.email, proof.code)
    return hold_token(purpose, proof.token or "")


def hold_token(purpose: str, token: str) -> Held:
    """What a link stands for; `finish` consumes it. Raises LinkInvalid."""
    held = one_time.hold(purpose, token)
    if held is None:
        raise LinkInvalid
    return held


def finish(held: Held) -> Account | None:
    """Consume what was held, in the current transaction: one caller succeeds, to all others it is LinkInvalid.

    The person, if it belongs to one, as they are now, and locked: what two letters do comes one after the other.
    """
    account = users.lock(held.user_id) if held.user_id is not None else None
    if not one_time.finish(held):
        raise LinkInvalid
    return account


def redeem(held: Held) -> Account:
    """As `finish`, for a letter whose address must still be the person's; raises LinkInvalid."""
    return _addressee(held, finish(held))


def owner(held: Held) -> Account:
    """The person a letter was for, as long as the address it went to is theirs; raises LinkInvalid."""
    return _addressee(held, users.get(held.user_id or 0))


def _addressee(held: Held, account: Account | None) -> Account:
    if account is None or held.data.get("email") != fields.key(account.email):
        raise LinkInvalid
    return account


def forget(purpose: str, subject: str) -> None:
    """Begin anew to count the tries at the codes sent to an address."""
    database.execute(delete(Attempt).where(Attempt.subject == _tries_of(purpose, subject)))


def forget_address(email: str) -> None:
    """Forget what was sent to an address, registrations of nobody yet too, and every try at a code of it."""
    for purpose in (EMAIL_VERIFICATION, RESET, MAGIC_LINK):
        one_time.void(purpose, subject=fields.key(email))
        forget(purpose, fields.key(email))


def minutes(lifetime: timedelta) -> int:
    """A lifetime as letters say it."""
    return int(lifetime.total_seconds() // 60)


def _hold_by_code(purpose: str, email: str, code: str) -> Held:
    account, subject = users.find_by_email(email), fields.key(email)
    paid = limits.count_guess(account, email)
    tries = _count_try(purpose, subject)
    held = one_time.hold_code(purpose, subject, code, CODE_LIFETIME) if tries <= WRONG_CODES else None
    if held is None or not paid:
        wrong = LinkInvalid().recorded("code.failed", user_id=account.id if account else None)
        raise wrong.then(lambda: _end_after(tries, purpose, subject))
    return held


def _count_try(purpose: str, subject: str) -> int:
    """Count one try, by itself. A row is written in any case, so that its time tells nothing."""
    time = now()
    values = {"subject": _tries_of(purpose, subject), "now": time, "past": time - CODE_LIFETIME}
    rows = database.alone(database.by_dialect(_counting), values)
    return int(rows[0].guesses) if rows else WRONG_CODES + 1


def _end_after(tries: int, purpose: str, subject: str) -> None:
    """End the letter with its last wrong code. What comes later was not looked at, and may race with a right one."""
    if tries == WRONG_CODES:
        one_time.void(purpose, subject=subject)


def _tries_of(purpose: str, subject: str) -> str:
    return "code:" + crypto.keyed_hash(f"tries at {purpose}", subject)[:48]


def _counting(insert: Any) -> Any:
    first = insert(Attempt).values(subject=bindparam("subject"), guesses=1, in_a_row=1, last_guess_at=bindparam("now"))
    return first.on_conflict_do_update(
        index_elements=[Attempt.subject],
        # What was tried before the code that is alive now was made counts no more.
        set_={
            "guesses": case((Attempt.last_guess_at <= bindparam("past", type_=Moment), 1), else_=Attempt.guesses + 1),
            "last_guess_at": bindparam("now"),
        },
    ).returning(Attempt.guesses)
