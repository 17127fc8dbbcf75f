"""The letters that were sent, to read while developing. In production there is no such page."""

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from itertools import islice
from pathlib import Path
from typing import Any

from flask import Blueprint, Response
from jinja2 import Environment, FileSystemLoader

from auth import crypto
from auth.connectors import post
from auth.endpoint import endpoint
from auth.fields import Html

bp = Blueprint("dev_mail", __name__)

MOST = 100
POLICY = "default-src 'none'; style-src 'nonce-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
TOLD = {
    True: f"The last {MOST}, the newest first. A letter is here about a second after it was asked for.",
    False: "MAIL_URL is a mail server: the letters are there.",
}

_page = Environment(loader=FileSystemLoader(Path(__file__).parents[1] / "templates"), autoescape=True)


@endpoint(bp, "GET", "/dev/mail", returns=Html)
def dev_mail() -> Response:
    """The letters, the newest first, with their links to click."""
    nonce = crypto.random_id()
    letters = [_show(data) for data in islice(post.readable(), MOST)]
    told = TOLD[post.is_readable()]
    html = _page.get_template("dev_mail.html").render(letters=letters, nonce=nonce, told=told)
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY.format(nonce)}
    return Response(html, headers=headers, content_type="text/html; charset=utf-8")


def _show(data: bytes) -> dict[str, Any]:
    letter = BytesParser(EmailMessage, policy=default).parsebytes(data)
    body = letter.get_body(("plain",))
    text = body.get_content() if body else ""
    return {"subject": letter["Subject"], "date": letter["Date"], "to": letter["To"], "lines": text.splitlines()}
