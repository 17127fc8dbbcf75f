"""Codes that are sent as a second factor, by SMS or by mail: ten minutes, five tries, one use.

A code is bound to its person, its kind, and the one sign-in, session or enrolment it was asked for (the scope); a new
one makes the one before void.
"""

from datetime import timedelta

from auth import database, mail, one_time
from auth.connectors import sms
from auth.factors import authenticators, enrolled
from auth.problems import FactorUnavailable
from auth.users import Account
from config import settings

LIFETIME = timedelta(minutes=10)
# In a message digits alone, which phones offer to fill in; in a letter the code that all letters carry.
DIGITS = {enrolled.SMS: 6, enrolled.EMAIL: 0}
ENROLMENT = "enrolment"
# The last line lets a phone fill the code in, on pages of that domain only.
TEXTS = {
    "en": "{code} is your code for {service}. Never tell it to anybody.\n\n@{domain} #{code}",
    "de": "{code} ist Ihr Code für {service}. Sagen Sie ihn niemandem.\n\n@{domain} #{code}",
}


def check_offered(kind: str) -> None:
    """Refuse a kind that this service does not offer: no sender, or no mail as a way in. Raises FactorUnavailable."""
    if not (settings().sms_url if kind == enrolled.SMS else settings().magic_link):
        raise FactorUnavailable


def enrol(account: Account, kind: str, name: str, number: str) -> None:
    """Begin with a number or an address, and send it its first code; raises TooManyFactors, Unavailable."""
    with database.apart():
        authenticators.enrol(account.id, kind, name, number)
    _send(account, kind, number, ENROLMENT)


def send(account: Account, kind: str, scope: str, amr: list[str]) -> None:
    """Send a code to a person who has this factor and has proven `amr`; raises FactorUnavailable, Unavailable."""
    rows = authenticators.in_force(account.id, kind)
    number = authenticators.secret_of(rows[-1]) if rows else None
    if number is None or kind not in enrolled.methods(account.id, amr):
        raise FactorUnavailable
    _send(account, kind, number, scope)


def spend(kind: str, user_id: int, scope: str, code: str) -> bool:
    """Use a code up: of any number of callers at once exactly one is told True."""
    return one_time.redeem_code(enrolled.code_purpose(kind), _subject(user_id, scope), code) is not None


def _send(account: Account, kind: str, number: str, scope: str) -> None:
    purpose, subject = enrolled.code_purpose(kind), _subject(account.id, scope)
    with database.apart():
        made = one_time.issue(purpose, LIFETIME, user_id=account.id, subject=subject, digits=DIGITS[kind])
        if kind == enrolled.EMAIL:
            about = {"username": account.username, "code": made.code, **mail.lasting(LIFETIME)}
            mail.send("sign_in_code", account.email, account.locale, account.id, **about)
    if kind == enrolled.SMS:
        words = {"service": settings().service_name, "domain": settings().relying_party}
        sms.send(number, TEXTS.get(account.locale, TEXTS["en"]).format(code=made.code, **words))


def _subject(user_id: int, scope: str) -> str:
    return f"{user_id} {scope}"
