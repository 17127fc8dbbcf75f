"""The pages behind mailed links, for a service that has no front end of its own.

Opening a page changes nothing: its script takes the token out of the address, says what is going to happen, and posts
when the button is pressed. All links lead to the same page; which of them it was, the script reads from the path.
"""

import mimetypes
from functools import cache
from pathlib import Path

from flask import Blueprint, Response
from jinja2 import Environment, FileSystemLoader

from auth import answers, crypto
from auth.endpoint import endpoint
from auth.fields import Html
from auth.problems import NotFound
from config import settings

bp = Blueprint("pages", __name__)

NAMES = frozenset({"verify", "reset", "magic-link", "confirm-email", "not-me"})
FOLDER = Path(__file__).parents[1] / "templates" / "pages"
ASSETS = frozenset({"page.js", "page.css"})
CACHE = "public, max-age=300"
# Only the one script and the one style sheet that carry the nonce of this answer, and only this service is asked. The
# script can write no markup: it could not even by mistake.
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

_templates = Environment(loader=FileSystemLoader(FOLDER), autoescape=True)


@endpoint(bp, "GET", "/pages/<name>", returns=Html, errors=(NotFound,))
def page(name: str) -> Response:
    """The page that a mailed link leads to. It redeems nothing before its button is pressed."""
    if name not in NAMES:
        raise NotFound
    nonce = crypto.random_id()
    html = _templates.get_template("page.html").render(nonce=nonce, service=settings().service_name)
    return Response(html, headers=_headers(nonce), content_type="text/html; charset=utf-8")


@endpoint(bp, "GET", "/pages/assets/<name>", errors=(NotFound,))
def asset(name: str) -> Response:
    """The script or the style sheet of the pages."""
    if name not in ASSETS:
        raise NotFound
    return answers.cacheable(_read(name), f"{mimetypes.guess_type(name)[0]}; charset=utf-8", CACHE)


def _headers(nonce: str) -> dict[str, str]:
    """No page that opened this one, or is opened by it, can reach it (COOP); violations are told where that is set."""
    policy, reports = POLICY.format(nonce=nonce), settings().csp_report_url
    headers = {"Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin"}
    if reports:
        policy += f"; report-uri {reports}; report-to csp"
        headers["Reporting-Endpoints"] = f'csp="{reports}"'
    return {**headers, "Content-Security-Policy": policy}


@cache
def _read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()
