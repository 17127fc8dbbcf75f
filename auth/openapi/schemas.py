"""The types of the document: request bodies and answers as pydantic describes them, and the problem document."""

from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from auth.endpoint import Endpoint
from auth.fields import Unread
from auth.openapi import examples
from auth.openapi.refusals import problems_of
from auth.problems import Problem

REF = "#/components/schemas/"

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A refusal (RFC 9457). `code` is stable, `message` is for people and equal to `detail`.",
    "required": ["type", "title", "status", "detail", "message", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "`urn:gatehouse:problem:` and the code."},
        "title": {"type": "string", "description": "The phrase of the status."},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "message": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string", "description": "Also in `X-Request-Id` and in the log."},
        "errors": {"type": "array", "items": {"$ref": f"{REF}Fault"}, "description": "One entry a field."},
        "mfa_token": {"type": "string", "description": "With `mfa_required`: goes with the second factor."},
        "expires_in": {"type": "integer", "description": "With `mfa_required`: seconds that are left for it."},
        "methods": {
            "type": "array", "items": {"type": "string"}, "description": "With `mfa_required`: the factors open to it.",
        },
    },
}  # fmt: skip
FAULT: dict[str, Any] = {
    "type": "object",
    "description": "What is wrong with one field; never its value.",
    "required": ["field", "code", "message"],
    "additionalProperties": False,
    "properties": {name: {"type": "string"} for name in ("field", "code", "message")},
}


class _Generator(GenerateJsonSchema):
    """Pydantic's own schemas without what says nothing: titles that repeat a name, and null as the default."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        made = super().default_schema(schema)
        if made.get("default", "") is None:
            made.pop("default")
        return made


class Schemas:
    """The schemas of every type that the routes mention; `components` is the part of the document."""

    def __init__(self, found: list[Endpoint]) -> None:
        self._problems = sorted({problem.code: problem for told in found for problem in problems_of(told)}.items())
        used: list[tuple[type[BaseModel], JsonSchemaMode]] = []
        for told in found:
            used += [(model, "validation") for model in (told.body, told.query) if model not in (None, Unread)]
            answers = [told.returns, *(returns for _, returns in told.also)]
            used += [(model, "serialization") for model in answers if model is not None]
        refs, made = models_json_schema(used, ref_template=REF + "{model}", schema_generator=_Generator)
        self._names = {model: _short(ref["$ref"].removeprefix(REF)) for (model, _), ref in refs.items()}
        self.components: dict[str, Any] = {**_shortened(made["$defs"]), "Problem": PROBLEM, "Fault": FAULT}
        for schema in self.components.values():
            schema.pop("title", None)

    def of(self, model: type[BaseModel]) -> dict[str, Any]:
        """The schema of a type."""
        found: dict[str, Any] = self.components[self._names[model]]
        return found

    def content(self, model: type[BaseModel]) -> dict[str, Any]:
        """The media type object of a type: its schema and an example."""
        if not media_type(model).endswith("json"):
            return {"schema": {"type": "string"}}
        reference = {"$ref": REF + self._names[model]}
        several = examples.EXPLICIT.get(self._names[model])
        if several is not None:
            return {"schema": reference, "examples": several}
        return {"schema": reference, "example": examples.of(self.of(model), self.components)}

    def problem_examples(self) -> dict[str, Any]:
        """An example of every problem that some route can answer."""
        return {example_name(code): {"value": _shown(problem)} for code, problem in self._problems}


def _short(name: str) -> str:
    """A name that two flows use comes as `auth__flows__passkeys__Registration`: it becomes `PasskeysRegistration`."""
    *modules, own = name.split("__")
    return (modules[-1].title().replace("_", "") if modules else "") + own


def _shortened(schemas: dict[str, Any]) -> dict[str, Any]:
    text = orjson.dumps(schemas).decode()
    for name in schemas:
        text = text.replace(f'{REF}{name}"', f'{REF}{_short(name)}"')
    return {_short(name): schema for name, schema in orjson.loads(text).items()}


def media_type(model: type[BaseModel]) -> str:
    """The media type of an answer."""
    return str(getattr(model, "media_type", "application/json"))


def example_name(code: str) -> str:
    """The name of the example of a problem among the components."""
    return f"problem_{code}"


def _shown(problem: type[Problem]) -> dict[str, Any]:
    return problem(**examples.PROBLEM_MEMBERS.get(problem.code, {})).body(examples.REQUEST_ID)
