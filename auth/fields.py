"""Shared types of request fields. Each refuses what it must and says so; none repeats what was sent.

Texts are normalised to NFKC first, so that what looks the same is the same (Unicode annex 15).
"""

import unicodedata
from typing import Annotated, ClassVar

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from auth import lookalikes

USERNAME_MAX = 80
EMAIL_MAX = 120
PASSWORD_MAX = 256
IDENTIFIER_MAX = 256
SECRET_MAX = 128
TOKEN_MAX = 8192
_USERNAME_MARKS = frozenset("._-")


def normal(text: str) -> str:
    """The form in which a text is kept: NFKC."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def key(text: str) -> str:
    """The form in which names and addresses are compared: NFKC, without case."""
    return text.lower() if text.isascii() else normal(normal(text).casefold())


def skeleton(username: str) -> str:
    """The form in which usernames that look alike are the same (Unicode Technical Standard 39, section 4)."""
    text = key(normal(username).translate(lookalikes.CAPITALS)).translate(lookalikes.TABLE)
    for pair, looks in lookalikes.PAIRS.items():
        text = text.replace(pair, looks)
    return text


def skeletons(username: str) -> set[str]:
    """Its skeletons as it was typed and in small letters: a name that is kept from others is kept in any case."""
    return {skeleton(username), skeleton(key(username))}


def _pose(username: str) -> str:
    """A skeleton in which i is an l too, for the few names that nobody may come near."""
    return skeleton(username).replace("i", "l")


# Names that would let somebody pose as the service or its operators, or that programs take for something else.
RESERVED = [
    "abuse",
    "admin",
    "administrator",
    "anonymous",
    "api",
    "auth",
    "contact",
    "everyone",
    "gatehouse",
    "help",
    "hostmaster",
    "info",
    "mail",
    "me",
    "moderator",
    "noreply",
    "no-reply",
    "no_reply",
    "nobody",
    "none",
    "null",
    "official",
    "operator",
    "owner",
    "postmaster",
    "root",
    "security",
    "self",
    "service",
    "staff",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "undefined",
    "webmaster",
    "www",
]
RESERVED_POSES = frozenset(_pose(name) for name in RESERVED)


def _printable(text: str) -> str:
    # Cc, Cf, Cs, Co and Cn: controls, invisible marks, lone surrogates, private and unassigned characters.
    if any(unicodedata.category(character)[0] == "C" for character in text):
        raise ValueError("must not contain control or invisible characters")
    return text


def _seen(text: str) -> None:
    if lookalikes.INVISIBLE.search(text):
        raise ValueError("must not contain invisible characters")


def _username(text: str) -> str:
    text = normal(text)
    if not 3 <= len(text) <= USERNAME_MAX:
        raise ValueError(f"must have 3 to {USERNAME_MAX} characters")
    if not all(unicodedata.category(mark)[0] in "LMN" or mark in _USERNAME_MARKS for mark in text):
        raise ValueError("may contain letters, digits, dots, underscores and hyphens")
    _seen(text)
    if unicodedata.category(text[0])[0] not in "LN":
        raise ValueError("must begin with a letter or a digit")
    if _pose(text) in RESERVED_POSES:
        raise ValueError("is reserved")
    return text


def _email(text: str) -> str:
    # The normal form of a host leaves invisible characters out: they are looked for before it is made.
    text = normal(text)
    _seen(text)
    if len(text) > EMAIL_MAX or "@" not in text or "." not in text.rpartition("@")[2]:
        raise ValueError(f"must be an email address of at most {EMAIL_MAX} characters")
    try:
        found = validate_email(text, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError:
        raise ValueError("must be an email address") from None
    if len(found.normalized) > EMAIL_MAX:
        raise ValueError(f"must be an email address of at most {EMAIL_MAX} characters")
    return found.normalized


def _password(text: str) -> str:
    if len(text) > PASSWORD_MAX * 4 or len(text := normal(text)) > PASSWORD_MAX:
        raise PydanticCustomError("password_long", "must have at most {most} characters", {"most": PASSWORD_MAX})
    return text


# A bound on the raw text keeps every later step cheap; NFKC makes a text at most 18 times longer. The API document
# shows the lengths that hold after it.
Username = Annotated[
    str,
    Field(
        max_length=USERNAME_MAX * 4,
        description="Letters, digits, dots, underscores and hyphens, beginning with a letter or digit; compared in NFKC"
        " without case, and not like an existing or reserved name: what looks alike is the same.",
        examples=["alice"],
        json_schema_extra={"minLength": 3, "maxLength": USERNAME_MAX},
    ),
    AfterValidator(_username),
]
Email = Annotated[
    str,
    Field(
        max_length=EMAIL_MAX * 2,
        description="An email address; compared in NFKC without case.",
        examples=["alice@example.com"],
        json_schema_extra={"format": "email", "maxLength": EMAIL_MAX},
    ),
    AfterValidator(_email),
]
Password = Annotated[
    str,
    Field(
        min_length=1,
        description="Any characters, normalised to NFKC. A new one has at least PASSWORD_MIN_LENGTH, is not easy to"
        " guess and not made of the person's own names.",
        examples=["correct horse battery staple"],
        json_schema_extra={"format": "password", "maxLength": PASSWORD_MAX},
    ),
    AfterValidator(_password),
]
Identifier = Annotated[
    str,
    Field(
        min_length=1,
        max_length=IDENTIFIER_MAX,
        description="A username or an email address, without control or invisible characters.",
        examples=["alice"],
    ),
    AfterValidator(_printable),
]
Secret = Annotated[
    str, Field(max_length=SECRET_MAX, description="The secret of a link.", examples=["1n5V3rYl0ng0paqueS3cret"])
]
RefreshToken = Annotated[str, Field(max_length=TOKEN_MAX, description="As it was handed out.")]
Code = Annotated[str, Field(max_length=32, description="Spaces, dashes and case do not matter.", examples=["123456"])]
Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="A name for people to recognise it by, without control or invisible characters.",
        examples=["My phone"],
    ),
    AfterValidator(_printable),
]


class Body(BaseModel):
    """A request body: strict types, no unknown fields. `missing` is the sentence for absent or empty fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    missing: ClassVar[str] = ""


class Nothing(Body):
    """What a route takes that asks for nothing: no body or an empty object, no query."""


class Unread(Body):
    """A query that is somebody else's, which a proxy passes on when it asks about a request: nobody looks at it."""


class Answer(BaseModel):
    """A response body, as the API document shows it; one that is not JSON has only a `media_type`."""

    model_config = ConfigDict(extra="forbid")
    media_type: ClassVar[str] = "application/json"


class Html(Answer):
    """A page."""

    media_type: ClassVar[str] = "text/html"


class Message(Answer):
    """A sentence for the person."""

    message: str


class TokensAnswer(Answer):
    """Tokens in the body, or with `X-Auth-Transport: cookie` only the CSRF token, the others being in cookies."""

    access_token: str | SkipJsonSchema[None] = None
    refresh_token: str | SkipJsonSchema[None] = None
    csrf_token: str | SkipJsonSchema[None] = None
    token_type: str
    expires_in: int
    refresh_expires_in: int
    session_id: str
