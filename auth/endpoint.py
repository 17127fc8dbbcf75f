"""THE DOOR: `@endpoint` declares a route; the door parses, guards, calls, commits, tells and renders.

In order: rate limit, token, permission, body, view, one commit, events, answer. When a Problem is raised everything
the request did is undone, and what must be remembered all the same is done in a transaction of its own.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, Flask, Response, request
from pydantic import BaseModel
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from auth import access, answers, database, events, keys, parsing, problems, revocations, tokens, transport
from auth.fields import Body
from auth.problems import Conflict, InternalError, InvalidRequest, Problem, TokenMissing, TokenRevoked, Unavailable
from auth.tokens import ACCESS, REFRESH

log = logging.getLogger("gatehouse")

STORE_AWAY = (OperationalError, InterfaceError, PoolTimeout)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a route was declared with; the API document is made from it."""

    method: str
    rule: str
    name: str
    view: Callable[..., Any]
    body: type[Body] | None
    query: type[Body] | None
    returns: type[BaseModel] | None
    status: int
    auth: str | None
    needs: tuple[str, ...]
    limit: str | None
    errors: tuple[type[Problem], ...]
    enrolling: bool
    also: tuple[tuple[int, type[BaseModel]], ...]


def endpoint(
    bp: Blueprint,
    method: str,
    rule: str,
    *,
    body: type[Body] | None = None,
    query: type[Body] | None = None,
    returns: type[BaseModel] | None = None,
    status: int = 200,
    auth: str | None = None,
    needs: tuple[str, ...] = (),
    limit: str | None = None,
    errors: tuple[type[Problem], ...] = (),
    enrolling: bool = False,
    also: tuple[tuple[int, type[BaseModel]], ...] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a route completely.

    `auth` is None, "optional", "access", "fresh", "refresh" or "session" (any token of a session, expired or not);
    `needs` are roles; `limit` names a row of limits; `errors` are the problems of the view itself; `enrolling` opens
    the route to a session that can only enrol; `also` are answers of another status that the view makes itself. The
    view is given the parsed `body` and `query` and the parts of the path, and returns a dict, a model, Tokens, a
    Response or None.
    """

    def declare(view: Callable[..., Any]) -> Callable[..., Any]:
        told = Endpoint(
            method, rule, view.__name__, view, body, query, returns, status, auth, needs, limit, errors, enrolling, also
        )  # fmt: skip

        @wraps(view)
        def serve(**path: Any) -> Response:
            return _serve(told, path)

        serve.endpoint = told  # type: ignore[attr-defined]
        bp.add_url_rule(rule, view.__name__, serve, methods=[method])
        return view

    return declare


def declared(app: Flask) -> list[Endpoint]:
    """Every route that was declared, in the order of the registry."""
    views = {view: None for view in app.view_functions.values() if hasattr(view, "endpoint")}
    return [view.endpoint for view in views]


def _serve(told: Endpoint, path: dict[str, Any]) -> Response:
    try:
        by_cookie = _guard(told)
        if path:
            parsing.check_path(path)
        if told.body is not None:
            path["body"] = parsing.parse(told.body)
        if told.query is not None:
            path["query"] = parsing.parse_query(told.query)
        answer = told.view(**path)
        _commit()
        return answers.render(answer, told.status, by_cookie)
    except Problem as problem:
        return refuse(problem)
    except (*STORE_AWAY, IntegrityError, DataError) as error:
        return refuse(_from_store(error))


def _guard(told: Endpoint) -> bool:
    """Check limit, token, freshness and roles; whether the answer goes into cookies."""
    if told.method != "GET":
        keys.current()
    if told.auth is None:
        by_cookie = transport.wants_cookies()
        if by_cookie:
            transport.check_origin()
        return by_cookie
    location = _authenticate(told.auth, told.enrolling)
    if told.auth == "fresh":
        access.check_fresh()
    if told.needs:
        access.check_roles(told.needs)
    return location == transport.COOKIES or transport.wants_cookies()


def _authenticate(auth: str, enrolling: bool) -> str | None:
    """Verify the token the route asks for; where it was found."""
    use = REFRESH if auth == "refresh" else ACCESS
    try:
        token, location = transport.credential(use)
    except TokenMissing:
        if auth == "optional":
            tokens.present({"type": ACCESS}, "none")
            return None
        if auth != "session":
            raise
        token, location = transport.credential(REFRESH)
    if auth in ("refresh", "session"):
        claims = _read_session(token, auth)
    else:
        claims = tokens.read_access(token)
        if revocations.current().hold(claims["sid"], claims["jti"]):
            raise TokenRevoked
        if "enrol_only" in claims and not enrolling:
            raise problems.EnrolmentRequired
    transport.check_forgery(claims["sid"], location)
    tokens.present(claims, location)
    return location


def _read_session(token: str, auth: str) -> dict[str, Any]:
    if auth == "refresh":
        return tokens.read(token, REFRESH)
    # Signing out works with whichever token is left, and after the access token has expired.
    return tokens.read(token, tokens.use_of(token), allow_expired=True)


def _commit() -> None:
    """Commit what the view did, once; then tell, and wait until a revocation is seen by everyone."""
    unit = database.begun()
    if unit is None:
        return
    if unit.writing and unit.connection is not None:
        if unit.revoked:
            revocations.write(unit.revoked)
        unit.connection.commit()
    database.end()
    if unit.revoked:
        revocations.settle()
    if unit.events:
        events.dispatch(unit.events)


def refuse(problem: Problem) -> Response:
    """Undo the request, remember what must be remembered, and say what went wrong (RFC 9457)."""
    database.end()
    if problem.aftermath or problem.event:
        problem = _remember(problem)
    log.info("refused", extra={"code": problem.code, "status": problem.status, **_route()})
    return answers.problem_answer(problem)


def _route() -> dict[str, str]:
    """The verb and the route as declared: a path that was sent may hold a secret."""
    return {"method": request.method, "route": request.url_rule.rule if request.url_rule else "unknown"}


def _remember(problem: Problem) -> Problem:
    """The aftermath and the event of a problem, in a transaction of their own; what to answer then."""
    try:
        with database.apart() as unit:
            if problem.aftermath:
                problem.aftermath()
            if problem.event:
                name, fields = problem.event
                events.record(name, **fields)
            if unit.revoked:
                revocations.write(unit.revoked)
    except SQLAlchemyError:
        return Unavailable()
    if unit.revoked:
        revocations.settle()
    events.dispatch(unit.events)
    return problem


def _from_store(error: SQLAlchemyError) -> Problem:
    """A store that is away is 503; a collision that no flow foresaw, or a value it cannot hold, is the client's."""
    reason = events.one_line(str(getattr(error, "orig", None) or error))[:300]
    log.error("the database refused", extra={"reason": reason, "kind": type(error).__name__})
    if isinstance(error, IntegrityError):
        return Conflict()
    return InvalidRequest() if isinstance(error, DataError) else Unavailable()


def init_app(app: Flask) -> None:
    """Answer what no route answers in the same form, and read no more of a body than there may be."""
    app.config["MAX_CONTENT_LENGTH"] = parsing.LARGEST

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        return _from_http(error)

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.exception("an unexpected error", exc_info=error, extra={"request_id": events.request_id()})
        return refuse(InternalError())


def _from_http(error: HTTPException) -> Response:
    known: dict[int | None, type[Problem]] = {
        404: problems.NotFound, 405: problems.MethodNotAllowed, 413: problems.TooLarge,
        415: problems.UnsupportedMediaType, 500: InternalError, 503: Unavailable,
    }  # fmt: skip
    response = refuse(known.get(error.code, problems.InvalidRequest)())
    if error.code == 405:
        response.headers["Allow"] = error.get_response().headers.get("Allow", "")
    return response
