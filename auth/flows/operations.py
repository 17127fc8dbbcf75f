"""For operators: liveness, readiness, and figures for Prometheus."""

import ipaddress
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import select

from auth import crypto, database, metrics, transport
from auth.endpoint import endpoint
from auth.fields import Answer
from auth.problems import NotFound, Unavailable
from config import settings
from models import SigningKey

bp = Blueprint("operations", __name__)

# A request that a proxy has passed on does not come from this machine, wherever its connection does.
PASSED_ON = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


class Health(Answer):
    """How the service is."""

    status: str


class Figures(Answer):
    """Numbers as Prometheus reads them."""

    media_type = "text/plain"


@endpoint(bp, "GET", "/healthz", returns=Health)
def healthz() -> dict[str, Any]:
    """Alive: the process answers. No store is asked."""
    return {"status": "ok"}


@endpoint(bp, "GET", "/readyz", returns=Health, errors=(Unavailable,))
def readyz() -> dict[str, Any]:
    """Ready: the database answers and the tables are there; 503 otherwise."""
    database.execute(select(SigningKey.kid).limit(1)).first()
    return {"status": "ready"}


@endpoint(bp, "GET", "/metrics", returns=Figures, errors=(NotFound,))
def figures() -> Response:
    """What was counted, in the text format of Prometheus, of all workers of this server. For others it is not there."""
    if not _may_read_figures():
        raise NotFound
    return Response(metrics.exposed(), content_type=metrics.CONTENT_TYPE, headers={"Cache-Control": "no-store"})


def _may_read_figures() -> bool:
    expected = settings().metrics_token
    if expected:
        return crypto.same(transport.bearer() or "", expected)
    if any(name in request.headers for name in PASSED_ON):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
