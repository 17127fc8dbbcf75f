"""Verify Gatehouse access tokens offline: `Verifier(issuer).verify(token)` returns the claims or raises `Refused`."""

from .problems import Refused, Stale, TokenExpired, TokenInvalid, TokenMissing, TokenRevoked
from .verifier import Claims, Verifier

__all__ = ["Claims", "Refused", "Stale", "TokenExpired", "TokenInvalid", "TokenMissing", "TokenRevoked", "Verifier"]
