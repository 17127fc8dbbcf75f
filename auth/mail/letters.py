"""What a letter says: a text from the template of its language, and the same as HTML.

A template is a plain text: the subject in its first line, then paragraphs. The HTML is made from the paragraphs by one
layout, which escapes last. A paragraph may end in a line `label: link`, which becomes a button, or in the code, which
is shown large. Another language is another folder with the same files.
"""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from textwrap import wrap
from typing import Any, NamedTuple

from email_validator import validate_email
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from auth import events
from config import ROOT, settings

FOLDER = ROOT / "auth" / "templates" / "mail"
LAYOUT = "layout.html"
DEFAULT_LOCALE = "en"
WIDTH = 76

# A text is plain and nothing in it is markup; the layout escapes whatever it is given.
_templates = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=select_autoescape(["html"], default=False),
    undefined=StrictUndefined,
)


class Part(NamedTuple):
    """A paragraph: its words, and the labelled link or the code that stands in its last line."""

    words: str
    code: str = ""
    label: str = ""
    link: str = ""

    def text(self) -> str:
        """As plain text, in lines that a reader need not break."""
        lines = wrap(self.words, WIDTH, break_long_words=False, break_on_hyphens=False)
        return "\n".join([*lines, *filter(None, (self.link, self.code))])


@cache
def locales() -> tuple[str, ...]:
    """The languages there are, one a folder; the one for whoever takes any comes first."""
    found = (folder.name for folder in FOLDER.iterdir() if folder.is_dir())
    return tuple(sorted(found, key=lambda name: (name != DEFAULT_LOCALE, name)))


@cache
def templates() -> frozenset[str]:
    """The names of the letters."""
    return frozenset(file.stem for file in (FOLDER / DEFAULT_LOCALE).glob("[!_]*.txt"))


def compose(row: Any, to: str, context: dict[str, Any]) -> EmailMessage:
    """The letter of a row of the outbox. Made again it is the same letter, with the same Message-ID."""
    locale = row.locale if row.locale in locales() else DEFAULT_LOCALE
    subject, text, html = render(row.template, locale, context)
    name, address = settings().sender
    letter = EmailMessage(policy=SMTP)
    letter["From"] = Address(name, addr_spec=address)
    letter["To"] = _address(to)
    letter["Subject"] = subject
    letter["Date"] = format_datetime(row.created_at)
    letter["Message-ID"] = f"<{row.message_id}@{address.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text, cte="quoted-printable")
    letter.add_alternative(html, subtype="html", cte="quoted-printable")
    letter["Content-Language"] = locale
    return letter


def render(template: str, locale: str, context: dict[str, Any]) -> tuple[str, str, str]:
    """Subject, text and HTML. A value has no line of its own, so that it can begin no paragraph and no header."""
    values = {name: _tidy(value) for name, value in context.items()}
    service = settings().service_name
    said = _templates.get_template(f"{locale}/{template}.txt").render(service=service, locale=locale, **values)
    subject, _, body = said.strip().partition("\n")
    parts = [_part(paragraph.strip(), values) for paragraph in body.split("\n\n") if paragraph.strip()]
    html = _templates.get_template(LAYOUT).render(locale=locale, subject=subject, parts=parts, service=service)
    return subject, "\n\n".join(part.text() for part in parts) + "\n", html


def moment(at: datetime) -> str:
    """An instant as every language reads it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _tidy(value: Any) -> Any:
    return events.one_line(value) if isinstance(value, str) else value


def _part(paragraph: str, values: dict[str, Any]) -> Part:
    words, _, last = paragraph.rpartition("\n")
    label, _, link = last.partition(": ")
    if link and link == values.get("link"):
        return Part(words, label=label, link=link)
    if last and last == values.get("code"):
        return Part(words, code=last)
    return Part(paragraph)


def _address(to: str) -> Address:
    """The recipient, the domain in the form that every mail server understands."""
    found = validate_email(to, check_deliverability=False, globally_deliverable=False)
    return Address(username=found.local_part, domain=found.ascii_domain)
