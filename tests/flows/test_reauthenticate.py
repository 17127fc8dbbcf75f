"""Step-up: fresh tokens for a person who proves themselves again; the old session ends."""

import pytest
from sqlalchemy import select

from models import AuditEvent
from tests.support.clients import PASSWORD
from tests.support.factors import App, begin, read, verified, verify


def reauthenticate(client, **proofs):
    return client.post("/auth/reauthenticate", proofs)


def is_fresh(client):
    """Whether a route that wants a fresh proof is open."""
    return client.post("/auth/mfa/totp/enroll", {}).code != "fresh_token_required"


@pytest.mark.asvs("7.5.1")
def test_a_password_makes_an_old_session_fresh(client, clock):
    verified(client)
    clock.shift(601)
    assert not is_fresh(client)
    assert reauthenticate(client, password=PASSWORD).status == 200
    assert is_fresh(client)


@pytest.mark.asvs("7.2.4")
def test_the_new_session_takes_the_place_of_the_old_one(client):
    verified(client)
    old, before = client.copy(), client.session_id
    assert reauthenticate(client, password=PASSWORD).json["session_id"] != before
    assert old.get("/auth/protected").code == "token_revoked"
    assert old.refresh().code == "token_revoked"
    assert [shown["current"] for shown in client.get("/auth/sessions").json["items"]] == [True]


def test_a_wrong_password_leaves_the_session_as_it_was(client):
    verified(client)
    answer = reauthenticate(client, password="wrong")
    assert (answer.status, answer.code) == (401, "invalid_credentials")
    assert client.get("/auth/protected").status == 200


def test_nothing_is_no_proof(client):
    answer = reauthenticate(verified(client))
    assert (answer.status, answer.message) == (400, "Missing password, code, or passkey")


def test_with_a_factor_the_password_alone_is_half_of_it(client):
    app = App.enrolled(verified(client))
    old = client.copy()
    answer = reauthenticate(client, password=PASSWORD)
    assert (answer.status, answer.code) == (401, "mfa_required")
    assert old.get("/auth/protected").status == 200
    assert verify(client, answer.json["mfa_token"], app.code(1)).status == 200
    assert is_fresh(client)
    assert old.get("/auth/protected").code == "token_revoked"


def test_password_and_code_together_are_fresh(client, clock):
    app = App.enrolled(verified(client))
    clock.shift(700)
    assert reauthenticate(client, password=PASSWORD, code=app.code()).status == 200
    assert client.get("/auth/protected").json["acr"] == "aal2"
    assert is_fresh(client)


def test_a_code_alone_will_do_while_the_password_is_fresh(client, clock):
    app = App.enrolled(verified(client))
    assert reauthenticate(client, code=app.code(1)).status == 200
    assert is_fresh(client)
    clock.shift(601)
    answer = reauthenticate(client, code=app.code())
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "password")


def test_codes_alone_do_not_keep_a_session_fresh(client, clock):
    app = App.enrolled(verified(client))
    clock.shift(400)
    assert reauthenticate(client, code=app.code()).status == 200
    clock.shift(400)
    assert not is_fresh(client)


@pytest.mark.asvs("6.5.1")
@pytest.mark.parametrize("with_password", [True, False])
def test_a_wrong_code_is_refused(client, with_password):
    App.enrolled(verified(client))
    answer = reauthenticate(client, code="000000", **({"password": PASSWORD} if with_password else {}))
    assert (answer.status, answer.code) == (401, "code_invalid")


def test_a_recovery_code_is_a_factor_here_too(client):
    app = App.enrolled(verified(client))
    assert reauthenticate(client, method="recovery_code", code=app.recovery_codes[0]).status == 200
    assert is_fresh(client)


@pytest.mark.asvs("6.5.1")
def test_a_code_used_here_is_used_everywhere(client):
    app = App.enrolled(verified(client))
    assert reauthenticate(client, code=app.code(1)).status == 200
    other = client.another()
    assert verify(other, begin(other), app.code(1)).code == "code_invalid"


def test_guesses_are_paid_for_from_the_budget_of_the_account(client):
    App.enrolled(verified(client))
    codes = [reauthenticate(client, code="000000").code for _ in range(10)]
    # The first of ten was the code that confirmed the app.
    assert codes == ["code_invalid"] * 9 + ["account_locked"]


@pytest.mark.asvs("6.5.1")
def test_fifty_at_once_with_one_code_make_one_session(client, race):
    app = App.enrolled(verified(client))
    answers = race(50, lambda _: reauthenticate(client.copy(), code=app.code(1)))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401, 429}


def test_it_needs_a_token(client):
    assert reauthenticate(client.another(), password=PASSWORD).code == "token_missing"


def test_proving_oneself_again_is_an_event(client):
    verified(client)
    reauthenticate(client, password=PASSWORD)
    names = read(client, select(AuditEvent.name).order_by(AuditEvent.id.desc()).limit(2)).scalars().all()
    assert names == ["session.revoked", "login.renewed"]
