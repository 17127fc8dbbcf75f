"""What every answer carries, whatever made it: security headers, the request id, CORS for the exact origins allowed.

They are appended to the finished header list below Flask: there no answer can miss them, and it costs a tenth.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from auth.events import REQUEST_ID
from config import Settings

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

POLICY = "Content-Security-Policy"
API_POLICY = (
    POLICY,
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'",
)
HARDENING = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
HSTS = ("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
CORS_ALLOWED = [
    ("Access-Control-Allow-Credentials", "true"),
    (
        "Access-Control-Expose-Headers",
        "X-Request-Id, X-Device-Token, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset",
    ),
]
CORS_PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Auth-Transport, X-CSRF-Token, X-Device-Token"),
    ("Access-Control-Max-Age", "600"),
]


def init_app(app: Flask, settings: Settings) -> None:
    """Add the headers to every answer, errors included."""
    always = [*HARDENING, *([HSTS] if settings.secure_cookies else [])]
    origins = frozenset(settings.cors_origins)
    inner = app.wsgi_app

    def hardened(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request_id = environ[REQUEST_ID] = os.urandom(12).hex()

        def start(status: str, headers: Headers, *exc_info: Any) -> Any:
            headers += always
            headers.append(("X-Request-Id", request_id))
            if POLICY not in dict(headers):
                headers.append(API_POLICY)
            if origins:
                headers += _cors(environ, origins)
            return start_response(status, headers, *exc_info)

        return inner(environ, start)

    app.wsgi_app = hardened  # type: ignore[method-assign]


def _cors(environ: Environ, origins: frozenset[str]) -> Headers:
    vary = ("Vary", "Origin")
    origin = environ.get("HTTP_ORIGIN")
    if origin not in origins:
        return [vary]
    preflight = CORS_PREFLIGHT if environ["REQUEST_METHOD"] == "OPTIONS" else []
    return [vary, ("Access-Control-Allow-Origin", origin), *CORS_ALLOWED, *preflight]
