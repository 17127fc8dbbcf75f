"""OpenAPI 3.1 from what `@endpoint` was told: the whole document, and its published form.

Nothing is described twice: a route's summary is its docstring, its types are the pydantic models, its refusals are the
problems it was declared with plus those that the door adds.
"""

from collections import Counter
from dataclasses import dataclass
from inspect import getdoc
from sys import modules
from typing import Any

from flask import Flask

import auth
from auth import endpoint
from auth.endpoint import Endpoint
from auth.openapi import operations, security
from auth.openapi.schemas import Schemas

DESCRIPTION = """Register, sign in, refresh, sign out; verify tokens here or offline from `/.well-known/jwks.json`.

Every refusal is a problem document (RFC 9457): branch on `code`, show `message`. Every answer carries `X-Request-Id`.
Send `X-Auth-Transport: cookie` to receive the tokens in cookies; unsafe requests by cookie then need `X-CSRF-Token`."""


@dataclass(frozen=True, slots=True)
class Route:
    """A declared route with the flow it belongs to, its path in the document, and a name that no other has."""

    told: Endpoint
    flow: str
    path: str
    name: str


def routes(app: Flask) -> list[Route]:
    """Every declared route, in the order of the registry."""
    declared = endpoint.declared(app)
    shared = {name for name, times in Counter(told.name for told in declared).items() if times > 1}
    return [Route(told, _flow(told), operations.path(told.rule), _name(told, shared)) for told in declared]


def document(app: Flask, server: str) -> dict[str, Any]:
    """The OpenAPI document of the application, served at the address `server`."""
    found = routes(app)
    schemas = Schemas([route.told for route in found])
    paths: dict[str, dict[str, Any]] = {}
    for route in found:
        operation = operations.operation(route.told, schemas)
        named = {"tags": [route.flow], "operationId": route.name, **operation}
        paths.setdefault(route.path, {})[route.told.method.lower()] = named
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gatehouse", "version": auth.__version__, "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": server}],
        "tags": _tags(found),
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "examples": schemas.problem_examples(),
            "headers": operations.HEADERS,
            "securitySchemes": security.SCHEMES,
        },
    }  # fmt: skip


def _flow(told: Endpoint) -> str:
    """The name of the flow that declares a route: `login` for auth.flows.login."""
    return told.view.__module__.removeprefix("auth.flows.").partition(".")[0]


def _name(told: Endpoint, shared: set[str]) -> str:
    """The name of the view, behind that of its flow when another flow has a view of that name."""
    return f"{_flow(told)}_{told.name}" if told.name in shared else told.name


def _tags(found: list[Route]) -> list[dict[str, str]]:
    first = {route.flow: route.told.view.__module__ for route in reversed(found)}
    told = {flow: (getdoc(modules[first[flow]]) or "").partition("\n")[0] for flow in first}
    order = dict.fromkeys(route.flow for route in found)
    return [{"name": flow, "description": told[flow]} for flow in order]
