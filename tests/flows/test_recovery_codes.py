"""Recovery codes: ten ways back, each used once."""

import math

import pytest
from sqlalchemy import select

from models import AuditEvent, RecoveryCode
from tests.support.factors import App, begin, read, renew, verified, verify


def left(client):
    return client.get("/auth/mfa").json["recovery_codes_left"]


def recover(client, code):
    return verify(client, begin(client), code, "recovery_code")


@pytest.fixture
def phone(client):
    """An app that the client's person has enrolled just now."""
    return App.enrolled(verified(client))


@pytest.mark.asvs("6.5.4")
def test_ten_codes_of_120_bits_come_with_the_first_factor(phone):
    assert len(set(phone.recovery_codes)) == 10
    characters = {len(code.replace("-", "")) for code in phone.recovery_codes}
    assert characters == {24}
    assert 24 * math.log2(32) >= 112


@pytest.mark.asvs("6.5.1")
def test_a_code_signs_in_once(client, phone):
    other = client.another()
    assert recover(other, phone.recovery_codes[0]).status == 200
    answer = recover(client.another(), phone.recovery_codes[0])
    assert (answer.status, answer.code) == (401, "code_invalid")
    assert left(other) == 9


@pytest.mark.parametrize(
    "write", [str.lower, lambda code: code.replace("-", " "), lambda code: f" {code[:9]} {code[9:]}"]
)
def test_a_code_may_be_typed_as_people_type(client, phone, write):
    assert recover(client, write(phone.recovery_codes[0])).status == 200


@pytest.mark.asvs("6.5.1", "2.3.4")
def test_fifty_uses_of_one_code_make_one_session(client, phone, race):
    waiting = [begin(client.another()) for _ in range(9)]
    code = phone.recovery_codes[0]
    answers = race(50, lambda number: verify(client.another(), waiting[number % 9], code, "recovery_code"))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401, 429}
    assert left(client) == 9


@pytest.mark.asvs("6.5.2")
def test_only_hashes_are_stored(client, phone):
    stored = set(read(client, select(RecoveryCode.code_hash)).scalars())
    assert len(stored) == 10
    assert {len(bytes.fromhex(code_hash)) for code_hash in stored} == {32}
    assert not any(code in str(stored) for code in phone.recovery_codes)


def test_using_one_is_an_event_that_says_how_many_are_left(client, phone):
    recover(client, phone.recovery_codes[0])
    used = read(client, select(AuditEvent.data).where(AuditEvent.name == "recovery_code.used")).scalars().all()
    assert used == [{"left": 9}]


@pytest.mark.asvs("7.5.1")
def test_a_new_set_needs_a_session_fresh_by_both_factors(client, phone):
    assert client.post("/auth/mfa/recovery-codes").code == "fresh_token_required"
    renew(client, code=phone.code(1))
    answer = client.post("/auth/mfa/recovery-codes")
    assert answer.status == 200
    assert len(set(answer.json["recovery_codes"])) == 10


@pytest.mark.asvs("6.5.6")
def test_a_new_set_makes_the_old_one_void(client, phone):
    renew(client, code=phone.code(1))
    new = client.post("/auth/mfa/recovery-codes").json["recovery_codes"]
    assert recover(client.another(), phone.recovery_codes[0]).code == "code_invalid"
    assert recover(client.another(), new[0]).status == 200


def test_without_a_factor_there_is_nothing_to_recover(client):
    answer = verified(client).post("/auth/mfa/recovery-codes")
    assert (answer.status, answer.code) == (409, "factor_missing")


@pytest.mark.asvs("6.4.4")
def test_a_recovery_code_lets_a_lost_app_be_removed(client, phone):
    recover(client, phone.recovery_codes[0])
    assert client.delete("/auth/mfa/totp").status == 204
    assert client.another().login().status == 200


def test_a_code_is_worth_nothing_as_another_method(client, phone):
    assert verify(client, begin(client), phone.recovery_codes[0], "totp").code == "code_invalid"
    assert verify(client, begin(client), phone.code(1), "recovery_code").code == "code_invalid"
    assert left(client) == 10
