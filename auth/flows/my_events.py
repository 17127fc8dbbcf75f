"""One's own security events: what happened to the account, when and from where."""

from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field

from auth import access, events, paging, useragent
from auth.endpoint import endpoint
from auth.fields import Answer
from auth.paging import Page

bp = Blueprint("my_events", __name__)


class EventAnswer(Answer):
    """One thing that happened; docs/events.md lists the names."""

    id: int
    at: datetime
    name: Annotated[str, Field(examples=["login.succeeded"])]
    session_id: str | None
    ip: str | None
    user_agent: str | None
    device: Annotated[str, Field(examples=["Firefox on Linux"])]
    data: dict[str, Any]


@endpoint(bp, "GET", "/auth/me/events", query=Page, returns=paging.page_of(EventAnswer), auth="access")
def list_my_events(query: Page) -> dict[str, Any]:
    """The events of the account, newest first."""
    rows = events.of_person(access.user_id(), query.number(), query.limit + 1)
    return paging.page(rows, query.limit, _show, lambda row: (row.at, row.id))


def _show(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at,
        "name": row.name,
        "session_id": row.session_id,
        "ip": row.ip,
        "user_agent": row.user_agent,
        "device": useragent.describe(row.user_agent or ""),
        "data": row.data,
    }
