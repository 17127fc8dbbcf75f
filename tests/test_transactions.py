"""All or nothing: whichever write of a request finds the database gone, nothing of the request is left behind."""

from dataclasses import dataclass
from typing import Any

import pytest

from models import Attempt, OneTimeSecret
from tests.support.clients import PASSWORD
from tests.support.crawl import snapshot
from tests.support.factors import App, begin, renew, verified, verify
from tests.support.faults import failing_write
from tests.support.mailed import CONFIRM_EMAIL, NEW_PASSWORD, NOT_ME, RESET, VERIFY
from tests.support.marks import one_client
from tests.support.tables import change, clear

# Guesses and tries are counted by themselves, before anything is looked at.
COUNTED = ("attempts",)


def by_letter(kind):
    def prepare(client, mailbox):
        token = kind.letter(client.signed_in("ada"), mailbox).token
        return lambda: kind.redeem(client, token=token)

    return prepare


def signed_in(call):
    def prepare(client, mailbox):
        client.signed_in("ada")
        return lambda: call(client)

    return prepare


def second_factor(method, code):
    def prepare(client, mailbox):
        app = App.enrolled(verified(client))
        other = client.another()
        mfa_token = begin(other)
        return lambda: verify(other, mfa_token, code(app), method)

    return prepare


def enrolment(client, mailbox):
    app = App(verified(client).post("/auth/mfa/totp/enroll", {}).json["secret"])
    return lambda: client.post("/auth/mfa/totp/confirm", {"code": app.code()})


def removal(client, mailbox):
    app = App.enrolled(verified(client))
    renew(client, password=PASSWORD, code=app.code(1))
    return lambda: client.delete("/auth/mfa/totp")


def forget_tries(app):
    """The budgets are whole again: what is counted is not what is asked here."""
    clear(app, Attempt)
    change(app, OneTimeSecret, attempts=0)


@dataclass(frozen=True)
class Flow:
    """A request with several writes; `prepare` gives the call, `writes` are at least so many."""

    prepare: Any
    writes: int
    but: tuple[str, ...] = COUNTED


CHANGE = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
NEW_EMAIL = {"email": "ada@example.net", "password": PASSWORD}
FLOWS = {
    "register": Flow(signed_in(lambda client: client.another().register("bea")), 3),
    "login": Flow(signed_in(lambda client: client.another().login("ada")), 2),
    "refresh": Flow(signed_in(lambda client: client.refresh()), 1),
    "logout": Flow(signed_in(lambda client: client.logout()), 3),
    "logout all": Flow(signed_in(lambda client: client.post("/auth/logout-all")), 3),
    "reauthenticate": Flow(signed_in(lambda client: client.post("/auth/reauthenticate", {"password": PASSWORD})), 4),
    "verify": Flow(by_letter(VERIFY), 3),
    "reset": Flow(by_letter(RESET), 5),
    "change of address": Flow(signed_in(lambda client: client.post("/auth/email/change", NEW_EMAIL)), 2),
    "confirmed address": Flow(by_letter(CONFIRM_EMAIL), 5),
    "not me": Flow(by_letter(NOT_ME), 5),
    "change of password": Flow(signed_in(lambda client: client.post("/auth/password/change", CHANGE)), 4),
    "change of name": Flow(signed_in(lambda client: client.post("/auth/username/change", {"username": "bea"})), 2),
    "deletion": Flow(signed_in(lambda client: client.delete("/auth/me", {"password": PASSWORD})), 5),
    # The try is counted by itself.
    "second factor": Flow(second_factor("totp", lambda app: app.code(1)), 4, (*COUNTED, "one_time_secrets")),
    "recovery code": Flow(
        second_factor("recovery_code", lambda app: app.recovery_codes[0]), 4, (*COUNTED, "one_time_secrets")
    ),
    "enrolment": Flow(enrolment, 4),
    "removal": Flow(removal, 4),
}


@one_client
@pytest.mark.asvs("2.3.3")
@pytest.mark.parametrize("name", FLOWS)
def test_whichever_write_fails_nothing_is_left_behind(client, mailbox, name):
    flow = FLOWS[name]
    call = flow.prepare(client, mailbox)
    before, number = snapshot(client.wire.app, but=flow.but), 0
    while True:
        forget_tries(client.wire.app)
        with failing_write(number) as failed:
            answer = call()
        if not failed:
            break
        assert (answer.status, answer.code) == (503, "unavailable"), failed
        assert snapshot(client.wire.app, but=flow.but) == before, failed
        number += 1
    assert answer.status in (200, 201, 202, 204), answer.text
    assert number >= flow.writes
