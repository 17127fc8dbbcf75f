"""Log in with a username or an address and a password."""

from typing import ClassVar

from flask import Blueprint

from auth import passwords, sessions, users
from auth.endpoint import endpoint
from auth.fields import Body, Identifier, Password, TokensAnswer
from auth.problems import AccountLocked, InvalidCredentials
from auth.sessions import Tokens

bp = Blueprint("login", __name__)


class Login(Body):
    """A claim to be somebody, and its proof."""

    missing: ClassVar[str] = "Missing identifier or password"

    identifier: Identifier
    password: Password


@endpoint(
    bp, "POST", "/auth/login", body=Login, returns=TokensAnswer, limit="login",
    errors=(InvalidCredentials, AccountLocked, *sessions.REFUSALS),
)  # fmt: skip
def login(body: Login) -> Tokens:
    """Sign in. A wrong password and an unknown person are the same answer, after the same work."""
    account = passwords.check(users.find(body.identifier), body.identifier, body.password)
    return sessions.sign_in(account, amr=["pwd"])
