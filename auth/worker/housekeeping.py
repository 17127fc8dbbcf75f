"""What is past is removed, in small batches, so that no table grows without end and no batch holds up a request."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, select

from auth import database, devices
from auth.mail import outbox
from models import Attempt, Base, Device, HeldName, OneTimeSecret, RateWindow, RevokedToken, Session, SigningKey, now

BATCH = 500
# So many batches of a table at a time: others shall have their turn.
BATCHES = 20
ATTEMPTS_KEPT = timedelta(days=30)
DEVICES_KEPT = timedelta(days=180)
# A device that has not guessed for so long has a token that is void, or a later sign-in, which gives its budget back.
DEVICE_ATTEMPTS_KEPT = timedelta(seconds=devices.COOKIE_SECONDS)


def purge() -> bool:
    """Remove what is past from every table; whether some is left."""
    return sum(_purge(ids) for ids in _past()) > 0


_of_a_name = Attempt.subject.not_like("user:%") & Attempt.subject.not_like("device:%")


def _past() -> list[Select[Any]]:
    time = now()
    return [
        _ids(OneTimeSecret, OneTimeSecret.expires_at <= time),
        _ids(Session, Session.expires_at <= time),
        _ids(RevokedToken, RevokedToken.expires_at <= time),
        _ids(RateWindow, RateWindow.expires_at <= time),
        # Guesses at an account are kept as long as the account: a hundred in a row lock it, however slow they are.
        # Those under a name go whether anybody has it or not: nothing tells the two apart.
        _ids(Attempt, _of_a_name & (Attempt.last_guess_at <= time - ATTEMPTS_KEPT)),
        _ids(Attempt, Attempt.subject.like("device:%") & (Attempt.last_guess_at <= time - DEVICE_ATTEMPTS_KEPT)),
        _ids(Device, Device.last_seen_at <= time - DEVICES_KEPT),
        _ids(HeldName, HeldName.held_until <= time),
        _ids(SigningKey, SigningKey.verify_until <= time),
        outbox.past(),
    ]


def _ids(model: type[Base], past: ColumnElement[bool]) -> Select[Any]:
    return select(*_table(model).primary_key).where(past)


def _table(model: type[Base]) -> Table:
    return Base.metadata.tables[model.__tablename__]


def _purge(ids: Select[Any]) -> bool:
    """Remove rows by their ids until few are left or the turn is over; whether some are left."""
    key = next(iter(ids.selected_columns))
    table = key.table
    for _ in range(BATCHES):
        with database.apart():
            batch = table.c[key.name].in_(database.batch(ids, BATCH))
            removed = database.execute(delete(table).where(batch).returning(key)).all()
        if len(removed) < BATCH:
            return False
    return True
