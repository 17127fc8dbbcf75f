"""The ceremonies of passkeys (WebAuthn Level 3, section 7): their options, and whether an answer is what it must be.

The package `webauthn` verifies; what it leaves to the relying party is checked here: no embedding in a foreign page,
the owner of the credential, the eligibility for backup staying what it was, and a key that can verify. Nothing is
stored here.
"""

import json
from collections.abc import Iterable
from typing import Any

import webauthn
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from auth.factors.credentials import Asserted, Refused, Registered
from config import settings

TIMEOUT_MILLISECONDS = 300_000
LONGEST_CREDENTIAL_ID = 1023
SMALLEST_RSA_BITS = 2048
TRANSPORTS = frozenset(transport.value for transport in AuthenticatorTransport)


def registration_options(name: str, handle: bytes, challenge: str, known: Iterable[Any]) -> dict[str, Any]:
    """What `navigator.credentials.create()` takes: a discoverable credential, no attestation, none that is known."""
    selection = AuthenticatorSelectionCriteria(
        resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
    )
    options = webauthn.generate_registration_options(
        rp_id=settings().relying_party,
        rp_name=settings().service_name,
        user_id=handle,
        user_name=name,
        challenge=base64url_to_bytes(challenge),
        timeout=TIMEOUT_MILLISECONDS,
        authenticator_selection=selection,
        exclude_credentials=_descriptors(known),
    )
    return options_to_json_dict(options)


def authentication_options(challenge: str, known: Iterable[Any], *, verified: bool) -> dict[str, Any]:
    """What `navigator.credentials.get()` takes; with no credential named, the authenticator offers its own."""
    wanted = UserVerificationRequirement.REQUIRED if verified else UserVerificationRequirement.DISCOURAGED
    options = webauthn.generate_authentication_options(
        rp_id=settings().relying_party,
        challenge=base64url_to_bytes(challenge),
        timeout=TIMEOUT_MILLISECONDS,
        allow_credentials=_descriptors(known),
        user_verification=wanted,
    )
    return options_to_json_dict(options)


def challenge_of(credential: dict[str, Any]) -> str:
    """The challenge that an answer says it answers; raises Refused."""
    try:
        return str(_client_data(credential)["challenge"])
    except Exception as error:
        raise Refused from error


def verify_registration(credential: dict[str, Any], challenge: str) -> Registered:
    """The new credential of an answer to `challenge`; raises Refused (WebAuthn section 7.1)."""
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=settings().relying_party,
            expected_origin=settings().ceremony_origins,
        )
        _check_embedding(credential)
        _check_key(made.credential_public_key)
    # Whatever a parser of hostile bytes raises, it is a refusal and not a fault of ours.
    except Exception as error:
        raise Refused from error
    if not 0 < len(made.credential_id) <= LONGEST_CREDENTIAL_ID:
        raise Refused
    transports = credential["response"].get("transports")
    return Registered(
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        transports=sorted(
            TRANSPORTS.intersection(filter(_is_text, transports if isinstance(transports, list) else ()))
        ),
        aaguid=made.aaguid,
        backup_eligible=made.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        backed_up=made.credential_backed_up,
    )


def credential_id(credential: dict[str, Any]) -> bytes:
    """The id of the credential that an assertion names; raises Refused."""
    try:
        return base64url_to_bytes(credential["id"])
    except Exception as error:
        raise Refused from error


def verify_authentication(credential: dict[str, Any], challenge: str, known: Any, *, verified: bool) -> Asserted:
    """What an assertion by the credential record `known` says; raises Refused (WebAuthn section 7.2).

    With `verified` the person must have proven themselves to the authenticator, and the authenticator must say whose
    credential it is: nobody has named the person before.
    """
    try:
        made = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=settings().relying_party,
            expected_origin=settings().ceremony_origins,
            credential_public_key=known.public_key,
            credential_current_sign_count=known.sign_count,
            require_user_verification=verified,
        )
        _check_embedding(credential)
        handle = credential["response"].get("userHandle")
        owner = base64url_to_bytes(handle) if handle else None
    # As above: hostile bytes may raise anything.
    except Exception as error:
        raise Refused from error
    eligible = made.credential_device_type == CredentialDeviceType.MULTI_DEVICE
    if owner not in (known.user_handle, None) or (verified and owner is None) or eligible != known.backup_eligible:
        raise Refused
    return Asserted(made.new_sign_count, made.credential_backed_up)


def _client_data(credential: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    return read


def _check_embedding(credential: dict[str, Any]) -> None:
    """No page of another origin may hold the page in which the ceremony runs."""
    client_data = _client_data(credential)
    if client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data:
        raise Refused


def _check_key(public_key: bytes) -> None:
    """A key that cannot verify, or only weakly, would be found out no earlier than at the first sign-in."""
    decoded = decode_credential_public_key(public_key)
    key = decoded_public_key_to_cryptography(decoded)
    fits = {
        COSEAlgorithmIdentifier.EDDSA: isinstance(key, Ed25519PublicKey),
        COSEAlgorithmIdentifier.ECDSA_SHA_256: isinstance(key, EllipticCurvePublicKey)
        and key.curve.name == "secp256r1",
        COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256: isinstance(key, RSAPublicKey)
        and key.key_size >= SMALLEST_RSA_BITS,
    }
    if not fits[decoded.alg]:
        raise Refused


def _descriptors(known: Iterable[Any]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=row.credential_id, transports=[AuthenticatorTransport(transport) for transport in row.transports]
        )
        for row in known
    ]


def _is_text(value: object) -> bool:
    return isinstance(value, str)
