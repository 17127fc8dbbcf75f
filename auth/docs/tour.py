"""The tour of the Postman collection: register, log in, call, refresh, log out, each step with its tests."""

from typing import Any

# A person whom the service does not know yet, so that the tour can be run again and again.
NEW_PERSON = [
    "const name = 'ada-' + Date.now().toString(36);",
    "pm.collectionVariables.set('username', name);",
    "pm.collectionVariables.set('email', name + '@example.com');",
]
KEEP_TOKENS = [
    "if (pm.response.code < 300 && pm.response.text().includes('access_token')) {",
    "  for (const [name, value] of Object.entries(pm.response.json())) pm.collectionVariables.set(name, value);",
    "}",
]


def _equal(member: str, expected: str) -> str:
    return f"pm.test('{member}', () => pm.expect(pm.response.json().{member}).to.eql({expected}));"


def _variable(name: str) -> str:
    return f"pm.collectionVariables.get('{name}')"


# The operation, the name of the step, the status it must have, and what is tested and kept.
STEPS: tuple[tuple[str, str, int, list[str]], ...] = (
    ("register", "Register", 201, [_equal("message", "'User registered successfully'")]),
    ("login", "Log in", 200, KEEP_TOKENS),
    ("protected", "Call a protected route", 200, [_equal("logged_in_as", _variable("username"))]),
    ("me", "Read the account", 200, [_equal("email", _variable("email"))]),
    ("refresh", "Refresh", 200, KEEP_TOKENS),
    ("list_sessions", "See where one is signed in", 200, [_equal("items[0].id", _variable("session_id"))]),
    ("logout", "Log out", 200, []),
    ("protected", "The token is void at once", 401, [_equal("code", "'token_revoked'")]),
)


def folder(requests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The folder of the tour, out of the requests by operation id."""
    items = [_step(requests[operation], name, status, lines) for operation, name, status, lines in STEPS]
    items[0]["event"].insert(0, script("prerequest", NEW_PERSON))
    return {"name": "tour", "description": "From register to logout; runs by itself, in this order.", "item": items}


def _step(request: dict[str, Any], name: str, status: int, lines: list[str]) -> dict[str, Any]:
    answered = f"pm.test('{status}', () => pm.response.to.have.status({status}));"
    return {**request, "name": name, "event": [script("test", [answered, *lines])]}


def script(listen: str, lines: list[str]) -> dict[str, Any]:
    """A script that runs before a request or on its answer."""
    return {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}
