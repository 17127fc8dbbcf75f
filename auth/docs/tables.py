"""Tables in Markdown: events, problems, fields; and the settings, as a table and as `.env.example`."""

from collections.abc import Iterable, Iterator
from inspect import getdoc
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from auth import events as events_of
from auth.openapi import Route
from auth.openapi.refusals import problems_of
from auth.problems import Problem
from config import Settings, own_url

MADE = "<!-- Made by `make docs`; change the code it is made from. -->\n\n"
RULES = {
    "minLength": "at least {} characters", "maxLength": "at most {} characters",
    "minimum": "at least {}", "maximum": "at most {}", "enum": "one of {}",
}  # fmt: skip
# What the door, Flask or the database may answer anywhere, and no route declares.
ANYWHERE = ("invalid_request", "not_found", "method_not_allowed", "conflict", "internal_error", "https_required")
# A problem that comes from more routes than these is shown with their number.
NAMED = 6

DEFAULT_URL = own_url({name: Settings.model_fields[name].default for name in ("host", "port")})

EVENTS = """The audit trail holds one row an event: when, who, in which session, from which address and user
agent, in which request. The names are stable."""
PROBLEMS = """Every refusal is an `application/problem+json` document (RFC 9457) with `type`, `title`, `status`,
`detail`, `code`, `message` (equal to `detail`), `request_id`, and `errors` where fields are at fault. Clients branch on
`code`, which is stable."""
FIELDS = """Unknown fields are refused, types are strict (`"1"` is not `1`), texts are normalised to NFKC. A route that
changes something and is not listed asks for no body: nothing or `{}` may come. Queries are as strict; only public
documents take no notice of them, and `/auth/verify`, where a proxy asks with the query of another request.

Across fields: <!-- asvs: 2.1.2 -->

- A username has no `@`, so that no username is somebody's address and one look-up knows which is meant.
- A new password is not made of the person's own username or address, and differs from the old one.
- A mailed code works only together with the address it was sent to, a mailed link only for the account and the purpose
  it was made for."""


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def headed(title: str, text: str) -> str:
    """The beginning of a generated document."""
    return f"{MADE}# {title}\n\n{text}\n\n"


def events() -> str:
    """docs/events.md: every name that the audit trail knows."""
    rows = ([f"`{name}`", told] for name, told in events_of.NAMES.items())
    return headed("Events", EVENTS) + table(["name", "tells"], rows)


def problems(routes: list[Route]) -> str:
    """docs/problems.md: every code a client may branch on, with the routes that answer it."""
    where: dict[str, list[str]] = {}
    for route in routes:
        for problem in problems_of(route.told):
            where.setdefault(problem.code, []).append(f"`{route.told.method} {route.path}`")
    rows = (
        [f"`{kind.code}`", str(kind.status), kind.detail, _meaning(kind), _places(kind, where)] for kind in _kinds()
    )
    return headed("Problems", PROBLEMS) + table(["code", "status", "message", "when", "where"], rows)


def _kinds() -> list[type[Problem]]:
    """The class that each code belongs to, by status."""
    by_code: dict[str, type[Problem]] = {}
    for kind in _below(Problem):
        if "code" in vars(kind) and "detail" in vars(kind):
            by_code.setdefault(kind.code, kind)
    return sorted(by_code.values(), key=lambda kind: kind.status)


def _below(kind: type[Problem]) -> Iterator[type[Problem]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


def _meaning(kind: type[Problem]) -> str:
    return (getdoc(kind) or "").replace("\n", " ")


def _places(kind: type[Problem], where: dict[str, list[str]]) -> str:
    if kind.code in ANYWHERE:
        return "anywhere"
    found = where.get(kind.code, [])
    return ", ".join(found) if len(found) <= NAMED else f"{len(found)} routes"


def fields(api: dict[str, Any]) -> str:
    """docs/fields.md: every rule of every field of every request."""
    sections = [headed("Fields", FIELDS).rstrip() + "\n"]
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            if rows := [*_parameters(operation), *_body(operation, api["components"]["schemas"])]:
                heading = f"## {method.upper()} {path}\n\n"
                sections.append(heading + table(["field", "in", "type", "required", "rules"], rows))
    return "\n".join(sections)


def _parameters(operation: dict[str, Any]) -> Iterator[list[str]]:
    for found in operation.get("parameters", []):
        told = {"description": found.get("description", ""), **found["schema"]}
        yield [f"`{found['name']}`", found["in"], _type(told), _yes(found["required"]), _rules(told)]


def _body(operation: dict[str, Any], schemas: dict[str, Any]) -> Iterator[list[str]]:
    if "requestBody" not in operation:
        return
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    model = schemas[reference.rpartition("/")[2]]
    for name, schema in model.get("properties", {}).items():
        yield [f"`{name}`", "body", _type(schema), _yes(name in model.get("required", [])), _rules(schema)]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(found) for found in schema["anyOf"])
    if schema.get("type") == "array":
        return f"array of {_type(schema['items'])}"
    return str(schema.get("type", "any"))


def _rules(schema: dict[str, Any]) -> str:
    """The rules of a field in words; of one that may be null those of its value."""
    told = [words.format(_listed(schema[name])) for name, words in RULES.items() if name in schema]
    told += [_rules(found) for found in schema.get("anyOf", []) if found.get("type") != "null"]
    if "default" in schema:
        told.append(f"default `{str(schema['default']).lower()}`")
    told.append(schema.get("description", ""))
    return "; ".join(part for part in told if part)


def _listed(value: Any) -> str:
    return ", ".join(f"`{one}`" for one in value) if isinstance(value, list) else str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def settings() -> str:
    """The table of the settings for the README."""
    rows = (
        [f"`{name.upper()}`", _default(field), field.description or ""] for name, field in Settings.model_fields.items()
    )
    return table(["name", "default", "meaning"], rows)


def example_settings() -> str:
    """.env.example: every setting with its default, one a line; an empty value is the default."""
    head = "# Copy to .env and change what differs. These are the defaults; an empty value means the default.\n"
    lines = (
        f'{name.upper()}="{_written(field)}"  # {field.description}\n' for name, field in Settings.model_fields.items()
    )
    return head + "".join(lines)


def _default(field: FieldInfo) -> str:
    if field.default_factory is own_url:
        return f"`{DEFAULT_URL}`"
    if field.default_factory is not None:
        return "by the machine"
    if isinstance(field.default, Path):
        return f"`{field.default.name}/`"
    return f"`{_written(field)}`" if _written(field) else "none"


def _written(field: FieldInfo) -> str:
    """A default as the environment would say it."""
    if field.default_factory is not None or isinstance(field.default, Path | tuple):
        return ""
    if isinstance(field.default, bool):
        return "on" if field.default else "off"
    return str(field.default)
