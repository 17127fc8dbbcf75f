"""For operators: liveness and readiness."""

from typing import Any

from flask import Blueprint
from sqlalchemy import select

from auth import database
from auth.endpoint import endpoint
from auth.fields import Answer
from auth.problems import Unavailable
from models import SigningKey

bp = Blueprint("operations", __name__)


class Health(Answer):
    """How the service is."""

    status: str


@endpoint(bp, "GET", "/healthz", returns=Health)
def healthz() -> dict[str, Any]:
    """Alive: the process answers. No store is asked."""
    return {"status": "ok"}


@endpoint(bp, "GET", "/readyz", returns=Health, errors=(Unavailable,))
def readyz() -> dict[str, Any]:
    """Ready: the database answers and the tables are there; 503 otherwise."""
    database.execute(select(SigningKey.kid).limit(1)).first()
    return {"status": "ready"}
