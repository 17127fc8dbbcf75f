"""Random secrets, hashes of secrets, encryption at rest, and one key for each purpose.

Every key is derived from SECRET_KEY by HKDF (RFC 5869) with the purpose as its information, so that what was made for
one purpose is worth nothing for another. The newest secret key signs and encrypts; earlier ones still verify.
"""

import hashlib
import hmac
import os
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from config import settings

# Crockford's base 32 without I, L, O and U: nothing in a code can be misread.
CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 8
NONCE_BYTES = 12
TAG_BYTES = 32


class Undecryptable(Exception):
    """The ciphertext was changed, belongs elsewhere, or its key is gone."""


def random_secret() -> str:
    """256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def random_id() -> str:
    """128 random bits as 22 URL-safe characters, for identifiers that must not be guessed."""
    return secrets.token_urlsafe(16)


def random_code(length: int = CODE_LENGTH) -> str:
    """A code that a person types: 5 random bits a character."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(length))


def random_digits(length: int) -> str:
    """A code of digits alone: 3.3 random bits a digit."""
    return f"{secrets.randbelow(10**length):0{length}}"


def tidy_code(typed: str) -> str:
    """A typed code in the form it was made in: upper case, no spaces or dashes, look-alikes resolved."""
    return typed.upper().translate(str.maketrans("OIL", "011", " -"))


def hash_secret(secret: str) -> str:
    """SHA-256 of a secret with at least 112 random bits, in hex: such secrets need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def keyed_hash(purpose: str, text: str) -> str:
    """HMAC-SHA-256 of `text` in hex: an index for what must not be readable, a proof for what must not be forged."""
    return hmac.digest(_keys(purpose)[0], text.encode("utf-8", "surrogatepass"), "sha256").hex()


def keyed_hashes(purpose: str, text: str) -> list[str]:
    """The keyed hashes of `text` under the newest secret key and the earlier ones, to find what either has made."""
    message = text.encode("utf-8", "surrogatepass")
    return [hmac.digest(key, message, "sha256").hex() for key in _keys(purpose)]


def proves(purpose: str, text: str, proof: str) -> bool:
    """Whether `proof` is the keyed hash of `text` under the newest secret key or an earlier one."""
    return any(same(made, proof) for made in keyed_hashes(purpose, text))


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that tells nothing about them."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def encrypt(purpose: str, plaintext: bytes, bound_to: str = "") -> bytes:
    """AES-256-GCM under a fresh random nonce; opens only for the same purpose and the same `bound_to`."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(_keys(purpose)[0]).encrypt(nonce, plaintext, bound_to.encode())


def decrypt(purpose: str, ciphertext: bytes, bound_to: str = "") -> bytes:
    """The plaintext of `encrypt`; raises Undecryptable."""
    nonce, sealed = ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:]
    for key in _keys(purpose):
        try:
            return AESGCM(key).decrypt(nonce, sealed, bound_to.encode())
        except (InvalidTag, ValueError):
            continue
    raise Undecryptable(purpose)


def derive(purpose: str) -> bytes:
    """The newest 32-byte key of a purpose."""
    return _keys(purpose)[0]


def _keys(purpose: str) -> tuple[bytes, ...]:
    chosen = settings()
    return _derived(chosen.secret_key, chosen.secret_key_fallbacks, purpose)


@lru_cache(maxsize=256)
def _derived(newest: str, earlier: tuple[str, ...], purpose: str) -> tuple[bytes, ...]:
    return tuple(
        HKDF(SHA256(), TAG_BYTES, salt=b"gatehouse", info=purpose.encode()).derive(root.encode())
        for root in (newest, *earlier)
    )
