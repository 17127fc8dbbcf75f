"""How a route is opened: the security schemes of the document, and the ways that each kind of authentication allows."""

from typing import Any

from auth.endpoint import Endpoint
from auth.openapi.refusals import SAFE_METHODS

SCHEMES: dict[str, Any] = {
    "accessToken": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "The access token (RFC 6750, RFC 9068).",
    },
    "refreshToken": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "The refresh token: it opens refresh and logout, nothing else.",
    },
    "accessCookie": {
        "type": "apiKey", "in": "cookie", "name": "__Host-access_token",
        "description": "The access token of a browser; `access_token` while PUBLIC_URL is plain http.",
    },
    "refreshCookie": {
        "type": "apiKey", "in": "cookie", "name": "__Secure-refresh_token",
        "description": "The refresh token of a browser; `refresh_token` while PUBLIC_URL is plain http.",
    },
    "csrfToken": {
        "type": "apiKey", "in": "header", "name": "X-CSRF-Token",
        "description": "The `csrf_token` of the sign-in; it goes with every unsafe request by cookie.",
    },
}  # fmt: skip

# The header and the cookie of each kind; a token in the body, or none, is the empty way.
WAYS: dict[str, tuple[tuple[str, str], ...]] = {
    "access": (("accessToken", "accessCookie"),),
    "fresh": (("accessToken", "accessCookie"),),
    "optional": (("accessToken", "accessCookie"),),
    "refresh": (("refreshToken", "refreshCookie"),),
    "session": (("accessToken", "accessCookie"), ("refreshToken", "refreshCookie")),
}


def ways(told: Endpoint) -> list[dict[str, list[str]]]:
    """The alternatives that open a route; none of them for an open route."""
    if told.auth is None:
        return []
    found: list[dict[str, list[str]]] = []
    for header, cookie in WAYS[told.auth]:
        forgery: dict[str, list[str]] = {} if told.method in SAFE_METHODS else {"csrfToken": []}
        found += [{header: []}, {cookie: [], **forgery}]
    in_body = told.body is not None and "refresh_token" in told.body.model_fields
    return [*found, {}] if told.auth == "optional" or in_body else found
