"""One's own passkeys (WebAuthn Level 3): register, list, rename, remove."""

from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint
from pydantic import ConfigDict, Field

from auth import access, events, paging, sessions
from auth.endpoint import endpoint
from auth.factors import enrolled, passkeys
from auth.factors.forms import Credential
from auth.fields import Answer, Body, Name
from auth.paging import Page
from auth.problems import EmailNotVerified, FreshTokenRequired, LastFactor, NotFound, PasskeyInvalid, TooManyFactors

bp = Blueprint("passkeys", __name__)


class RegistrationOptions(Answer):
    """What `PublicKeyCredential.parseCreationOptionsFromJSON()` takes (WebAuthn section 5.1.9)."""

    rp: dict[str, str]
    user: dict[str, str]
    challenge: str
    parameters: Annotated[list[dict[str, Any]], Field(alias="pubKeyCredParams")]
    timeout: int
    exclude: Annotated[list[dict[str, Any]], Field(alias="excludeCredentials")]
    selection: Annotated[dict[str, Any], Field(alias="authenticatorSelection")]
    attestation: str


class Registration(Body):
    """The answer of `navigator.credentials.create()`, as its `toJSON()` gives it, and a name for the passkey."""

    credential: Credential
    name: Name = "Passkey"


class NewName(Body):
    """What the passkey shall be called."""

    name: Name


class PasskeyAnswer(Answer):
    """A passkey; `backed_up` says whether it outlives the device, `synced` whether it may be on several.

    With `disowned_at` it was enrolled in a time of which the person has said "not me": it is a second factor only.
    """

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None
    disowned_at: datetime | None
    synced: Annotated[bool, Field(validation_alias="backup_eligible")]
    backed_up: bool
    transports: list[str]
    aaguid: str


class RegisteredPasskey(PasskeyAnswer):
    """The new passkey, with recovery codes if it is the first second factor; they are shown this once."""

    recovery_codes: list[str]


@endpoint(
    bp, "POST", "/auth/passkeys/register/options", returns=RegistrationOptions, auth="fresh", enrolling=True,
    errors=(FreshTokenRequired, EmailNotVerified),
)  # fmt: skip
def begin_passkey() -> dict[str, Any]:
    """Begin to register a passkey: the options for the browser, good for five minutes and one answer."""
    account = access.account()
    access.check_no_lesser()
    enrolled.check_may_enrol(account)
    return passkeys.begin_registration(account)


@endpoint(
    bp, "POST", "/auth/passkeys/register/verify", body=Registration, returns=RegisteredPasskey, status=201,
    auth="fresh", enrolling=True, errors=(FreshTokenRequired, PasskeyInvalid, TooManyFactors),
)  # fmt: skip
def register_passkey(body: Registration) -> dict[str, Any]:
    """Register the passkey that the browser made. It signs in by itself, and is a second factor beside a password."""
    access.check_no_lesser()
    made = passkeys.attest(access.account(), body.credential)
    access.hold()
    row, codes = passkeys.register(made, body.name)
    return {**_show(row), "recovery_codes": codes}


@endpoint(
    bp, "GET", "/auth/passkeys", query=Page, returns=paging.page_of(PasskeyAnswer), auth="access", enrolling=True
)  # fmt: skip
def list_passkeys(query: Page) -> dict[str, Any]:
    """The person's passkeys, oldest first."""
    after = query.number() or 0
    rows = [row for row in passkeys.of(access.user_id()) if row.id > after]
    return paging.page(rows, query.limit, _show, lambda row: (row.created_at, row.id))


@endpoint(
    bp, "PATCH", "/auth/passkeys/<int:number>", body=NewName, returns=PasskeyAnswer, auth="access", errors=(NotFound,)
)  # fmt: skip
def rename_passkey(number: int, body: NewName) -> dict[str, Any]:
    """Give a passkey another name."""
    row = passkeys.rename(access.user_id(), number, body.name)
    if row is None:
        raise NotFound
    events.record("factor.renamed", access.user_id(), access.session_id(), kind=enrolled.PASSKEY)
    return _show(row)


@endpoint(
    bp, "DELETE", "/auth/passkeys/<int:number>", status=204, auth="fresh",
    errors=(FreshTokenRequired, NotFound, LastFactor),
)  # fmt: skip
def remove_passkey(number: int) -> None:
    """Remove a passkey. Needs a session begun with a passkey, or with a recovery code; other sessions end."""
    if number not in [row.id for row in passkeys.of(access.user_id())]:
        raise NotFound
    access.check_factor(enrolled.PASSKEY)
    if not passkeys.remove(access.account(), number):
        raise NotFound
    sessions.revoke_all(access.user_id(), "factor removed", keep=access.session_id())


def _show(row: Any) -> dict[str, Any]:
    return PasskeyAnswer.model_validate(row).model_dump()
