"""Realistic examples. A field's own `examples` come first; names that mean the same everywhere are listed here."""

from typing import Any

REQUEST_ID = "9f2c41d07be85a6310c4d2ee"
NUMBERS: dict[str, int] = {
    "id": 1, "user_id": 1, "expires_in": 900, "refresh_expires_in": 1209600, "auth_time": 1767225600,
    "expires_at": 1767226500, "revoked": 2, "timeout": 300000, "recovery_codes_left": 9,
}  # fmt: skip
TEXTS: dict[str, str] = {
    "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "refresh_token": "eyJhbGciOiJFZERTQSIsInR5cCI6InJ0K2p3dCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "csrf_token": "f2ca1bb6c7e907d06dafe4687e579fce76b37e4e93b7605022da52e6ccc26fd2",
    "token_type": "Bearer", "id": "7Zk3vQpXoLw2mTn5RbYsHd", "session_id": "7Zk3vQpXoLw2mTn5RbYsHd",
    "username": "alice", "logged_in_as": "alice", "email": "alice@example.com",
    "last_used_at": "2026-01-01T00:15:00Z", "expires_at": "2026-01-15T00:15:00Z",
    "ip": "203.0.113.7", "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "request_id": REQUEST_ID, "device_id": "q0rG8tXk2Jm5uVwYbZc1dA", "message_id": "<3f1c9a7e@gatehouse.example.com>",
    "locale": "en", "kind": "totp", "factor": "totp", "purpose": "email.verify", "template": "verify_email",
    "aaguid": "fbfc3007-154e-4ecc-8c0b-6e020557d7bd", "revoked_why": "logout",
    "amr": "pwd", "acr": "aal1", "status": "ok", "message": "Done", "name": "My phone",
    "next_cursor": "MTc2NzIyNTYwMDAwMDAwMCA3Wms", "token": "1n5V3rYl0ng0paqueS3cretThatCame", "openapi": "3.1.0",
    "otpauth_uri": "otpauth://totp/Gatehouse:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Gatehouse",
    "challenge": "qNqrdXUrk5S7dCM1MAYH3qSVDXznb-6prQoGqiACR10", "rpId": "auth.example.com",
    "userVerification": "required", "attestation": "none",
    "qr_svg": '<svg xmlns="http://www.w3.org/2000/svg" width="41" height="41"><path d="M4 4.5h7"/></svg>',
}  # fmt: skip
LISTS: dict[str, list[Any]] = {
    "amr": ["pwd"], "roles": ["editor"], "methods": ["totp", "recovery_code"], "recovery_codes": ["7F3K-9QXM"],
    "transports": ["internal", "hybrid"], "pubKeyCredParams": [{"type": "public-key", "alg": -8}],
    "excludeCredentials": [], "allowCredentials": [],
    "keys": [{
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "use": "sig", "alg": "EdDSA",
    }],
}  # fmt: skip
OBJECTS: dict[str, dict[str, Any]] = {
    "data": {"amr": ["pwd"]}, "rp": {"id": "auth.example.com", "name": "Gatehouse"},
    "user": {"id": "4mQ0nX2c8u5sVtY1bKdWzA", "name": "alice", "displayName": "alice"},
    "authenticatorSelection": {"residentKey": "required", "userVerification": "required"},
    "info": {"title": "Gatehouse", "version": "0.1.0"},
    "credential": {
        "id": "AbCdEfGhIjKlMnOpQrStUv", "rawId": "AbCdEfGhIjKlMnOpQrStUv", "type": "public-key",
        "response": {"clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0"},
    },
}  # fmt: skip
MOMENT = "2026-01-01T00:00:00Z"
BY_TYPE: dict[str, dict[str, Any]] = {"integer": NUMBERS, "string": TEXTS, "array": LISTS, "object": OBJECTS}
BLANK: dict[str, Any] = {"integer": 1, "number": 1, "boolean": True, "null": None, "string": "text", "object": {}}

_LIFETIMES = {name: NUMBERS[name] for name in ("expires_in", "refresh_expires_in")}
_SESSION = {"token_type": "Bearer", **_LIFETIMES, "session_id": TEXTS["session_id"]}
# Types whose members depend on one another are shown by hand.
EXPLICIT: dict[str, dict[str, Any]] = {
    "TokensAnswer": {
        "bearer": {
            "summary": "In the body",
            "value": {**{name: TEXTS[name] for name in ("access_token", "refresh_token")}, **_SESSION},
        },
        "cookie": {
            "summary": "In cookies, with X-Auth-Transport: cookie",
            "value": {"csrf_token": TEXTS["csrf_token"], **_SESSION},
        },
    }
}
# What problems carry beside the members that all of them have.
PROBLEM_MEMBERS: dict[str, dict[str, Any]] = {
    "invalid_request": {
        "detail": "Invalid username",
        "errors": [{"field": "username", "code": "value_error", "message": "must have 3 to 80 characters"}],
    },
    "mfa_required": {
        "mfa_token": "Uq3hS0mAdr1f7nV9kXc2bE5wZy8tL4jPgR6oI0eKs1M",
        "methods": ["totp", "recovery_code"],
        "expires_in": 600,
    },
    "rate_limited": {"retry_after": 12},
    "account_locked": {"retry_after": 300},
}


def of(schema: dict[str, Any], components: dict[str, Any], name: str = "") -> Any:
    """An example of a schema: of an object its required members, or the first one when none is required."""
    if "$ref" in schema:
        return of(components[schema["$ref"].rpartition("/")[2]], components, name)
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return of(schema["anyOf"][0], components, name)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "properties" in schema:
        return _members(schema, components)
    return _plain(schema, components, name)


def _members(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    properties, required = schema["properties"], schema.get("required", [])
    # Where a link's token may come in place of an address and a code, it is the token that is shown.
    alternative = ["token"] if "token" in properties and "token" not in required else []
    shown = [*alternative, *required] or list(properties)[:1]
    return {name: of(properties[name], components, name) for name in shown}


def _plain(schema: dict[str, Any], components: dict[str, Any], name: str) -> Any:
    kind = schema.get("type", "object")
    known = BY_TYPE.get(kind, {})
    if name in known and "$ref" not in schema.get("items", {}):
        return known[name]
    if schema.get("format") == "date-time":
        return MOMENT
    if schema.get("default") is not None:
        return schema["default"]
    return [of(schema["items"], components, name)] if kind == "array" else BLANK[kind]
