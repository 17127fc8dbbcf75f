"""Everything that is kept about a person, as one JSON document (GDPR, articles 15 and 20).

The document is made from the tables themselves: whatever has the person's id is in it, but for what is a secret, and
what is kept encrypted and is none. Its schema is that of `Export` in the API document.
"""

import base64
from datetime import datetime
from types import GenericAlias
from typing import Annotated, Any, Literal

from flask import Blueprint, Response
from pydantic import BeforeValidator, Field, create_model
from sqlalchemy import JSON, Column, LargeBinary, Table, select

from auth import access, answers, database, events
from auth.endpoint import endpoint
from auth.factors import authenticators
from auth.factors.enrolled import SMS
from auth.fields import Answer
from auth.problems import FreshTokenRequired
from models import Base, Moment, now

bp = Blueprint("export", __name__)


def _base64url(data: bytes) -> str:
    """As `PublicKeyCredential.toJSON()` writes bytes (WebAuthn section 5.1)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


Bytes = Annotated[
    str,
    BeforeValidator(_base64url),
    Field(description="Base64url without padding.", examples=["AbCdEfGhIjKlMnOpQrStUv"]),
]

# Secrets and their hashes prove who somebody is and say nothing of them; the rest repeats a name in another form.
WITHHELD = frozenset({
    "password_hash", "username_key", "username_skeleton", "email_key", "secret_hash", "code_hash", "name_hash",
    "origin_hash", "previous_hash", "hash", "subject", "claim", "generation", "device_epoch",
})  # fmt: skip
# Of a passkey's; all other bytes are encrypted.
PLAIN_BYTES = frozenset({"credential_id", "user_handle", "public_key"})


def _is_shown(column: Column[Any]) -> bool:
    sealed = isinstance(column.type, LargeBinary) and column.name not in PLAIN_BYTES
    return column.name not in WITHHELD and column.name != "user_id" and not sealed


def _shown(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if _is_shown(column)]


def _type(name: str, told: str, members: dict[str, Any]) -> type[Answer]:
    return create_model(name, __base__=Answer, __doc__=told, **members)


def _kind(column: Column[Any]) -> Any:
    if isinstance(column.type, Moment):
        return datetime
    if isinstance(column.type, LargeBinary):
        return Bytes
    return Any if isinstance(column.type, JSON) else column.type.python_type


def _type_of(table: Table) -> type[Answer]:
    kinds = {column: _kind(column) for column in _shown(table)}
    name = "Exported" + "".join(word.capitalize() for word in table.name.split("_"))
    return _type(name, f"A row of {table.name}.", {column.name: (kind | None, ...) for column, kind in kinds.items()})


USERS = Base.metadata.tables["users"]
OWNED = {name: table for name, table in sorted(Base.metadata.tables.items()) if "user_id" in table.columns}

Export = _type(
    "Export",
    "Everything that is kept about a person.",
    {
        "format": (Literal["gatehouse-export-1"], ...),
        "exported_at": (datetime, ...),
        "account": (_type_of(USERS), ...),
        "phone_numbers": (list[str], Field(examples=[["+4915112345678"]])),
        **{name: (GenericAlias(list, (_type_of(table),)), ...) for name, table in OWNED.items()},
    },
)


@endpoint(bp, "GET", "/auth/me/export", returns=Export, auth="fresh", limit="account", errors=(FreshTokenRequired,))
def export() -> Response:
    """Everything that is kept about the person, as an attachment."""
    events.record("account.exported", access.user_id(), access.session_id())
    members: dict[str, Any] = {name: _rows(table, table.c.user_id) for name, table in OWNED.items()}
    members |= {"format": "gatehouse-export-1", "exported_at": now(), "account": _rows(USERS, USERS.c.id)[0]}
    phones = map(authenticators.secret_of, authenticators.in_force(access.user_id(), SMS))
    members["phone_numbers"] = [number for number in phones if number]
    made = Export(**members)
    return answers.attachment(made.model_dump(mode="json"), "gatehouse-export.json")


def _rows(table: Table, owner: Column[Any]) -> list[dict[str, Any]]:
    mine = select(*_shown(table)).where(owner == access.user_id()).order_by(*table.primary_key)
    return [dict(row._mapping) for row in database.execute(mine)]
