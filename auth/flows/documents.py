"""The API document, and the page that shows it: Swagger UI from local files, nothing from outside."""

import mimetypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Response, current_app
from pydantic import ConfigDict

from auth import answers, openapi
from auth.endpoint import endpoint
from auth.fields import Answer, Html
from auth.problems import NotFound
from config import settings

bp = Blueprint("documents", __name__)

OWN = Path(__file__).parents[1] / "templates" / "docs"
# The package is found but never imported: it would hold every file it has in memory, 38 MB in each worker.
PACKAGED = Path(str(getattr(find_spec("offapi"), "origin", ""))).parent
FILES = {
    "page.html": OWN / "page.html",
    "start.js": OWN / "start.js",
    "swagger.js": PACKAGED / "swagger_bundle.js",
    "swagger.css": PACKAGED / "swagger_style.css",
}
CACHE = "public, max-age=300"
# Swagger UI draws icons from data; it evaluates nothing, needs no inline script or style, and asks only this service.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ApiDocument(Answer):
    """An OpenAPI 3.1 document."""

    model_config = ConfigDict(extra="allow")

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


@endpoint(bp, "GET", "/openapi.json", returns=ApiDocument)
def document() -> Response:
    """This document, made from the declarations of the routes."""
    return answers.cacheable(_document(), answers.JSON, CACHE)


@endpoint(bp, "GET", "/docs", returns=Html)
def page() -> Response:
    """The API as a page to read and to try (Swagger UI)."""
    return _file("page.html")


@endpoint(bp, "GET", "/docs/<name>")
def file(name: str) -> Response:
    """A script or style sheet of the page; raises NotFound."""
    if name not in FILES:
        raise NotFound
    return _file(name)


def _file(name: str) -> Response:
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    response = answers.cacheable(_read(name), f"{content_type}; charset=utf-8", CACHE)
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


@cache
def _read(name: str) -> bytes:
    return FILES[name].read_bytes()


def _document() -> bytes:
    """The document of this application, made when it is first asked for."""
    kept: dict[str, bytes] = current_app.extensions.setdefault("gatehouse.openapi", {})
    if not kept:
        made = openapi.document(current_app, settings().public_url)
        kept["json"] = orjson.dumps(made)
    return kept["json"]
