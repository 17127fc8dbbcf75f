"""What the ceremonies of passkeys tell of a credential (WebAuthn Level 3, section 4), and their refusal."""

from dataclasses import dataclass


class Refused(Exception):
    """The answer of a ceremony is not what it must be."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A new credential record (WebAuthn section 4)."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]
    aaguid: str
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True)
class Asserted:
    """What an assertion says of its credential."""

    sign_count: int
    backed_up: bool
