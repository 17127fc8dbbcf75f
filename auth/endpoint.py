"""THE DOOR: `@endpoint` declares a route; the door parses, guards, calls, commits, tells and renders.

In order: rate limit, token, permission, body, view, one commit, events, answer. When a Problem is raised everything
the request did is undone, and what must be remembered all the same is done in a transaction of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, Flask, Response, request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from auth import (
    access,
    answers,
    database,
    events,
    fields,
    keys,
    limits,
    metrics,
    parsing,
    refusals,
    revocations,
    tokens,
    transport,
)
from auth.fields import Body, Nothing, Unread
from auth.problems import EnrolmentRequired, Problem, TokenMissing, TokenRevoked
from auth.tokens import ACCESS, REFRESH


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
    enrolling: bool | type[Problem]
    also: tuple[tuple[int, type[BaseModel]], ...]

    @property
    def closed_by(self) -> type[Problem] | None:
        """What a session that can only enrol is refused by; None where the route is open to it."""
        return None if self.enrolling is True else self.enrolling or EnrolmentRequired

    @property
    def takes_any_query(self) -> bool:
        """Whether no query is refused: a public document takes no notice of one that it did not ask for."""
        return self.query is Unread or (self.query is None and self.auth is None and self.method == "GET")


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
    enrolling: bool | type[Problem] = False,
    also: tuple[tuple[int, type[BaseModel]], ...] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a route completely. The view gets `body`, `query` and the parts of the path.

    `auth` is None, "optional", "access", "fresh", "refresh" or "session" (any token of a session, expired or not);
    `needs` are roles, `limit` a row of limits, `errors` the view's own problems, `also` its answers of other statuses;
    `enrolling` opens it to a session that can only enrol, or says what refuses that one instead of EnrolmentRequired.
    """

    def declare(view: Callable[..., Any]) -> Callable[..., Any]:
        given = (body, query, returns, status, auth, needs, limit, errors, enrolling, also)
        told = Endpoint(method, rule, view.__name__, view, *given)

        @wraps(view)
        def serve(**path: Any) -> Response:
            response = _serve(told, path)
            if limit is not None:
                limits.tell(response)
            metrics.answered(method, rule, response.status_code)
            return response

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
        elif told.method != "GET":
            parsing.parse(Nothing)
        if told.query is None:
            if request.query_string and not told.takes_any_query:
                parsing.parse_query(Nothing)
        elif told.query is not Unread:
            path["query"] = parsing.parse_query(told.query)
        if told.limit is not None:
            for person in _people(told, path.get("body")):
                limits.check_person(told.limit, person)
        answer = told.view(**path)
        _commit()
        return answers.render(answer, told.status, by_cookie)
    except Problem as problem:
        return refusals.refuse(problem)
    except SQLAlchemyError as error:
        return refusals.refuse(refusals.from_store(error))


def _guard(told: Endpoint) -> bool:
    """Check limit, token, freshness and roles; whether the answer goes into cookies."""
    if told.limit is not None:
        limits.check(told.limit)
    if told.method != "GET":
        keys.current()
    if told.auth is None:
        by_cookie = transport.wants_cookies()
        if by_cookie and told.method != "GET":
            transport.check_origin()
        return by_cookie
    location = _authenticate(told.auth, told.closed_by)
    if told.auth == "fresh":
        access.check_fresh()
    if told.needs:
        access.check_roles(told.needs)
    # What is safe hands out no tokens, and so does not ask how they would be carried.
    return location == transport.COOKIES or (told.method != "GET" and transport.wants_cookies())


def _authenticate(auth: str, closed_by: type[Problem] | None) -> str | None:
    """Verify the token the route asks for; where it was found. One that can only enrol is refused by `closed_by`."""
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
        claims = tokens.read(token, ACCESS)
        if revocations.current().hold(claims["sid"], claims["jti"]):
            raise TokenRevoked
        if "enrol_only" in claims and closed_by:
            raise closed_by
    transport.check_forgery(claims["sid"], location)
    tokens.present(claims, location)
    return location


def _read_session(token: str, auth: str) -> dict[str, Any]:
    if auth == "refresh":
        return tokens.read(token, REFRESH)
    # Signing out works with whichever token is left, and after the access token has expired.
    return tokens.read(token, tokens.use_of(token), allow_expired=True)


def _people(told: Endpoint, body: Any) -> list[str]:
    """Whom a request is about: the name or address that was typed, or else who is signed in.

    A route that asks for letters and for a token may write to both.
    """
    typed = getattr(body, "email", None) or getattr(body, "identifier", None)
    signed_in = told.auth in ("access", "fresh")
    if told.limit == limits.LETTERS and (signed_in or (not typed and told.auth and "sub" in access.claims())):
        own = access.account().email
        return [own, typed] if typed and fields.key(typed) != fields.key(own) else [own]
    if typed:
        return [typed]
    return [f"user {access.user_id()}"] if signed_in else []


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
