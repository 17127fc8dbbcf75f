"""Register: a username, an address and a password become an account."""

from typing import Any, ClassVar

from flask import Blueprint, Response

from auth import answers, events, fields, links, mail, one_time, passwords, users
from auth.endpoint import endpoint
from auth.fields import Answer, Body, Email, Message, Password, Username
from auth.problems import EmailTaken, RegistrationClosed, UsernameTaken
from config import settings

bp = Blueprint("register", __name__)

PURPOSE = "private_registration"


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
    errors=(UsernameTaken, EmailTaken, RegistrationClosed), also=((202, Message),),
)  # fmt: skip
def register(body: Registration) -> dict[str, Any] | Response:
    """Create an account. Names are compared without case and in one Unicode form.

    With PRIVATE_REGISTRATION the answer is always 202, and the account is there once its address is confirmed.
    """
    if settings().registration == "closed":
        raise RegistrationClosed
    passwords.check_policy(body.password, body.username, body.email)
    if settings().private_registration:
        return _note(body)
    users.check_free(body.username, body.email)
    password_hash = passwords.hash_password(body.password)
    user_id = users.create(body.username, body.email, password_hash, mail.chosen_locale())
    events.record("account.registered", user_id)
    mail.ask(links.EMAIL_VERIFICATION, email=body.email)
    message = "User registered successfully"
    return {"message": message, "user_id": user_id, "username": body.username, "email": body.email}


def _note(body: Registration) -> Response:
    """Note a registration for the worker: no name is looked up, so that the answer can tell of none."""
    password_hash = passwords.hash_password(body.password)
    mail.ask(PURPOSE, username=body.username, email=body.email, password_hash=password_hash)
    return answers.accepted("A letter is on its way to this address")


@mail.answers(PURPOSE)
def _answer(locale: str, username: str, email: str, password_hash: str) -> None:
    """A letter with a link that opens the account; or else to whom the address belongs, or why there is none."""
    owner = users.find_by_email(email)
    if owner is not None:
        mail.send("already_registered", owner.email, owner.locale, owner.id, username=owner.username)
        return
    try:
        users.check_free(username, email)
    except UsernameTaken:
        mail.send("username_unavailable", email, locale, username=username)
        return
    except EmailTaken:
        # Kept for somebody who may come back to it; nobody can be told so.
        return
    registration = {"username": username, "email": email, "password_hash": password_hash, "locale": locale}
    # Beside others: whoever registers a stranger's address must not void the letter that the stranger has asked for.
    made = one_time.issue(
        links.EMAIL_VERIFICATION, links.VERIFICATION, subject=fields.key(email), beside_others=True,
        registration=registration,
    )  # fmt: skip
    links.put(
        "confirm_registration", email, locale, made, settings().verify_path, links.VERIFICATION, username=username
    )
