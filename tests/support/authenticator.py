"""A software authenticator: keys, attestations and assertions as a real one makes them (WebAuthn Level 3, section 6).

Each part of an answer can be replaced before it is signed, or after, as somebody who tampers would do.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN = "http://localhost:8000"
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
AAGUID = bytes.fromhex("00112233445566778899aabbccddeeff")

Change = Callable[[Any], Any]


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bytes of base64url."""
    return urlsafe_b64decode(text + "==")


def make_key(algorithm: str) -> Any:
    """A private key for one of the algorithms that the service offers."""
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def cose(private: Any) -> dict[int, Any]:
    """The public key as a COSE_Key (RFC 9053)."""
    public = private.public_key()
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
    numbers = public.public_numbers()
    if isinstance(private, rsa.RSAPrivateKey):
        length = (numbers.n.bit_length() + 7) // 8
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(length), -2: numbers.e.to_bytes(3)}
    return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}


def sign(private: Any, message: bytes) -> bytes:
    """The signature that goes with the algorithm of the key."""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(message)
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(message, padding.PKCS1v15(), SHA256())
    return private.sign(message, ec.ECDSA(SHA256()))


@dataclass
class Kept:
    """A credential in the authenticator."""

    rp_id: str
    private: Any
    user_handle: str
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 0


@dataclass
class Tampering:
    """What somebody changes on the way. What is named `signed_*` is changed after the signature was made."""

    client_data: dict[str, Any] = field(default_factory=dict)
    rp_id: str | None = None
    flags: Change = lambda flags: flags
    key: Change = lambda key: key
    auth_data: Change = lambda data: data
    attestation: Change = lambda attestation: attestation
    signed_client_data: Change = lambda data: data
    signed_auth_data: Change = lambda data: data
    signature: Change = lambda signature: signature
    credential: Change = lambda credential: credential


@dataclass
class Authenticator:
    """One authenticator in the browser of one person, on a page of `origin`."""

    origin: str = ORIGIN
    algorithm: str = "ES256"
    verifies: bool = True
    synced: bool = False
    counts: bool = True
    kept: list[Kept] = field(default_factory=list)

    def create(self, options: dict[str, Any], tampering: Tampering | None = None) -> dict[str, Any]:
        """The answer of `navigator.credentials.create()`, as JSON; the credential is kept."""
        changed = tampering or Tampering()
        excluded = {entry["id"] for entry in options["excludeCredentials"]}
        assert not excluded & {encoded(kept.id) for kept in self.kept}, "InvalidStateError: it is registered here"
        made = Kept(options["rp"]["id"], make_key(self.algorithm), options["user"]["id"])
        self.kept.append(made)
        public = changed.key(cbor2.dumps(cose(made.private)))
        attested = AAGUID + len(made.id).to_bytes(2) + made.id + public
        client_data = self._client_data("webauthn.create", options["challenge"], changed)
        auth_data = changed.auth_data(self._auth_data(made, changed, AT) + attested)
        attestation = changed.attestation({"fmt": "none", "attStmt": {}, "authData": auth_data})
        response = {
            "clientDataJSON": encoded(client_data),
            "attestationObject": encoded(cbor2.dumps(attestation)),
            "transports": ["internal", "hybrid"],
        }
        return changed.credential(_credential(made, response))

    def get(
        self, options: dict[str, Any], tampering: Tampering | None = None, use: Kept | None = None
    ) -> dict[str, Any]:
        """The answer of `navigator.credentials.get()`, as JSON."""
        changed = tampering or Tampering()
        made = use or self._chosen(options)
        made.count += self.counts
        client_data = self._client_data("webauthn.get", options["challenge"], changed)
        auth_data = changed.auth_data(self._auth_data(made, changed, 0))
        signature = sign(made.private, auth_data + hashlib.sha256(client_data).digest())
        response = {
            "clientDataJSON": encoded(changed.signed_client_data(client_data)),
            "authenticatorData": encoded(changed.signed_auth_data(auth_data)),
            "signature": encoded(changed.signature(signature)),
            "userHandle": made.user_handle,
        }
        return changed.credential(_credential(made, response))

    def _chosen(self, options: dict[str, Any]) -> Kept:
        allowed = {entry["id"] for entry in options["allowCredentials"]}
        mine = [kept for kept in self.kept if kept.rp_id == options["rpId"]]
        return next(kept for kept in mine if not allowed or encoded(kept.id) in allowed)

    def _client_data(self, kind: str, challenge: str, changed: Tampering) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**said, **changed.client_data}).encode()

    def _auth_data(self, made: Kept, changed: Tampering, further: int) -> bytes:
        flags = UP | (UV if self.verifies else 0) | (BE | BS if self.synced else 0) | further
        rp_id = changed.rp_id or made.rp_id
        return hashlib.sha256(rp_id.encode()).digest() + bytes([changed.flags(flags)]) + made.count.to_bytes(4)


def _credential(made: Kept, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": encoded(made.id),
        "rawId": encoded(made.id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    }
