"""What the API document promises, held against the answers that really come."""

import re
from functools import cached_property
from typing import Any

from flask import Flask
from jsonschema import Draft202012Validator

from auth import openapi
from tests.support.clients import Answer

# What stands below the routes may answer these on any of them: the database that refuses a value or a collision.
ANYWHERE = ("conflict", "invalid_request")


class Documented:
    """The document of an application; `check` raises AssertionError for an answer that it does not foresee."""

    def __init__(self, app: Flask) -> None:
        self.document = openapi.document(app, "http://127.0.0.1:8000")

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Hold one answer against the document; paths that it does not have are answered 404 or 405."""
        operation = self.find(method, path.partition("?")[0])
        if operation is None:
            return
        assert answer.status == 304 or answer.code in ANYWHERE or str(answer.status) in operation["responses"], (
            f"{method} {path} answers {answer.status} {answer.code}, which is not documented"
        )
        promised = operation["responses"].get(str(answer.status), {}).get("content")
        if promised:
            self._check_body(f"{method} {path} {answer.status}", promised, answer)

    def find(self, method: str, path: str) -> dict[str, Any] | None:
        """The operation that serves a request."""
        return next(
            (found for pattern, verb, found in self._operations if verb == method and pattern.fullmatch(path)), None
        )

    def faults(self, schema: dict[str, Any], value: Any) -> list[str]:
        """What is wrong with a value under a schema of the document."""
        validator = Draft202012Validator({**schema, "components": self.document["components"]})
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def _check_body(self, where: str, promised: dict[str, Any], answer: Answer) -> None:
        media_type = answer.headers["Content-Type"].partition(";")[0]
        assert media_type in promised, f"{where} has the media type {media_type}"
        if media_type.endswith("json"):
            assert self.faults(promised[media_type]["schema"], answer.json) == [], where

    @cached_property
    def _operations(self) -> list[tuple[re.Pattern[str], str, dict[str, Any]]]:
        found = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), method.upper(), operation)
            for path, operations in self.document["paths"].items()
            for method, operation in operations.items()
        ]
        return sorted(found, key=lambda one: "[^/]+" in one[0].pattern)
