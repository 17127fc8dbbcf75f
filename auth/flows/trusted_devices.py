"""The devices on which one is not asked for a second factor again: see them, and have one asked again."""

from datetime import datetime
from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field

from auth import access, devices, paging, useragent
from auth.endpoint import endpoint
from auth.factors import trust
from auth.fields import Answer
from auth.paging import Page
from auth.problems import NotFound

bp = Blueprint("trusted_devices", __name__)


class TrustedDevice(Answer):
    """A device that skips the second factor until `trusted_until`."""

    id: str
    current: bool
    device: Annotated[str, Field(examples=["Firefox on Linux"])]
    user_agent: str
    ip: str
    created_at: datetime
    last_seen_at: datetime
    trusted_until: datetime


@endpoint(bp, "GET", "/auth/devices", query=Page, returns=paging.page_of(TrustedDevice), auth="access")
def list_devices(query: Page) -> dict[str, Any]:
    """The devices that skip the second factor, the one seen last first.

    A change of the password, or signing out everywhere, ends them all.
    """
    rows = trust.of(access.user_id(), after=query.position(), limit=query.limit + 1)
    return paging.page(rows, query.limit, _show, lambda row: (row.last_seen_at, row.id))


@endpoint(bp, "DELETE", "/auth/devices/<device_id>", status=204, auth="access", errors=(NotFound,))
def forget_device(device_id: str) -> None:
    """Have a device give the second factor again. One that is not one's own is not there."""
    if not trust.forget(access.user_id(), device_id[:64]):
        raise NotFound


def _show(row: Any) -> dict[str, Any]:
    account = access.account()
    return {
        "id": row.id,
        "current": row.id == devices.known(account.id, account.device_epoch),
        "device": useragent.describe(row.user_agent),
        "user_agent": row.user_agent,
        "ip": row.ip,
        "created_at": row.created_at,
        "last_seen_at": row.last_seen_at,
        "trusted_until": row.trusted_until,
    }
