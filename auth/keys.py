"""The keys that sign tokens: made, kept encrypted, published (RFC 7517), rotated without a restart.

One key signs; those before it verify until the last token they signed has expired. Every worker looks at the table
again within RELOAD_SECONDS, and at once when a token names a key it has not seen. A new key is published first and
signs PUBLISHED_SECONDS later, when everybody who verifies has seen it: the last worker publishes it after
RELOAD_SECONDS, a cache may give out what it kept until then for CACHED_SECONDS more, and verifiers ask every
ASKED_SECONDS. So it signs within a minute of the rotation on every worker.
"""

import base64
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from flask import Flask, current_app
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from sqlalchemy import or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from auth import crypto, database
from config import settings
from models import SigningKey, now

RELOAD_SECONDS = 10
CACHED_SECONDS = 15
ASKED_SECONDS = 15
# Five seconds are left for clocks that differ and answers that take their time, here and until the minute is over.
PUBLISHED_SECONDS = RELOAD_SECONDS + CACHED_SECONDS + ASKED_SECONDS + 5
UNKNOWN_KEY_SECONDS = 1
# Tokens of a key that was replaced are made until every worker has moved on.
OVERLAP_SECONDS = 60
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
    """The keys in force: the one that signs, and all that verify by their id, the newest last.

    `verified` holds the claims of tokens that are right under these keys, and goes with them when they change.
    """

    signing: Key
    verifying: dict[str, Key]
    verified: dict[str, bytes] = field(default_factory=dict)

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
    if found is None:
        _take(keys)
    elif time.monotonic() - keys.read_at < RELOAD_SECONDS or not keys.lock.acquire(blocking=False):
        # While another thread reads, the others go on with what is known: they may hold what it needs.
        return found
    return _reload(keys, RELOAD_SECONDS)


def find(kid: object) -> Key | None:
    """The key with this id; the table is read again, at most once a second, when it is not among those known."""
    keys: Keys = current_app.extensions["gatehouse.keys"]
    if not isinstance(kid, str):
        return None
    found = current().verifying.get(kid)
    if found is None:
        _take(keys)
        found = _reload(keys, UNKNOWN_KEY_SECONDS).verifying.get(kid)
    return found


def rotate() -> str:
    """Put a new key in the place of the one that signs; its id. Old tokens stay valid until they expire."""
    lifetime = max(settings().refresh_token_seconds, settings().access_token_seconds) + OVERLAP_SECONDS
    until = now() + timedelta(seconds=lifetime)
    with database.apart():
        database.execute(update(SigningKey).where(SigningKey.current == 1).values(current=None, verify_until=until))
        _insert_current()
        kid: str = database.execute(select(SigningKey.kid).where(SigningKey.current == 1)).scalar_one()
    current_app.extensions["gatehouse.keys"].reset()
    return kid


def ensure() -> None:
    """Have a key that signs with the algorithm that is set."""
    newest = list(current().verifying.values())[-1]
    if newest.algorithm != settings().jwt_algorithm:
        rotate()


def init_app(app: Flask) -> None:
    """Keep a place for the key set; it is read at the first use."""
    app.extensions["gatehouse.keys"] = Keys()


def _take(keys: Keys) -> None:
    """Wait for the lock, and hold no connection meanwhile: whoever has the lock may be in need of one."""
    unit = database.begun()
    if unit is not None and not unit.writing:
        database.release()
    keys.lock.acquire()


def _reload(keys: Keys, oldest: float) -> KeySet:
    """Read the table, unless that was done within the last `oldest` seconds, and give back the lock that was taken."""
    try:
        found = keys.set
        if found is None or time.monotonic() - keys.read_at >= oldest:
            found = keys.set = _read(found)
            keys.read_at = time.monotonic()
        return found
    finally:
        keys.lock.release()


def _read(known: KeySet | None) -> KeySet:
    try:
        return _key_set(_rows(), known)
    except SQLAlchemyError:
        # While the database is away other services go on verifying with the keys they find published here.
        if known is None or database.current().writing:
            raise
        database.release()
        return known


def _key_set(rows: Any, known: KeySet | None) -> KeySet:
    """The key set of these rows; the very one that is known when nothing has changed."""
    opened = known.verifying if known else {}
    verifying = {row.kid: opened.get(row.kid) or _open(row) for row in rows}
    signing = verifying[_signing(rows)]
    if known and known.verifying.keys() == verifying.keys() and known.signing is signing:
        return known
    current_app.config["JWT_ALGORITHM"] = signing.algorithm
    current_app.config["JWT_DECODE_ALGORITHMS"] = sorted({key.algorithm for key in verifying.values()})
    return KeySet(signing, verifying)


def _signing(rows: Any) -> str:
    """The id of the newest key that has been published for long enough, or of the oldest when none has."""
    latest = now() - timedelta(seconds=PUBLISHED_SECONDS)
    seen = [row.kid for row in rows if row.created_at <= latest]
    kid: str = seen[-1] if seen else rows[0].kid
    return kid


def _rows() -> Any:
    """The keys in force, the newest last; makes the first of an empty table."""
    in_force = or_(SigningKey.current == 1, SigningKey.verify_until > now())
    order = (SigningKey.current.nulls_first(), SigningKey.created_at)
    newest_last = select(SigningKey.__table__).where(in_force).order_by(*order)
    rows = database.execute(newest_last).all()
    if rows and rows[-1].current:
        return rows
    with database.apart():
        _insert_current()
    return database.execute(newest_last).all()


def _insert_current() -> None:
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
