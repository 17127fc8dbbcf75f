"""How a token is carried: in the Authorization header (RFC 6750) or in cookies guarded against forged requests.

The header wins over the cookie. A cookie opens an unsafe request only together with the CSRF token of its own session
and from an allowed origin; a header is nothing that a foreign page can send.
"""

from typing import Any

from flask import Response, request
from flask_jwt_extended import get_jwt_request_location

from auth import crypto, devices, parsing
from auth.problems import CsrfFailed, InvalidRequest, TokenMissing
from auth.sessions import Tokens
from auth.tokens import ACCESS, REFRESH
from config import settings

HEADER, COOKIES, BODY = "headers", "cookies", "json"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SAME_SITE_FETCHES = frozenset({"same-origin", "same-site", "none"})
REFRESH_PATH = "/auth"
CSRF_COOKIE = "csrf_token"


def cookie_name(use: str) -> str:
    """The name of the cookie for one use; the prefixes make browsers refuse a weaker one (RFC 6265bis 4.1.3)."""
    if not settings().secure_cookies:
        return f"{use}_token"
    return f"__Host-{use}_token" if use == ACCESS else f"__Secure-{use}_token"


def bearer() -> str | None:
    """The token of the Authorization header, its scheme compared without case; None when there is none."""
    header = request.headers.get("Authorization")
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def credential(use: str) -> tuple[str, str]:
    """The token that came for a use and where it was; raises TokenMissing."""
    token = bearer()
    if token is not None:
        return token, HEADER
    if use == REFRESH and (token := _in_body()):
        return token, BODY
    token = request.cookies.get(cookie_name(use))
    if not token:
        raise TokenMissing
    return token, COOKIES


def check_forgery(sid: str, location: str) -> None:
    """Refuse an unsafe request by cookie that was not made by an allowed page; raises CsrfFailed."""
    if location != COOKIES or request.method in SAFE_METHODS:
        return
    check_origin()
    if not crypto.proves("csrf", sid, request.headers.get("X-CSRF-Token", "")):
        raise CsrfFailed


def check_origin() -> None:
    """Refuse a browser's request from a page of another origin; raises CsrfFailed."""
    origin = request.headers.get("Origin")
    if origin is not None:
        if origin not in settings().allowed_origins:
            raise CsrfFailed
    elif request.headers.get("Sec-Fetch-Site", "none") not in SAME_SITE_FETCHES:
        raise CsrfFailed


def wants_cookies() -> bool:
    """Whether the client asked for cookies, or already uses them."""
    return request.headers.get("X-Auth-Transport", "").lower() == "cookie"


def body_of(tokens: Tokens, by_cookie: bool) -> dict[str, Any]:
    """The answer that hands out tokens (RFC 6749 section 5.1); by cookie only the CSRF token is in it."""
    secrets = (
        {"csrf_token": crypto.keyed_hash("csrf", tokens.session_id)}
        if by_cookie
        else {"access_token": tokens.access, "refresh_token": tokens.refresh}
    )
    return {
        **secrets,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "refresh_expires_in": tokens.refresh_expires_in,
        "session_id": tokens.session_id,
    }


def set_cookies(response: Response, tokens: Tokens, csrf_token: str) -> None:
    """Put both tokens where no script can read them, and the CSRF token where the page's own script can."""
    _set(response, cookie_name(ACCESS), tokens.access, tokens.refresh_expires_in, "/")
    _set(response, cookie_name(REFRESH), tokens.refresh, tokens.refresh_expires_in, REFRESH_PATH)
    _set(response, CSRF_COOKIE, csrf_token, tokens.refresh_expires_in, "/", httponly=False)
    if tokens.device:
        _set(response, devices.cookie_name(), tokens.device, devices.COOKIE_SECONDS, "/")


def clear_cookies(response: Response) -> Response:
    """Take the cookies of a session back when it came by them, and have the browser forget what else it keeps of it."""
    if get_jwt_request_location() != COOKIES:
        return response
    for name, path in ((cookie_name(ACCESS), "/"), (cookie_name(REFRESH), REFRESH_PATH), (CSRF_COOKIE, "/")):
        _set(response, name, "", 0, path, httponly=name != CSRF_COOKIE)
    # Not "cookies": with them would go the token of the device, and the cookies of every service beside this one.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _set(response: Response, name: str, value: str, seconds: int, path: str, *, httponly: bool = True) -> None:
    secure = settings().secure_cookies
    response.set_cookie(name, value, seconds, path=path, secure=secure, httponly=httponly, samesite="Lax")


def _in_body() -> str | None:
    if request.mimetype != "application/json":
        return None
    token = parsing.members().get("refresh_token")
    if not isinstance(token, str | None):
        fault = parsing.fault("refresh_token", "string_type", "must be a string")
        raise InvalidRequest("Invalid refresh_token", errors=[fault])
    return token or None
