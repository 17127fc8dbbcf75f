"""docs/gatehouse.postman_collection.json: a Postman collection (v2.1) made from the OpenAPI document.

First a tour that runs from register to logout, then a folder for each flow with every request and an example body.
"""

import re
import uuid
from typing import Any

import orjson

from auth.docs import tour

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
VARIABLES = {
    "baseUrl": "", "username": "ada", "email": "ada@example.com", "password": "Tulip-Anvil-Crater-59",
    "access_token": "", "refresh_token": "", "session_id": "",
}  # fmt: skip
# Fields of bodies and paths that hold what the tour has saved.
SAVED = {
    "username": "username", "identifier": "username", "email": "email", "password": "password",
    "current_password": "password", "access_token": "access_token", "refresh_token": "refresh_token",
    "session_id": "session_id",
}  # fmt: skip

Item = dict[str, Any]


def pretty(document: dict[str, Any]) -> str:
    """JSON that people can read and compare."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"


def collection(api: dict[str, Any]) -> dict[str, Any]:
    """The collection of an OpenAPI document."""
    requests = _requests(api)
    folders = [
        {
            "name": tag["name"],
            "description": tag["description"],
            "item": [_checked(item, codes) for item, codes, tags in requests.values() if tag["name"] in tags],
        }
        for tag in api["tags"]
    ]
    info = {
        "_postman_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "urn:gatehouse:postman")),
        "name": api["info"]["title"],
        "description": api["info"]["description"],
        "schema": SCHEMA,
    }
    values = {**VARIABLES, "baseUrl": api["servers"][0]["url"]}
    return {
        "info": info,
        "auth": _bearer("access_token"),
        "variable": [{"key": key, "value": value} for key, value in values.items()],
        "item": [tour.folder({name: item for name, (item, _, _) in requests.items()}), *folders],
    }


def _requests(api: dict[str, Any]) -> dict[str, tuple[Item, list[int], list[str]]]:
    """Every operation as a request, with the statuses it may answer and its tags, by operation id."""
    return {
        operation["operationId"]: (
            _item(method, path, operation),
            sorted(int(status) for status in operation["responses"]),
            operation["tags"],
        )
        for path, operations in api["paths"].items()
        for method, operation in operations.items()
    }


def _item(method: str, path: str, operation: dict[str, Any]) -> Item:
    headers = [
        {"key": found["name"], "value": found["schema"].get("enum", [""])[0], "disabled": True}
        for found in operation.get("parameters", [])
        if found["in"] == "header"
    ]
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": headers,
        "url": _url(path, operation.get("parameters", [])),
        "description": operation["description"],
        **_auth(operation["security"]),
    }
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        raw = pretty(_with_variables(example)).rstrip()
        request["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
        request["header"] = [{"key": "Content-Type", "value": "application/json"}, *headers]
    return {"name": operation["summary"], "request": request, "response": []}


def _url(path: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    parts = [re.sub(r"^\{(\w+)\}$", r":\1", part) for part in path.strip("/").split("/")]
    url: dict[str, Any] = {"raw": "{{baseUrl}}/" + "/".join(parts), "host": ["{{baseUrl}}"], "path": parts}
    if named := [found["name"] for found in parameters if found["in"] == "path"]:
        url["variable"] = [{"key": name, "value": _variable(name) or "1"} for name in named]
    if queried := [found["name"] for found in parameters if found["in"] == "query"]:
        url["query"] = [{"key": name, "value": "", "disabled": True} for name in queried]
    return url


def _auth(ways: list[dict[str, Any]]) -> dict[str, Any]:
    """An open route sends nothing; one for refresh tokens sends that; the others send what the collection says."""
    if not ways:
        return {"auth": {"type": "noauth"}}
    return {"auth": _bearer("refresh_token")} if "refreshToken" in ways[0] else {}


def _bearer(variable: str) -> dict[str, Any]:
    return {"type": "bearer", "bearer": [{"key": "token", "value": "{{" + variable + "}}", "type": "string"}]}


def _with_variables(example: dict[str, Any]) -> dict[str, Any]:
    return {name: _variable(name) or value for name, value in example.items()}


def _variable(name: str) -> str | None:
    return "{{" + SAVED[name] + "}}" if name in SAVED else None


def _checked(item: Item, codes: list[int]) -> Item:
    """The request with a test that its answer is one of those documented; tokens that come are kept."""
    test = f"pm.test('the status is documented', () => pm.expect(pm.response.code).to.be.oneOf({codes}));"
    return {**item, "event": [tour.script("test", [test, *tour.KEEP_TOKENS])]}
