"""For operators and other services: liveness, readiness, and the published key set (RFC 7517)."""

from typing import Any

import orjson
from flask import Blueprint, Response
from sqlalchemy import select

from auth import database, keys
from auth.endpoint import endpoint
from auth.fields import Answer
from models import SigningKey

bp = Blueprint("operations", __name__)


class Health(Answer):
    """How the service is."""

    status: str


class KeySetAnswer(Answer):
    """A JWK set."""

    keys: list[dict[str, str]]


@endpoint(bp, "GET", "/healthz", returns=Health)
def healthz() -> dict[str, Any]:
    """Alive: the process answers. No store is asked."""
    return {"status": "ok"}


@endpoint(bp, "GET", "/readyz", returns=Health)
def readyz() -> dict[str, Any]:
    """Ready: the database answers and the tables are there; 503 otherwise."""
    database.execute(select(SigningKey.kid).limit(1)).first()
    return {"status": "ready"}


@endpoint(bp, "GET", "/.well-known/jwks.json", returns=KeySetAnswer)
def jwks() -> Response:
    """The public keys, old and new during a rotation, for whoever verifies tokens."""
    body = orjson.dumps(keys.current().published())
    headers = {"Cache-Control": "public, max-age=60"}
    return Response(body, headers=headers, content_type="application/json")
