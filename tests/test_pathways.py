"""Every way to the gate, crossed with every state an account can be in: one documented answer each.

The table in docs/sign-in.md is this test's own data: a row is a way in, a column a state, a cell what is answered.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from auth import database, users
from auth.endpoint import declared
from auth.fields import TokensAnswer
from models import User, now
from tests.support.authenticator import Authenticator
from tests.support.clients import Answer, Client
from tests.support.factors import App, begin, change_user, verify
from tests.support.mailbox import Mailbox
from tests.support.run import ROOT
from tests.support.tables import rows

DOCUMENT = (ROOT / "docs/sign-in.md").read_text()
NEW_PASSWORD = "Lantern-Copper-Vessel-31"
EMAIL = "ada@example.org"

Act = Callable[[Client], Answer]


class Person(NamedTuple):
    """Somebody with an account in good order: where they are signed in, and their app if the way needs one."""

    client: Client
    app: App | None


def table() -> dict[str, dict[str, str]]:
    """The cells of the document by way and state."""
    section = DOCUMENT.partition("## What each way answers")[2]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    head, _, *rows = lines
    return {cells[0]: dict(zip(head[1:], cells[1:], strict=True)) for cells in rows}


TABLE = table()


def letter(person: Person, path: str, subject: str) -> Any:
    """The letter that is sent for a request."""
    person.client.another().post(path, {"email": EMAIL})
    found = Mailbox(person.client.wire.app).all(EMAIL)
    return next(mail for mail in reversed(found) if mail.subject == subject)


def by_password(_person: Person) -> Act:
    return lambda client: client.login()


def by_link(person: Person) -> Act:
    proof = {"token": letter(person, "/auth/magic-link", "Your link to sign in").token}
    return lambda client: client.post("/auth/magic-link/verify", proof)


def by_mailed_code(person: Person) -> Act:
    proof = {"email": EMAIL, "code": letter(person, "/auth/magic-link", "Your link to sign in").code}
    return lambda client: client.post("/auth/magic-link/verify", proof)


def by_passkey(person: Person) -> Act:
    authenticator = Authenticator()
    credential = authenticator.create(person.client.post("/auth/passkeys/register/options").json)
    assert person.client.post("/auth/passkeys/register/verify", {"credential": credential}).status == 201
    answer = authenticator.get(person.client.post("/auth/passkeys/login/options").json)
    return lambda client: client.post("/auth/passkeys/login/verify", {"credential": answer})


def by_second_factor(person: Person) -> Act:
    return second_half(person, "totp", lambda app: app.code(1))


def by_recovery_code(person: Person) -> Act:
    return second_half(person, "recovery_code", lambda app: app.recovery_codes[0])


def second_half(person: Person, method: str, code: Callable[[App], str]) -> Act:
    """The second half of a sign-in whose first was done in time; without a factor there is none to finish."""
    if person.app is None:
        return lambda client: verify(client, "n" * 43, "000000", method)
    mfa_token, right = begin(person.client.another()), code(person.app)
    return lambda client: verify(client, mfa_token, right, method)


def by_refresh(person: Person) -> Act:
    return lambda _client: person.client.refresh()


def by_reset(person: Person) -> Act:
    token = letter(person, "/auth/password/forgot", "Choose a new password").token
    return lambda client: client.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD})


WAYS: dict[str, Callable[[Person], Act]] = {
    "password": by_password,
    "mailed link": by_link,
    "mailed code": by_mailed_code,
    "passkey": by_passkey,
    "second factor": by_second_factor,
    "recovery code": by_recovery_code,
    "refresh": by_refresh,
    "password reset": by_reset,
}


def in_order(_person: Person) -> None:
    """Nothing is the matter."""


def unverified(person: Person) -> None:
    change_user(person.client, "ada", email_verified_at=None)


def locked(person: Person) -> None:
    stranger = person.client.another()
    for _ in range(10):
        stranger.login("ada", "wrong")
    assert stranger.login().code == "account_locked"


def disabled(person: Person) -> None:
    change_user(person.client, "ada", disabled_at=now())


def reset_forced(person: Person) -> None:
    change_user(person.client, "ada", reset_forced_at=now())


def factor_due(person: Person) -> None:
    if person.client.get("/auth/me").json["mfa"] is False:
        App.enrolled(person.client)


def deleted(person: Person) -> None:
    (ada,) = rows(person.client.wire.app, User, User.username == "ada")
    with person.client.wire.app.app_context(), database.apart():
        users.erase(ada.id)


STATES: dict[str, tuple[dict[str, Any], Callable[[Person], None]]] = {
    "in order": ({}, in_order),
    "unverified": ({"REQUIRE_VERIFIED_EMAIL": True}, unverified),
    "locked": ({}, locked),
    "disabled": ({}, disabled),
    "reset forced": ({}, reset_forced),
    "factor due": ({}, factor_due),
    "factor to be enrolled": ({"MFA_POLICY": "required"}, in_order),
    "deleted": ({}, deleted),
}


def told(client: Client, answer: Answer) -> str:
    """An answer as the table writes it."""
    if answer.code:
        return f"{answer.status} `{answer.code}`"
    if "session_id" not in answer.json:
        return f"{answer.status}, no session"
    narrow = client.get("/auth/protected").code == "enrolment_required"
    return f"{answer.status}, can only enrol" if narrow else str(answer.status)


def person_for(way: str, state: str, client: Client) -> Person:
    """Somebody who is signed in, with an app if the way needs one and the policy does not ask for it first."""
    client.register()
    change_user(client, "ada", email_verified_at=now())
    assert client.login().status == 200
    needs_app = way in ("second factor", "recovery code") and state != "factor to be enrolled"
    return Person(client, App.enrolled(client) if needs_app else None)


@pytest.mark.asvs("6.1.3", "6.3.3", "6.3.4", "7.4.2")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("way", WAYS)
def test_each_way_has_its_documented_answer_in_each_state(client, make_client, way, state):
    settings, bring_about = STATES[state]
    person = person_for(way, state, make_client(**settings) if settings else client)
    act = WAYS[way](person)
    bring_about(person)
    asking = person.client if way == "refresh" else person.client.another()
    assert told(asking, act(asking)) == TABLE[way][state]


def test_the_table_holds_every_way_and_every_state():
    assert list(TABLE) == list(WAYS)
    assert all(list(cells) == list(STATES) for cells in TABLE.values())


@pytest.mark.asvs("6.1.3")
def test_every_route_that_hands_out_tokens_is_in_the_document(app):
    ends_at_the_gate = [told.rule for told in declared(app) if told.returns is TokensAnswer]
    assert [rule for rule in ends_at_the_gate if f"`POST {rule}`" not in DOCUMENT] == []


@pytest.mark.asvs("6.4.3")
def test_a_reset_leaves_the_second_factor_where_it_is(client):
    person = person_for("second factor", "in order", client)
    assert "access_token" not in by_reset(person)(person.client).text
    answer = person.client.another().login("ada", NEW_PASSWORD)
    assert (answer.code, answer.json["methods"]) == ("mfa_required", ["totp", "recovery_code"])
