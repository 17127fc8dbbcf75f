"""One's own sessions: see where one is signed in, and end one of them."""

from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field

from auth import access, paging, session_rows, sessions, useragent
from auth.endpoint import endpoint
from auth.fields import Answer
from auth.paging import Page
from auth.problems import NotFound

bp = Blueprint("sessions", __name__)


class SessionAnswer(Answer):
    """One open session."""

    id: str
    current: bool
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str
    device: Annotated[str, Field(examples=["Firefox on Linux"])]
    amr: list[str]


@endpoint(bp, "GET", "/auth/sessions", query=Page, returns=paging.page_of(SessionAnswer), auth="access")
def list_sessions(query: Page) -> dict[str, Any]:
    """The open sessions, newest first."""
    rows = session_rows.open_sessions(access.user_id(), before=query.position(), limit=query.limit + 1)
    return paging.page(rows, query.limit, _show, lambda row: (row.created_at, row.id))


@endpoint(bp, "DELETE", "/auth/sessions/<session_id>", status=204, auth="access", errors=(NotFound,))
def end_session(session_id: str) -> None:
    """End one session. One that is not one's own is not there."""
    if not sessions.revoke(session_id[:64], "ended by its owner", access.user_id()):
        raise NotFound


def _show(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "current": row.id == access.session_id(),
        "created_at": row.created_at,
        "last_used_at": row.last_used_at,
        "expires_at": min(row.expires_at, row.idle_expires_at),
        "ip": row.ip,
        "user_agent": row.user_agent,
        "device": useragent.describe(row.user_agent),
        "amr": row.amr.split(),
    }
