"""The keys that sign tokens: made, kept encrypted, published (RFC 7517), rotated without a restart.

One key signs; those before it verify until the last token they signed has expired. Every worker looks at the table
again within RELOAD_SECONDS, and at once when a token names a key it has not seen.
"""

import base64
import json
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from flask import Flask, current_app
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from sqlalchemy import or_, select, update

from auth import crypto, database
from config import settings
from models import SigningKey, now

RELOAD_SECONDS = 20
UNKNOWN_KEY_SECONDS = 1
PURPOSE = "signing keys"


@dataclass(frozen=True, slots=True)
class Key:
    """One key; `private` signs and `public` verifies, with one algorithm only (RFC 8725 section 3.1)."""

    kid: str
    algorithm: str
    private: Any
    public: Any
    jwk: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys in force: the one that signs, and all that verify by their id."""

    signing: Key
    verifying: dict[str, Key]

    def published(self) -> dict[str, list[dict[str, str]]]:
        """The JWK set (RFC 7517): public parts only, a symmetric key never."""
        return {"keys": [key.jwk for key in self.verifying.values() if key.jwk]}


class Keys:
    """The key set of one application in one process, and when it was read."""

    def __init__(self) -> None:
        self.set: KeySet | None = None
        self.read_at = 0.0
        self.lock = threading.Lock()

    def reset(self) -> None:
        """Read the table again at the next use."""
        self.set, self.read_at = None, 0.0


def current() -> KeySet:
    """The key set, at most RELOAD_SECONDS old. Makes the first key of an empty database."""
    keys: Keys = current_app.extensions["gatehouse.keys"]
    found = keys.set
    if found is not None and time.monotonic() - keys.read_at < RELOAD_SECONDS:
        return found
    return _reload(keys)


def find(kid: object) -> Key | None:
    """The key with this id; the table is read again, at most once a second, when it is not among those known."""
    keys: Keys = current_app.extensions["gatehouse.keys"]
    if not isinstance(kid, str):
        return None
    found = current().verifying.get(kid)
    if found is None and time.monotonic() - keys.read_at > UNKNOWN_KEY_SECONDS:
        found = _reload(keys).verifying.get(kid)
    return found


def rotate() -> str:
    """Put a new key in the place of the one that signs; its id. Old tokens stay valid until they expire."""
    lifetime = timedelta(seconds=max(settings().refresh_token_seconds, settings().access_token_seconds))
    retire = update(SigningKey).where(SigningKey.current == 1).values(current=None, verify_until=now() + lifetime)
    with database.apart():
        database.execute(retire)
        kid = _insert_current()
    current_app.extensions["gatehouse.keys"].reset()
    return kid


def ensure() -> None:
    """Have a key that signs with the algorithm that is set."""
    if current().signing.algorithm != settings().jwt_algorithm:
        rotate()


def init_app(app: Flask) -> None:
    """Keep a place for the key set; it is read at the first use."""
    app.extensions["gatehouse.keys"] = Keys()


def _reload(keys: Keys) -> KeySet:
    with keys.lock:
        rows = _rows()
        if not any(row.current for row in rows):
            with database.apart():
                _insert_current()
            rows = _rows()
        known = keys.set.verifying if keys.set else {}
        verifying = {row.kid: known.get(row.kid) or _open(row) for row in rows}
        signing = next(verifying[row.kid] for row in rows if row.current)
        if keys.set is None or keys.set.verifying.keys() != verifying.keys() or keys.set.signing.kid != signing.kid:
            keys.set = KeySet(signing, verifying)
            current_app.config["JWT_ALGORITHM"] = signing.algorithm
            current_app.config["JWT_DECODE_ALGORITHMS"] = sorted({key.algorithm for key in verifying.values()})
        keys.read_at = time.monotonic()
        return keys.set


def _rows() -> Any:
    in_force = or_(SigningKey.current == 1, SigningKey.verify_until > now())
    return database.execute(select(SigningKey.__table__).where(in_force).order_by(SigningKey.created_at)).all()


def _insert_current() -> str:
    """Store a new key; when another worker was quicker, nothing happens."""
    algorithm = settings().jwt_algorithm
    private = _generate(algorithm)
    jwk = _jwk(algorithm, private)
    kid = _thumbprint(jwk) if jwk else secrets.token_urlsafe(32)
    row = {
        "kid": kid,
        "algorithm": algorithm,
        "private_key": crypto.encrypt(PURPOSE, _serialise(private), kid),
        "public_jwk": jwk and {**jwk, "kid": kid, "use": "sig", "alg": algorithm},
        "current": 1,
        "created_at": now(),
    }
    database.execute(database.by_dialect(lambda insert: insert(SigningKey).on_conflict_do_nothing()), row)
    return kid


def _generate(algorithm: str) -> Any:
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return secrets.token_bytes(64)


def _serialise(private: Any) -> bytes:
    if isinstance(private, bytes):
        return private
    encoding, form = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
    der: bytes = private.private_bytes(encoding, form, serialization.NoEncryption())
    return der


def _open(row: Any) -> Key:
    plain = crypto.decrypt(PURPOSE, row.private_key, row.kid)
    private: Any = plain if row.algorithm == "HS256" else serialization.load_der_private_key(plain, None)
    public = plain if row.algorithm == "HS256" else private.public_key()
    return Key(row.kid, row.algorithm, private, public, row.public_jwk)


def _jwk(algorithm: str, private: Any) -> dict[str, str] | None:
    """The public JWK with the members that RFC 7638 hashes, and no others."""
    if algorithm == "HS256":
        return None
    family = {"EdDSA": OKPAlgorithm, "ES256": ECAlgorithm, "RS256": RSAAlgorithm}[algorithm]
    members = {"EdDSA": ("crv", "kty", "x"), "ES256": ("crv", "kty", "x", "y"), "RS256": ("e", "kty", "n")}[algorithm]
    jwk: dict[str, str] = family.to_jwk(private.public_key(), as_dict=True)  # type: ignore[attr-defined]
    return {name: jwk[name] for name in members}


def _thumbprint(jwk: dict[str, str]) -> str:
    """The id of a key is its thumbprint (RFC 7638): it cannot name another key, and stays what it is."""
    digest = Hash(SHA256())
    digest.update(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode())
    return base64.urlsafe_b64encode(digest.finalize()).rstrip(b"=").decode()
