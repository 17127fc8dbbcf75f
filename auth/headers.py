"""What every answer carries: the security headers, the request id, and CORS for the exact origins that are allowed."""

from flask import Flask, Response, request

from auth import events
from config import Settings, settings

API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
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
        "X-Request-Id, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset",
    ),
]
CORS_PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Auth-Transport, X-CSRF-Token"),
    ("Access-Control-Max-Age", "600"),
]


def init_app(app: Flask, chosen: Settings) -> None:
    """Add the headers to every answer, errors included."""
    always = [*HARDENING, *([HSTS] if chosen.secure_cookies else [])]

    @app.after_request
    def _add(response: Response) -> Response:
        response.headers.extend(always)
        response.headers["X-Request-Id"] = events.request_id()
        if "Content-Security-Policy" not in response.headers:
            response.headers["Content-Security-Policy"] = API_POLICY
        if chosen.cors_origins:
            _cors(response)
        return response


def _cors(response: Response) -> None:
    response.headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin not in settings().cors_origins:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers.extend(CORS_ALLOWED)
    if request.method == "OPTIONS":
        response.headers.extend(CORS_PREFLIGHT)
