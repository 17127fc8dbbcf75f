"""Letters: written to the outbox in the transaction of a request, encrypted, and delivered by the worker after it.

Beside letters the outbox holds questions. A request that must not tell whether a person is known only notes what it
was asked for; the worker finds the answer, a letter or none, when nobody waits for it any more.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import orjson
from flask import has_request_context, request
from sqlalchemy import insert

from auth import crypto, database
from auth.mail import letters
from config import settings
from models import Letter, now

PURPOSE = "letters"
# Marks a row that is a question; no template has such a name.
QUESTION = "?"

Answer = Callable[..., None]


class Sealed(NamedTuple):
    """What is encrypted in a row: the recipient (nobody for a question) and what the text is about."""

    to: str
    context: dict[str, Any]


_insert = insert(Letter)
_answers: dict[str, Answer] = {}


def send(template: str, to: str, locale: str, user_id: int | None = None, **context: Any) -> None:
    """Write a letter into the current transaction: it leaves if and only if that is committed."""
    if template not in letters.templates():
        raise ValueError(f"{template} is not the template of a letter")
    _put(template, locale, user_id, Sealed(to, context))


def ask(question: str, locale: str | None = None, **what: Any) -> None:
    """Note in the current transaction what was asked for; whoever `answers` it is called after the request."""
    if question not in _answers:
        raise ValueError(f"nobody answers {question}")
    _put(QUESTION + question, locale or chosen_locale(), None, Sealed("", what))


def answers(question: str) -> Callable[[Answer], Answer]:
    """Have the decorated function answer a question, in a transaction, given the locale and what was noted."""

    def register(answer: Answer) -> Answer:
        _answers[question] = answer
        return answer

    return register


def answer(question: str, locale: str, noted: dict[str, Any]) -> None:
    """Answer a question in the current transaction."""
    _answers[question](locale=locale, **noted)


def link(path: str, secret: str) -> str:
    """The address of a page with a secret in its fragment, which no server and no `Referer` ever sees."""
    return f"{settings().frontend_url}{path}#token={secret}"


def lasting(lifetime: timedelta) -> dict[str, int]:
    """A lifetime in the units that the templates speak of."""
    return {"minutes": int(lifetime.total_seconds() // 60), "hours": int(lifetime.total_seconds() // 3600)}


def chosen_locale() -> str:
    """The language of letters to whoever sent this request."""
    if not has_request_context():
        return letters.DEFAULT_LOCALE
    return request.accept_languages.best_match(letters.locales(), letters.DEFAULT_LOCALE)


def unseal(row: Any) -> Sealed:
    """The recipient and the context of a row; raises Undecryptable."""
    to, context = orjson.loads(crypto.decrypt(PURPOSE, row.sealed, row.message_id))
    return Sealed(to, context)


def _put(template: str, locale: str, user_id: int | None, sealed: Sealed) -> None:
    message_id, time = crypto.random_id(), now()
    row: dict[str, Any] = {
        "user_id": user_id,
        "template": template,
        "locale": locale,
        "sealed": crypto.encrypt(PURPOSE, orjson.dumps([sealed.to, sealed.context]), message_id),
        "message_id": message_id,
        "created_at": time,
        "due_at": time,
    }
    database.execute(_insert, row)
