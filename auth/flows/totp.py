"""Authenticator apps (RFC 6238): enrol one, confirm it by a first code, remove them."""

from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field

from auth import access, crypto, limits, sessions
from auth.endpoint import endpoint
from auth.factors import authenticators, enrolled, totp
from auth.factors.forms import RecoveryCodes
from auth.fields import Answer, Body, Code, Name
from auth.problems import (
    AccountLocked,
    CodeInvalid,
    EmailNotVerified,
    FreshTokenRequired,
    LastFactor,
    NotFound,
    TooManyFactors,
)
from config import settings

bp = Blueprint("totp", __name__)


class Enrolment(Body):
    """What the person calls the app or the phone it is on."""

    name: Name = "Authenticator app"


class Enrolled(Answer):
    """What the app takes in, by scanning or by typing; shown once."""

    id: int
    name: str
    secret: Annotated[str, Field(examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])]
    otpauth_uri: str
    qr_svg: str


class FirstCode(Body):
    """The code that the app shows now."""

    code: Code


@endpoint(
    bp, "POST", "/auth/mfa/totp/enroll", body=Enrolment, returns=Enrolled, status=201, auth="fresh", enrolling=True,
    errors=(FreshTokenRequired, EmailNotVerified, TooManyFactors),
)  # fmt: skip
def enroll_totp(body: Enrolment) -> dict[str, Any]:
    """Begin with an authenticator app. It counts only once it is confirmed; beginning again forgets the first try."""
    account = access.account()
    access.check_no_lesser()
    enrolled.check_may_enrol(account)
    secret = totp.new_secret()
    made = authenticators.enrol(account.id, enrolled.TOTP, body.name, secret)
    uri = totp.uri(secret, account.username, settings().service_name)
    return {"id": made, "name": body.name, "secret": secret, "otpauth_uri": uri, "qr_svg": totp.qr_svg(uri)}


@endpoint(
    bp, "POST", "/auth/mfa/totp/confirm", body=FirstCode, returns=RecoveryCodes, auth="fresh", enrolling=True,
    errors=(FreshTokenRequired, CodeInvalid, AccountLocked),
)  # fmt: skip
def confirm_totp(body: FirstCode) -> dict[str, Any]:
    """Put the app in force by a code of it. That code's time step is used up: the next sign-in needs a later one."""
    access.check_no_lesser()
    limits.count_own_guess(access.account())
    access.hold()
    row = authenticators.waiting(access.user_id(), enrolled.TOTP)
    secret = authenticators.secret_of(row) if row else None
    step = totp.step_of(secret, crypto.tidy_code(body.code)) if secret else None
    codes = authenticators.confirm(row, step) if step is not None else None
    if codes is None:
        raise CodeInvalid
    return {"recovery_codes": codes}


@endpoint(
    bp, "DELETE", "/auth/mfa/totp", status=204, auth="fresh", errors=(FreshTokenRequired, NotFound, LastFactor)
)  # fmt: skip
def remove_totp() -> None:
    """Remove every authenticator app. Needs a session begun with one, or with a recovery code; other sessions end."""
    if not authenticators.in_force(access.user_id(), enrolled.TOTP):
        raise NotFound
    access.check_factor(enrolled.TOTP)
    if not authenticators.remove(access.account(), enrolled.TOTP):
        raise NotFound
    sessions.revoke_all(access.user_id(), "factor removed", keep=access.session_id())
