"""Devices on which a person is not asked for the second factor again, for thirty days by default.

The token that every device keeps is not enough: there must be a row, which the person sees and can remove. What began
on a trusted device was proven by one factor, and is never fresh where both are wanted.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from auth import database, devices, events
from config import settings
from models import Device, now


def holds(user_id: int, device_id: str | None) -> bool:
    """Whether the device is trusted by this person; notes that it was seen."""
    if device_id is None:
        return False
    mine = (Device.id == device_id, Device.user_id == user_id, Device.trusted_until > now())
    seen = update(Device).where(*mine).values(last_seen_at=now(), ip=events.origin()[0])
    return database.execute(seen.returning(Device.id)).first() is not None


def begin(user_id: int, token: str) -> None:
    """Trust the device that keeps this token from now on, unless the settings forbid it."""
    days = settings().trusted_device_days
    if not days:
        return
    time = now()
    until = time + timedelta(days=days)
    ip, user_agent, _ = events.origin()
    row = {
        "id": devices.id_of(token),
        "user_id": user_id,
        "user_agent": user_agent,
        "ip": ip,
        "created_at": time,
        "last_seen_at": time,
        "trusted_until": until,
    }
    database.execute(database.by_dialect(_trusting), row)
    events.record("device.trusted", user_id, until=until.isoformat(timespec="seconds"))


def of(user_id: int, *, after: tuple[datetime, str] | None, limit: int) -> list[Any]:
    """The devices a person trusts, the one seen last first, after the position `after`."""
    mine = select(Device.__table__).where(Device.user_id == user_id, Device.trusted_until > now())
    if after is not None:
        seen, name = after
        mine = mine.where((Device.last_seen_at < seen) | ((Device.last_seen_at == seen) & (Device.id < name)))
    return list(database.execute(mine.order_by(Device.last_seen_at.desc(), Device.id.desc()).limit(limit)).all())


def forget(user_id: int, device_id: str) -> bool:
    """Trust a device no more; whether it was trusted."""
    mine = delete(Device).where(Device.id == device_id, Device.user_id == user_id)
    if database.execute(mine.returning(Device.id)).first() is None:
        return False
    events.record("device.forgotten", user_id)
    return True


def forget_all(user_id: int) -> None:
    """Trust no device of a person any more."""
    database.execute(delete(Device).where(Device.user_id == user_id))


def _trusting(insert: Any) -> Any:
    told = insert(Device)
    again = {"trusted_until": told.excluded.trusted_until, "last_seen_at": told.excluded.last_seen_at}
    return told.on_conflict_do_update(index_elements=[Device.id], set_=again)
