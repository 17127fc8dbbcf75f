"""The HTTP form of what a view returned, and of a problem (RFC 9457)."""

import hashlib
from typing import Any

import orjson
from flask import Response, request
from pydantic import BaseModel
from werkzeug.datastructures import Headers

from auth import devices, events, transport
from auth.problems import Problem, TokenMissing, TokenProblem
from auth.sessions import Tokens

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
NO_STORE = ("Cache-Control", "no-store")


class JsonAnswer(Response):
    """A JSON answer that is whole when it is made: nothing is completed, streamed or closed when it is sent."""

    def __init__(self, members: Any, status: int, content_type: str = JSON) -> None:
        body = orjson.dumps(members)
        head = [NO_STORE, ("Content-Type", content_type), ("Content-Length", str(len(body)))]
        super().__init__([body], status, Headers(head))

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Send the head as it is, and the body unless only the head was asked for (RFC 9110 section 9.3.2)."""
        start_response(self.status, self.headers.to_wsgi_list())
        return () if environ["REQUEST_METHOD"] == "HEAD" else self.response


class NoContent(Response):
    """An answer without a body, and so without a type."""

    default_status = 204
    default_mimetype = None


def render(answer: Any, status: int, by_cookie: bool) -> Response:
    """The HTTP answer for what a view returned."""
    if isinstance(answer, Tokens):
        members = transport.body_of(answer, by_cookie)
        response = JsonAnswer(members, status)
        if by_cookie:
            transport.set_cookies(response, answer, members["csrf_token"])
        elif answer.device:
            response.headers[devices.HEADER] = answer.device
        return response
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return NoContent(headers=[NO_STORE])
    return JsonAnswer(answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer, status)


def accepted(message: str) -> Response:
    """202: what was asked for is done when nobody waits for it any more."""
    return JsonAnswer({"message": message}, 202)


def attachment(members: Any, name: str) -> Response:
    """A JSON document to be kept as a file."""
    response = JsonAnswer(members, 200)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def etag_of(body: bytes) -> str:
    """The entity tag that names exactly these bytes."""
    return hashlib.sha256(body).hexdigest()[:32]


def cacheable(body: bytes, content_type: str, cache_control: str, etag: str = "") -> Response:
    """An answer that caches may keep; 304 when the request names the ETag it already has (RFC 9110 section 13.1.2)."""
    response = Response(body, content_type=content_type, headers={"Cache-Control": cache_control})
    response.set_etag(etag or etag_of(body))
    response.make_conditional(request)
    return response


def problem_answer(problem: Problem) -> Response:
    """The problem document, with the headers that its status wants."""
    response = JsonAnswer(problem.body(events.request_id()), problem.status, PROBLEM_JSON)
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = _challenge(problem)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _challenge(problem: Problem) -> str:
    """The challenge of a 401 (RFC 6750 section 3): no error code when no token came."""
    if not isinstance(problem, TokenProblem) or isinstance(problem, TokenMissing):
        return 'Bearer realm="gatehouse"'
    error = "insufficient_user_authentication" if problem.code == "fresh_token_required" else "invalid_token"
    return f'Bearer realm="gatehouse", error="{error}"'
