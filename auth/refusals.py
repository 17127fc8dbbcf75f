"""What the door does when a request fails: undo it, remember what must be remembered, say what was wrong (RFC 9457)."""

import logging

from flask import Flask, Response, request
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import InternalError as InternalStoreError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from auth import answers, database, events, metrics, parsing, problems, revocations
from auth.problems import Conflict, HttpsRequired, InternalError, InvalidRequest, Problem, Unavailable
from auth.proxies import PLAIN_HTTP
from config import Settings

log = logging.getLogger("gatehouse")

STORE_AWAY = (OperationalError, InterfaceError, InternalStoreError, PoolTimeout)

# It closes a connection on which half a request is left, and says so only if it is told to; PEP 3333 leaves that to the
# server, and other servers do.
GRANIAN = "Granian"


def refuse(problem: Problem) -> Response:
    """Undo the request, remember what must be remembered, and say what went wrong (RFC 9457)."""
    database.end()
    if problem.aftermath or problem.event:
        problem = _remember(problem)
    metrics.refusals.labels(problem.code).inc()
    log.info("refused", extra={"code": problem.code, "status": problem.status, **_route()})
    response = answers.problem_answer(problem)
    if not parsing.drain() and request.environ.get("SERVER_SOFTWARE") == GRANIAN:
        response.headers["Connection"] = "close"
    return response


def _route() -> dict[str, str]:
    """The verb and the route as declared: a path that was sent may hold a secret."""
    return {"method": request.method, "route": request.url_rule.rule if request.url_rule else "unknown"}


def _remember(problem: Problem) -> Problem:
    """The aftermath and the event of a problem, in a transaction of their own; what to answer then."""
    try:
        with revocations.apart():
            if problem.aftermath:
                problem.aftermath()
            if problem.event:
                name, fields = problem.event
                events.record(name, **fields)
    except SQLAlchemyError:
        return Unavailable()
    return problem


def from_store(error: SQLAlchemyError) -> Problem:
    """A store that is away is 503; a collision that no flow foresaw, or a value it cannot hold, is the client's.

    Raises any other error of the store again: it is a fault of ours.
    """
    if not isinstance(error, (*STORE_AWAY, IntegrityError, DataError)):
        raise error
    reason = events.one_line(str(getattr(error, "orig", None) or error))[:300]
    log.error("the database refused", extra={"reason": reason, "kind": type(error).__name__})
    if isinstance(error, IntegrityError):
        return Conflict()
    return InvalidRequest() if isinstance(error, DataError) else Unavailable()


def init_app(app: Flask, settings: Settings) -> None:
    """Answer what no route answers in the same form, and read no more of a body than there may be."""
    # Of a body that does not tell its length so much is read and no more, without an error: one byte too many shows it.
    app.config["MAX_CONTENT_LENGTH"] = parsing.LARGEST + 1

    if settings.secure_cookies and settings.trusted_proxies:
        app.before_request(_refuse_plain_http)

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        return _from_http(error)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.exception("an unexpected error", exc_info=error, extra={"request_id": events.request_id()})
        return refuse(InternalError())


def _refuse_plain_http() -> Response | None:
    """No redirect: a client that sends its secrets in the clear shall notice, and not be helped to do so."""
    return refuse(HttpsRequired()) if request.environ[PLAIN_HTTP] else None


def _from_http(error: HTTPException) -> Response:
    known: dict[int | None, type[Problem]] = {
        404: problems.NotFound, 405: problems.MethodNotAllowed, 413: problems.TooLarge,
        415: problems.UnsupportedMediaType, 500: InternalError, 503: Unavailable,
    }  # fmt: skip
    response = refuse(known.get(error.code, problems.InvalidRequest)())
    metrics.answered(request.method, "unknown", response.status_code)
    if error.code == 405:
        response.headers["Allow"] = error.get_response().headers.get("Allow", "")
    return response
