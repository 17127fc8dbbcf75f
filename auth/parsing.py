"""What came with a request, parsed strictly from the raw bytes; every fault is a 400 that names the field.

Python's own JSON reader runs first with hooks for what lenient readers let pass (duplicate names, NaN), then pydantic
checks the types; no value that was sent is ever repeated in an answer.
"""

import json
import math
import re
import threading
from collections import Counter
from contextlib import suppress
from typing import Any, TypeVar

from flask import Flask, current_app, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from auth import database
from auth.fields import Body
from auth.problems import (
    EmptyBody,
    InvalidRequest,
    MalformedBody,
    NotFound,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)
from config import Settings

LARGEST = 64 * 1024
DRAINED = 32 * 1024 * 1024
DIGITS_OF_64_BITS = 19
LARGEST_NUMBER = 2**31 - 1
# An answer names so many faults and no more: it must not be larger than the request that brings it about.
MOST_FAULTS = 32
DOUBLED = ("duplicate", "came more than once")
NO_JSON = ("json_invalid", "holds NaN or Infinity, which are no JSON")
# What pydantic's sentences begin with; in ours the name of the field stands there.
_SUBJECT = re.compile("^(Value error, |String |Input )")

B = TypeVar("B", bound=Body)


def parse(model: type[B]) -> B:
    """The body as `model`; raises InvalidRequest, MalformedBody, EmptyBody, TooLarge, UnsupportedMediaType."""
    given = members()
    if not given and any(field.is_required() for field in model.model_fields.values()):
        raise EmptyBody(errors=_missing(model))
    return _validated(model, given)


def members() -> dict[str, Any]:
    """The members of the JSON object that came, none when nothing came; raises what `parse` raises but EmptyBody."""
    raw = _raw()
    if not raw.strip():
        return {}
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    return _object(raw)


def parse_query(model: type[B]) -> B:
    """The query string as `model`; a name that comes twice is refused, so that no two readers differ about it."""
    values = {name: request.args.getlist(name) for name in request.args}
    doubled = [name for name, given in values.items() if len(given) > 1]
    if doubled:
        raise _naming(doubled, *DOUBLED)
    try:
        return model.model_validate({name: given[0] for name, given in values.items()}, strict=False)
    except ValidationError as error:
        raise _invalid(model, error) from None


def check_path(parts: dict[str, Any]) -> None:
    """Refuse what no name and no number of a row can be, and no database takes; raises NotFound."""
    for part in parts.values():
        if part > LARGEST_NUMBER if isinstance(part, int) else "\0" in part:
            raise NotFound


def drain() -> bool:
    """Take in what is left of a body, within bounds: who is still sending would not see the answer.

    Returns whether all of it is in.
    """
    left = DRAINED if "HTTP_TRANSFER_ENCODING" in request.environ else request.content_length or 0
    if not left:
        return True
    places: threading.Semaphore = current_app.extensions["gatehouse.bodies"]
    if not places.acquire(blocking=False):
        return False
    try:
        return _drain(left)
    finally:
        places.release()


def fault(field: str, code: str, message: str) -> dict[str, str]:
    """One entry of `errors`."""
    return {"field": field, "code": code, "message": message}


def init_app(app: Flask, settings: Settings) -> None:
    """Let at most half of the threads wait for bodies at once: whoever sends one slowly leaves the others theirs."""
    app.extensions["gatehouse.bodies"] = threading.Semaphore(settings.threads // 2)


def _raw() -> bytes:
    # The body may be long in coming.
    database.release()
    places: threading.Semaphore = current_app.extensions["gatehouse.bodies"]
    if not places.acquire(blocking=False):
        raise Unavailable
    try:
        return _read()
    finally:
        places.release()


def _read() -> bytes:
    try:
        raw = request.get_data()
    except HTTPException as error:
        raise (TooLarge if error.code == 413 else MalformedBody) from None
    if len(raw) > LARGEST:
        raise TooLarge
    return raw


def _drain(left: int) -> bool:
    if left <= LARGEST + 1:
        # It may have been read already, and a server may wait for what comes after its end.
        with suppress(HTTPException):
            request.get_data()
        return True
    most = min(left, DRAINED)
    while most > 0 and (piece := request.environ["wsgi.input"].read(min(most, LARGEST))):
        most -= len(piece)
    return most > 0 or left < DRAINED


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_unique, parse_int=_integer, parse_constant=float)
        if b"NaN" in raw or b"Infinity" in raw:
            _refuse_constants(found)
    except (ValueError, RecursionError):
        raise MalformedBody from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise MalformedBody
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counted = Counter(name for name, _ in pairs)
        raise _naming([name for name, times in counted.items() if times > 1], *DOUBLED)
    return found


def _integer(digits: str) -> float:
    """A whole number; one beyond 64 bits becomes what no field takes, so that the answer can name the field."""
    return int(digits) if len(digits) <= DIGITS_OF_64_BITS else math.inf


def _refuse_constants(found: Any) -> None:
    odd = [name for name, value in found.items() if _is_odd(value)] if isinstance(found, dict) else []
    if odd:
        raise _naming(odd, *NO_JSON)


def _is_odd(value: Any) -> bool:
    """Whether a value holds a number that JSON has no words for."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return True
    return False


def _naming(names: list[str], code: str, message: str) -> InvalidRequest:
    """The refusal of fields by their names."""
    faults = [fault(_shown(name), code, message) for name in names[:MOST_FAULTS]]
    return InvalidRequest("Invalid " + ", ".join(fault["field"] for fault in faults), errors=faults)


def _missing(model: type[Body]) -> list[dict[str, str]]:
    """One fault for each field that has to come, as when some of them did."""
    required = [field.alias or name for name, field in model.model_fields.items() if field.is_required()]
    return [fault(name, "missing", "Field required") for name in required]


def _validated(model: type[B], members: dict[str, Any]) -> B:
    try:
        return model.model_validate(members)
    except ValidationError as error:
        raise _invalid(model, error, members) from None


def _invalid(model: type[Body], error: ValidationError, members: dict[str, Any] | None = None) -> InvalidRequest:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    # What is missing or wrong stands before what is unknown, of which there may be thousands.
    faults = [_describe(one) for one in found[:MOST_FAULTS]]
    detail = "Invalid " + ", ".join(dict.fromkeys(fault["field"] for fault in faults))
    if model.missing and members is not None and any(_absent(fault, members) for fault in faults):
        detail = model.missing
    return InvalidRequest(detail, errors=faults)


def _absent(fault: dict[str, str], members: dict[str, Any]) -> bool:
    return fault["code"] == "missing" or members.get(fault["field"], "absent") in ("", None)


def _describe(found: Any) -> dict[str, str]:
    """One fault."""
    name = ".".join(str(part) for part in found["loc"]) or "body"
    return fault(_shown(name), found["type"], _SUBJECT.sub("", found["msg"]))


def _shown(name: str) -> str:
    """The name of a field; that of an unknown one is the client's own text, so it is shown bounded and printable."""
    return "".join(mark if mark.isprintable() else "?" for mark in name[:64])
