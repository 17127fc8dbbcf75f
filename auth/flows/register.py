"""Register: a username, an address and a password become an account."""

from typing import Any, ClassVar

from flask import Blueprint

from auth import events, passwords, users
from auth.endpoint import endpoint
from auth.fields import Answer, Body, Email, Password, Username
from auth.problems import EmailTaken, RegistrationClosed, UsernameTaken
from config import settings

bp = Blueprint("register", __name__)


class Registration(Body):
    """Who wants an account."""

    missing: ClassVar[str] = "Missing username, email, or password"

    username: Username
    email: Email
    password: Password


class Registered(Answer):
    """The new account."""

    message: str
    user_id: int
    username: str
    email: str


@endpoint(
    bp, "POST", "/auth/register", body=Registration, returns=Registered, status=201, limit="register",
    errors=(UsernameTaken, EmailTaken, RegistrationClosed),
)  # fmt: skip
def register(body: Registration) -> dict[str, Any]:
    """Create an account. Names are compared without case and in one Unicode form."""
    if settings().registration == "closed":
        raise RegistrationClosed
    passwords.check_policy(body.password, body.username, body.email)
    users.check_free(body.username, body.email)
    user_id = users.create(body.username, body.email, passwords.hash_password(body.password))
    events.record("account.registered", user_id)
    message = "User registered successfully"
    return {"message": message, "user_id": user_id, "username": body.username, "email": body.email}
