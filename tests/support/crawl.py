"""Every route there is, with a request that is well-formed: tests change one thing about it and look at the answers."""

import copy
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from flask import Flask
from sqlalchemy import select

from models import Base, db
from tests.support.clients import PASSWORD, SAFE_METHODS, Answer, BearerClient, Client, InProcess
from tests.support.documented import Documented
from tests.support.factors import App, renew, verified

# What belongs to nobody, in the form of each kind of path parameter.
NOBODYS = {"string": "nobodys", "integer": "999999"}


@dataclass(frozen=True)
class Route:
    """One declared route, its operation in the API document, and a well-formed request to it."""

    method: str
    path: str
    operation: dict[str, Any]
    schema: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    query: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    asked: str = ""

    @property
    def name(self) -> str:
        """Such as `POST /auth/login`."""
        return f"{self.method} {self.path}"

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The schema of each field of the body."""
        return self.schema.get("properties", {})

    @property
    def url(self) -> str:
        """The path with its parts filled in, and the query."""
        return re.sub(r"\{(\w+)\}", lambda part: self.parts[part[1]], self.path) + self.asked

    def with_field(self, name: str, value: Any) -> Self:
        """The request with one field set to a value."""
        return replace(self, body={**(self.body or {}), name: value})

    def with_part(self, name: str, value: str) -> Self:
        """The request with one part of the path set, as it stands in the address."""
        return replace(self, parts={**self.parts, name: value})

    def with_query(self, query: str) -> Self:
        """The request with a query, as it stands in the address."""
        return replace(self, asked=f"?{query}")

    def send(self, client: BearerClient, **options: Any) -> Answer:
        """Send the request as the client, with the token that the route asks for."""
        if "refreshToken" in (self.operation["security"] or [{}])[0]:
            options["headers"] = {"Authorization": f"Bearer {client.refresh_token}", **options.get("headers", {})}
        if self.body is not None and "data" not in options:
            options["json"] = self.body
        return client.request(self.method, self.url, **options)


def snapshot(app: Flask, *, but: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Every row of every table but those named, without what the database itself notes of a change."""
    tables = [table for table in Base.metadata.sorted_tables if table.name not in but]
    asked = {table.name: select(*[column for column in table.c if column.name != "updated_at"]) for table in tables}
    with app.app_context(), db.engine.connect() as connection:
        return {name: sorted(map(repr, connection.execute(rows).all())) for name, rows in asked.items()}


class Crawl:
    """The routes of an application, and people of it who may use all of them."""

    def __init__(self, client: Client) -> None:
        assert isinstance(client.wire, InProcess)
        self.app = client.wire.app
        self.client = client
        self.documented = Documented(self.app)
        self.routes = [
            self._route(path, method.upper(), operation)
            for path, operations in self.documented.document["paths"].items()
            for method, operation in operations.items()
        ]
        self._numbers = itertools.count(1)

    @property
    def with_body(self) -> list[Route]:
        """The routes that read a body."""
        return [route for route in self.routes if route.schema]

    @property
    def without_body(self) -> list[Route]:
        """The routes that change something and ask for no body."""
        return [route for route in self.routes if not route.schema and route.method not in SAFE_METHODS]

    def person(self) -> BearerClient:
        """Somebody new with a verified address and a second factor, who has just proven both: every route is open."""
        client = BearerClient(self.client.wire)
        app = App.enrolled(verified(client, f"crawler{next(self._numbers)}"))
        renew(client, password=PASSWORD, method="recovery_code", code=app.recovery_codes[0])
        return client

    def fields(self, kind: str) -> Iterator[tuple[Route, str, dict[str, Any]]]:
        """Every field of every body that may be of this JSON type, with its schema of that type."""
        for route in self.with_body:
            for name, schema in route.fields.items():
                for one in schema.get("anyOf", [schema]):
                    if one.get("type") == kind:
                        yield route, name, {**schema, **one}

    def snapshot(self, *, but: tuple[str, ...] = ()) -> dict[str, list[str]]:
        """As the function of this name."""
        return snapshot(self.app, but=but)

    def _route(self, path: str, method: str, operation: dict[str, Any]) -> Route:
        parameters = operation.get("parameters", [])
        parts = {one["name"]: NOBODYS[one["schema"]["type"]] for one in parameters if one["in"] == "path"}
        query = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return Route(method, path, operation, query=query, parts=parts)
        schema = self.documented.document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        body = {**copy.deepcopy(content["example"]), **_passwords(schema)}
        return Route(method, path, operation, schema, body, query, parts)


def _passwords(schema: dict[str, Any]) -> dict[str, str]:
    """The fields that ask for the person's own password."""
    own = schema.get("properties", {}).keys() & {"password", "current_password"}
    return dict.fromkeys(own, PASSWORD)
