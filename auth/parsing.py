"""What came with a request, parsed strictly from the raw bytes; every fault is a 400 that names the field.

Python's own JSON reader runs first with hooks for what lenient readers let pass (duplicate names, NaN), then pydantic
checks the types; no value that was sent is ever repeated in an answer.
"""

import json
from typing import Any, TypeVar

from flask import request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from auth.fields import Body
from auth.problems import EmptyBody, InvalidRequest, MalformedBody, TooLarge, UnsupportedMediaType

LARGEST = 64 * 1024

B = TypeVar("B", bound=Body)


def parse(model: type[B]) -> B:
    """The body as `model`; raises InvalidRequest, MalformedBody, EmptyBody, TooLarge, UnsupportedMediaType."""
    raw = _raw()
    optional = not any(field.is_required() for field in model.model_fields.values())
    if not raw.strip():
        if optional:
            return model()
        raise EmptyBody
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    members = _object(raw)
    if not members and not optional:
        raise EmptyBody
    return _validated(model, members)


def parse_query(model: type[B]) -> B:
    """The query string as `model`; a name that comes twice is refused, so that no two readers differ about it."""
    values = {name: request.args.getlist(name) for name in request.args}
    if doubled := [name for name, given in values.items() if len(given) > 1]:
        raise InvalidRequest(errors=[_fault(name[:64], "duplicate", "came more than once") for name in doubled[:8]])
    try:
        return model.model_validate({name: given[0] for name, given in values.items()}, strict=False)
    except ValidationError as error:
        raise _invalid(model, error) from None


def _raw() -> bytes:
    try:
        if (request.content_length or 0) > LARGEST:
            raise TooLarge
        return request.get_data()
    except HTTPException as error:
        raise TooLarge if error.code == 413 else MalformedBody from None


def _object(raw: bytes) -> dict[str, Any]:
    try:
        members = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedBody from None
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise MalformedBody
    return members


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _refuse_constant(_name: str) -> None:
    raise ValueError("no JSON number")


def _validated(model: type[B], members: dict[str, Any]) -> B:
    try:
        return model.model_validate(members)
    except ValidationError as error:
        raise _invalid(model, error, members) from None


def _invalid(model: type[Body], error: ValidationError, members: dict[str, Any] | None = None) -> InvalidRequest:
    faults = [_describe(found) for found in error.errors(include_input=False, include_url=False, include_context=False)]
    detail = "Invalid " + ", ".join(dict.fromkeys(fault["field"] for fault in faults))
    if model.missing and members is not None and any(_absent(fault, members) for fault in faults):
        detail = model.missing
    return InvalidRequest(detail, errors=faults)


def _absent(fault: dict[str, str], members: dict[str, Any]) -> bool:
    return fault["code"] == "missing" or members.get(fault["field"], "absent") in ("", None)


def _describe(found: Any) -> dict[str, str]:
    """One fault. The name of an unknown field is the client's own text, so it is shown bounded and printable."""
    name = ".".join(str(part) for part in found["loc"]) or "body"
    printable = "".join(mark if mark.isprintable() else "?" for mark in name[:64])
    return _fault(printable, found["type"], found["msg"].removeprefix("Value error, "))


def _fault(field: str, code: str, message: str) -> dict[str, str]:
    return {"field": field, "code": code, "message": message}
