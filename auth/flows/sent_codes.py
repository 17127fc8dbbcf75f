"""Codes by SMS or by mail as a second factor.

Without a sender of short messages the one is not offered, and where mail is no way in the other is not.
"""

from typing import Any

from flask import Blueprint

from auth import access, limits, users
from auth.endpoint import endpoint
from auth.factors import authenticators, codes, enrolled, pending, proof
from auth.factors.forms import Phone, RecoveryCodes
from auth.fields import Body, Code, Message, Name, Secret
from auth.problems import (
    AccountLocked,
    CodeInvalid,
    EmailNotVerified,
    FactorUnavailable,
    FreshTokenRequired,
    TokenMissing,
    TooManyFactors,
)
from auth.users import Account

bp = Blueprint("sent_codes", __name__)

SENT = {"message": "A code is on its way"}
ENROLLING = (FreshTokenRequired, EmailNotVerified, FactorUnavailable, TooManyFactors)


class PhoneEnrolment(Body):
    """The number, and what the person calls the phone."""

    phone: Phone
    name: Name = "Phone"


class MailEnrolment(Body):
    """What the person calls the mailbox of the account; there is no other."""

    name: Name = "Mailbox"


class SentCode(Body):
    """The code that was sent."""

    code: Code


class Challenge(Body):
    """The `mfa_token` of a sign-in that waits; nothing within a session, to prove oneself again."""

    mfa_token: Secret | None = None


@endpoint(
    bp, "POST", "/auth/mfa/sms/enroll", body=PhoneEnrolment, returns=Message, status=202, auth="fresh", limit="code",
    errors=ENROLLING, enrolling=True,
)  # fmt: skip
def enroll_sms(body: PhoneEnrolment) -> dict[str, Any]:
    """Begin with a phone: a code is sent to it. It counts only once that code is confirmed."""
    return _enrol(enrolled.SMS, body.name, body.phone)


@endpoint(
    bp, "POST", "/auth/mfa/email/enroll", body=MailEnrolment, returns=Message, status=202, auth="fresh", limit="code",
    errors=ENROLLING, enrolling=True,
)  # fmt: skip
def enroll_email(body: MailEnrolment) -> dict[str, Any]:
    """Begin with codes by mail: one is sent to the address of the account. It counts only once that is confirmed."""
    return _enrol(enrolled.EMAIL, body.name, access.account().email)


@endpoint(
    bp, "POST", "/auth/mfa/sms/confirm", body=SentCode, returns=RecoveryCodes, auth="fresh", limit="login",
    errors=(FreshTokenRequired, CodeInvalid, AccountLocked), enrolling=True,
)  # fmt: skip
def confirm_sms(body: SentCode) -> dict[str, Any]:
    """Put the phone in force by the code that was sent to it."""
    return _confirm(enrolled.SMS, body.code)


@endpoint(
    bp, "POST", "/auth/mfa/email/confirm", body=SentCode, returns=RecoveryCodes, auth="fresh", limit="login",
    errors=(FreshTokenRequired, CodeInvalid, AccountLocked), enrolling=True,
)  # fmt: skip
def confirm_email(body: SentCode) -> dict[str, Any]:
    """Put codes by mail in force by the code that was sent."""
    return _confirm(enrolled.EMAIL, body.code)


@endpoint(
    bp, "POST", "/auth/mfa/sms/challenge", body=Challenge, returns=Message, status=202, auth="optional", limit="code",
    errors=(CodeInvalid, FactorUnavailable, TokenMissing), enrolling=True,
)  # fmt: skip
def challenge_sms(body: Challenge) -> dict[str, Any]:
    """Have a code sent to the phone, for the sign-in that waits or for proving oneself again."""
    return _challenge(enrolled.SMS, body)


@endpoint(
    bp, "POST", "/auth/mfa/email/challenge", body=Challenge, returns=Message, status=202, auth="optional", limit="code",
    errors=(CodeInvalid, FactorUnavailable, TokenMissing), enrolling=True,
)  # fmt: skip
def challenge_email(body: Challenge) -> dict[str, Any]:
    """Have a code sent by mail, for the sign-in that waits or for proving oneself again."""
    return _challenge(enrolled.EMAIL, body)


def _enrol(kind: str, name: str, number: str) -> dict[str, Any]:
    codes.check_offered(kind)
    account = access.account()
    access.check_no_lesser()
    enrolled.check_may_enrol(account)
    codes.enrol(account, kind, name, number)
    return SENT


def _confirm(kind: str, code: str) -> dict[str, Any]:
    access.check_no_lesser()
    limits.count_own_guess(access.account())
    right = codes.spend(kind, access.user_id(), codes.ENROLMENT, code)
    access.hold()
    row = authenticators.waiting(access.user_id(), kind)
    confirmed = authenticators.confirm(row) if right and row else None
    if confirmed is None:
        raise CodeInvalid
    return {"recovery_codes": confirmed}


def _challenge(kind: str, body: Challenge) -> dict[str, Any]:
    if body.mfa_token is not None:
        waiting = pending.find(body.mfa_token)
        _send(users.get(waiting.user_id), kind, waiting.scope, waiting.amr)
    elif "sub" in access.claims():
        _send(access.account(), kind, proof.of_session(access.session_id()), access.claims()["amr"])
    else:
        raise TokenMissing
    return SENT


def _send(account: Account | None, kind: str, scope: str, amr: list[str]) -> None:
    if account is None:
        raise CodeInvalid
    limits.check_person("code", f"user {account.id}")
    codes.send(account, kind, scope, amr)
