"""The device a person has signed in on before: a signed token that it keeps, in a cookie or sent as `X-Device-Token`.

It opens nothing. It gives the device a budget of guesses of its own, so that nobody can lock a person out of their own
browser, and lets a session say where it began. The token names no person, and proves only for the one it was made for,
in the epoch of the account it was made in (a new password begins another), and as long as its cookie lives.
"""

import time

from flask import request

from auth import crypto
from config import settings

HEADER = "X-Device-Token"
COOKIE_SECONDS = 400 * 86_400
PURPOSE = "device"


def cookie_name() -> str:
    """The name of its cookie."""
    return "__Host-device" if settings().secure_cookies else "device"


def known(user_id: int, epoch: int) -> str | None:
    """The id of the device that asks, if the person with this id has signed in on it in this epoch of the account."""
    token = request.headers.get(HEADER) or request.cookies.get(cookie_name())
    if not token:
        return None
    told, _, proof = token.rpartition(".")
    if not crypto.proves(PURPOSE, f"{told}.{user_id}.{epoch}", proof):
        return None
    device_id, _, made = told.partition(".")
    return device_id if time.time() - int(made) < COOKIE_SECONDS else None


def id_of(token: str) -> str:
    """The device that keeps this token."""
    return token.partition(".")[0]


def token(device_id: str, user_id: int, epoch: int) -> str:
    """What the device keeps."""
    told = f"{device_id}.{int(time.time())}"
    return f"{told}.{crypto.keyed_hash(PURPOSE, f'{told}.{user_id}.{epoch}')}"
