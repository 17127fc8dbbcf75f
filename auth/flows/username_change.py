"""Change the username."""

from typing import Any, ClassVar

from flask import Blueprint

from auth import access, events, users
from auth.endpoint import endpoint
from auth.fields import Answer, Body, Username
from auth.problems import FreshTokenRequired, UsernameTaken

bp = Blueprint("username_change", __name__)


class UsernameChange(Body):
    """The new username."""

    missing: ClassVar[str] = "Missing username"

    username: Username


class Renamed(Answer):
    """The username from now on; it is in the tokens from the next refresh on."""

    message: str
    username: str


@endpoint(
    bp, "POST", "/auth/username/change", body=UsernameChange, returns=Renamed, auth="fresh", limit="account",
    errors=(FreshTokenRequired, UsernameTaken),
)  # fmt: skip
def change_username(body: UsernameChange) -> dict[str, Any]:
    """Use another username from now on. The old one is free at once."""
    users.rename(access.user_id(), body.username)
    events.record("username.changed", access.user_id(), access.session_id())
    return {"message": "Your username was changed", "username": body.username}
