"""One operation of the document: parameters, body, answers and refusals of one declared route."""

import re
from inspect import getdoc
from typing import Any

from pydantic import BaseModel

from auth.endpoint import Endpoint
from auth.fields import TokensAnswer, Unread
from auth.openapi.refusals import problems_of
from auth.openapi.schemas import Schemas, example_name, media_type
from auth.openapi.security import ways
from auth.problems import Problem

_PART = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
_PART_TYPES = {None: "string", "string": "string", "path": "string", "int": "integer"}

HEADERS: dict[str, Any] = {
    "RetryAfter": {
        "description": "Seconds until it is worth trying again.",
        "schema": {"type": "integer", "minimum": 1}, "required": True,
    },
    "Challenge": {
        "description": "How to authenticate (RFC 6750).",
        "schema": {"type": "string"}, "required": True, "example": 'Bearer realm="gatehouse", error="invalid_token"',
    },
    "Limit": {
        "description": "How many requests the narrower limit allows in its period.", "schema": {"type": "integer"},
    },
    "Remaining": {"description": "How many of them are left.", "schema": {"type": "integer"}},
    "Reset": {"description": "Seconds until there is one more.", "schema": {"type": "integer"}},
    "DeviceToken": {
        "description": "Keep it and send it as `X-Device-Token` with later sign-ins: the device then has a budget of"
        " guesses of its own. In cookie mode it is a cookie.",
        "schema": {"type": "string"},
    },
    "TokenCookies": {
        "description": "Access token, refresh token and CSRF token, when the request asked for cookies.",
        "schema": {"type": "string"},
    },
}  # fmt: skip
RETRY = {"Retry-After": "RetryAfter"}
REFUSAL_HEADERS = {401: {"WWW-Authenticate": "Challenge"}, 429: RETRY, 503: RETRY}
RATES = {"RateLimit-Limit": "Limit", "RateLimit-Remaining": "Remaining", "RateLimit-Reset": "Reset"}
DEVICE = {
    "name": "X-Device-Token", "in": "header", "required": False,
    "description": "The device token of an earlier sign-in.", "schema": {"type": "string"},
}  # fmt: skip
TRANSPORT = {
    "name": "X-Auth-Transport", "in": "header", "required": False,
    "description": "`cookie`: the tokens are set as cookies and the body carries `csrf_token` in their place.",
    "schema": {"type": "string", "enum": ["cookie"]},
}  # fmt: skip


def path(rule: str) -> str:
    """A Flask rule as a path of the document."""
    return _PART.sub(r"{\g<name>}", rule)


def operation(told: Endpoint, schemas: Schemas) -> dict[str, Any]:
    """The operation object of a route, without its name and tag."""
    text = getdoc(told.view) or ""
    members: dict[str, Any] = {"summary": _summary(text), "description": text, "security": ways(told)}
    if parameters := [*_path_parameters(told.rule), *_query_parameters(told, schemas), *_header_parameters(told)]:
        members["parameters"] = parameters
    if told.body is not None:
        required = any(field.is_required() for field in told.body.model_fields.values())
        members["requestBody"] = {"required": required, "content": {"application/json": schemas.content(told.body)}}
    answers = {told.status: told.returns, **dict(told.also)}
    shown = {str(status): _answer(status, returns, schemas) for status, returns in answers.items()}
    members["responses"] = _with_rates(told, {**shown, **_refusals(told)})
    return members


def _summary(text: str) -> str:
    """The first sentence, without its full stop."""
    return re.split(r"[.:;](?:\s|$)", text, maxsplit=1)[0].replace("\n", " ")


def _path_parameters(rule: str) -> list[dict[str, Any]]:
    return [
        {
            "name": part["name"], "in": "path", "required": True,
            "schema": {"type": _PART_TYPES.get(part["kind"], "string")},
        }
        for part in _PART.finditer(rule)
    ]  # fmt: skip


def _query_parameters(told: Endpoint, schemas: Schemas) -> list[dict[str, Any]]:
    if told.query in (None, Unread):
        return []
    model = schemas.of(told.query)
    required = model.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in model["properties"].items()
    ]


def _header_parameters(told: Endpoint) -> list[dict[str, Any]]:
    if told.returns is not TokensAnswer:
        return []
    return [TRANSPORT] if told.auth == "refresh" else [TRANSPORT, DEVICE]


def _answer(status: int, returns: type[BaseModel] | None, schemas: Schemas) -> dict[str, Any]:
    if returns is None:
        return {"description": "Done; there is no body." if status == 204 else "Done."}
    answer: dict[str, Any] = {
        "description": (getdoc(returns) or "").partition("\n")[0],
        "content": {media_type(returns): schemas.content(returns)},
    }
    if returns is TokensAnswer:
        answer["headers"] = _headers({"Set-Cookie": "TokenCookies", "X-Device-Token": "DeviceToken"})
    return answer


def _headers(named: dict[str, str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in named.items()}


def _with_rates(told: Endpoint, responses: dict[str, Any]) -> dict[str, Any]:
    """The answers, those of a limited route with what is left of its limit."""
    if told.limit:
        for answer in responses.values():
            answer["headers"] = {**answer.get("headers", {}), **_headers(RATES)}
    return responses


def _refusals(told: Endpoint) -> dict[str, Any]:
    by_status: dict[int, list[type[Problem]]] = {}
    for problem in problems_of(told):
        by_status.setdefault(problem.status, []).append(problem)
    return {str(status): _refusal(status, found) for status, found in by_status.items()}


def _refusal(status: int, found: list[type[Problem]]) -> dict[str, Any]:
    codes = [problem.code for problem in found]
    narrowed = {"properties": {"status": {"const": status}, "code": {"enum": codes}}}
    answer: dict[str, Any] = {
        "description": "\n".join(f"`{problem.code}`: {problem.detail}." for problem in found),
        "content": {
            "application/problem+json": {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Problem"}, narrowed]},
                "examples": {code: {"$ref": f"#/components/examples/{example_name(code)}"} for code in codes},
            }
        },
    }
    if status in REFUSAL_HEADERS:
        answer["headers"] = _headers(REFUSAL_HEADERS[status])
    return answer
