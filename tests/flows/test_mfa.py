"""The half-finished sign-in: what it is bound to, how it ends, and that nothing goes around it."""

import re

import pytest
from sqlalchemy import select

from auth.endpoint import declared
from models import AuditEvent, now
from tests.support.clients import PASSWORD
from tests.support.factors import App, begin, change_user, read, renew, verified, verify

WRONG = "000000"


def bytes_of(answer):
    """An answer without the id of its request."""
    return answer.status, answer.text.replace(answer.json["request_id"], "")


@pytest.mark.asvs("6.3.3")
def test_a_right_password_alone_gives_no_token(client):
    App.enrolled(verified(client))
    answer = client.another().login()
    assert (answer.status, answer.code) == (401, "mfa_required")
    assert "access_token" not in answer.text
    assert answer.set_cookies == {}
    assert answer.json["expires_in"] == 600


def test_a_wrong_password_tells_nothing_of_a_second_factor(client):
    App.enrolled(verified(client))
    assert client.another().login("ada", "wrong").code == "invalid_credentials"


@pytest.mark.parametrize("path", ["/auth/protected", "/auth/me", "/auth/mfa"])
def test_the_token_of_a_half_finished_sign_in_opens_no_route(client, bearer, path):
    App.enrolled(verified(client))
    mfa_token = begin(client.another())
    answer = bearer.get(path, headers={"Authorization": f"Bearer {mfa_token}"})
    assert (answer.status, answer.code) == (401, "token_invalid")


def test_it_refreshes_nothing_and_resets_nothing(client):
    App.enrolled(verified(client))
    mfa_token = begin(client.another())
    assert client.another().post("/auth/refresh", {"refresh_token": mfa_token}).code == "token_invalid"


@pytest.mark.asvs("6.5.1")
def test_it_becomes_a_session_once(client, clock):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    assert verify(other, mfa_token, app.code(1)).status == 200
    clock.shift(60)
    assert verify(other, mfa_token, app.code()).code == "code_invalid"


def test_it_lives_ten_minutes(client, clock):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    clock.shift(601)
    assert verify(other, mfa_token, app.code()).code == "code_invalid"


@pytest.mark.asvs("6.6.3")
def test_five_wrong_codes_end_it(client):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    assert [verify(other, mfa_token, WRONG).code for _ in range(5)] == ["code_invalid"] * 5
    assert verify(other, mfa_token, app.code(1)).code == "code_invalid"
    assert verify(other, begin(other), app.code(1)).status == 200


@pytest.mark.asvs("6.6.2")
def test_it_is_bound_to_the_person(client):
    App.enrolled(verified(client))
    eve = verified(client.another(), "eve")
    app = App.enrolled(eve)
    assert verify(client, begin(client), app.code(1)).code == "code_invalid"
    assert verify(client, begin(client), app.recovery_codes[0], "recovery_code").code == "code_invalid"


def test_it_is_bound_to_the_client(client):
    app = App.enrolled(verified(client))
    mfa_token = begin(client)
    body = {"mfa_token": mfa_token, "method": "totp", "code": app.code(1)}
    assert client.another().post("/auth/mfa/verify", body, headers={"User-Agent": "thief"}).code == "code_invalid"
    assert client.post("/auth/mfa/verify", body).status == 200


def test_it_is_bound_to_the_device_that_is_known(client):
    app = App.enrolled(verified(client))
    mfa_token = begin(client)
    assert verify(client.another(), mfa_token, app.code(1)).code == "code_invalid"
    assert verify(client, mfa_token, app.code(1)).status == 200


def test_several_devices_sign_in_at_the_same_time(client, clock):
    app = App.enrolled(verified(client))
    phone, laptop = client.another(), client.another()
    first, second = begin(phone), begin(laptop)
    clock.shift(30)
    assert verify(phone, first, app.code()).status == 200
    assert verify(laptop, second, app.code(1)).status == 200


@pytest.mark.asvs("6.5.1")
def test_wrong_used_stale_and_foreign_codes_are_one_answer(client, clock, statements):
    app = App.enrolled(verified(client))
    foreign = App.enrolled(verified(client.another(), "eve"))
    used = app.code(1)
    verify(client, begin(client), used)
    clock.shift(60)
    stale = app.code(-2)
    told = set()
    for code in (WRONG, used, stale, foreign.code(), "no code"):
        mfa_token = begin(client)
        with statements() as seen:
            answer = verify(client, mfa_token, code)
        told.add((*bytes_of(answer), tuple(seen)))
        verify(client, begin(client), app.recovery_codes.pop(), "recovery_code")
    assert len(told) == 1


def test_unknown_and_finished_sign_ins_are_the_same_answer(client):
    app = App.enrolled(verified(client))
    mfa_token = begin(client)
    verify(client, mfa_token, app.code(1))
    unknown = verify(client, "n" * 43, WRONG)
    assert (
        bytes_of(unknown)
        == bytes_of(verify(client, mfa_token, WRONG))
        == bytes_of(verify(client, begin(client), WRONG))
    )


@pytest.mark.asvs("6.6.3")
def test_codes_share_the_budget_of_passwords(client):
    App.enrolled(verified(client))
    thief = client.another()
    for _ in range(2):
        mfa_token = begin(thief)
        assert {verify(thief, mfa_token, WRONG).code for _ in range(4)} == {"code_invalid"}
    assert thief.login().code == "account_locked"


@pytest.mark.asvs("6.6.3")
def test_forty_parallel_guesses_buy_no_more_than_the_budget(client, race):
    App.enrolled(verified(client))
    waiting = [begin(client.another()) for _ in range(4)]
    answers = race(40, lambda number: verify(client.another(), waiting[number % 4], WRONG))
    evaluated = read(client, select(AuditEvent.id).where(AuditEvent.name == "mfa.failed")).all()
    assert len(evaluated) <= 6
    assert {answer.status for answer in answers} <= {401, 429}


@pytest.mark.asvs("6.5.1")
def test_fifty_uses_of_one_sign_in_make_one_session(client, race):
    app = App.enrolled(verified(client))
    mfa_token = begin(client.another())
    answers = race(50, lambda number: verify(client.another(), mfa_token, app.code(1)))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401}


def test_one_sign_in_with_different_codes_at_once_makes_one_session(client, race):
    app = App.enrolled(verified(client))
    mfa_token = begin(client.another())
    codes = app.recovery_codes[:5]
    answers = race(5, lambda number: verify(client.another(), mfa_token, codes[number], "recovery_code"))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 4
    assert client.get("/auth/mfa").json["recovery_codes_left"] == 9


@pytest.mark.parametrize(
    ("change", "code"),
    [("disabled_at", "account_disabled"), ("reset_forced_at", "password_reset_required")],
)
def test_what_an_account_may_do_is_asked_again_at_the_end(client, change, code):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    change_user(client, "ada", **{change: now()})
    assert verify(other, mfa_token, app.code(1)).code == code


def test_a_right_second_factor_for_a_disabled_account_ends_its_sessions(client):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    change_user(client, "ada", disabled_at=now())
    assert verify(other, mfa_token, app.code(1)).code == "account_disabled"
    assert client.get("/auth/protected").code == "token_revoked"


def test_signing_out_everywhere_ends_what_was_half_finished(client):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    client.post("/auth/logout-all")
    assert verify(other, mfa_token, app.code(1)).code == "code_invalid"


@pytest.mark.parametrize("field", ["mfa_token", "method", "code"])
@pytest.mark.parametrize("value", [None, 1, [], {}, "x" * 1000])
def test_malformed_fields_are_named(client, field, value):
    body = {"mfa_token": "n" * 43, "method": "totp", "code": WRONG, field: value}
    answer = client.post("/auth/mfa/verify", body)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, field)


@pytest.mark.asvs("16.3.1")
def test_both_steps_of_a_sign_in_are_events(client):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    verify(other, mfa_token, WRONG)
    verify(other, mfa_token, app.code(1))
    events = read(client, select(AuditEvent.name, AuditEvent.data).order_by(AuditEvent.id.desc()).limit(3)).all()
    assert events == [
        ("login.succeeded", {"amr": ["pwd", "otp", "mfa"]}),
        ("mfa.failed", {"method": "totp"}),
        ("login.half", {"amr": ["pwd"]}),
    ]


def test_a_session_begun_before_a_factor_was_enrolled_lives_but_is_not_fresh(client):
    verified(client)
    earlier = client.another()
    earlier.login()
    App.enrolled(client)
    for before in (earlier, client):
        assert before.get("/auth/protected").status == 200
        assert before.refresh().status == 200
        assert before.post("/auth/mfa/recovery-codes").code == "fresh_token_required"


@pytest.mark.asvs("7.5.1", "7.5.3")
def test_with_a_factor_no_route_that_wants_a_fresh_proof_opens_to_the_password_alone(client):
    App.enrolled(verified(client))
    fresh = [told for told in declared(client.wire.app) if told.auth == "fresh"]
    assert len(fresh) >= 12
    for told in fresh:
        path = re.sub(r"<[^>]+>", "1", told.rule)
        assert client.request(told.method, path, data=b"{}").code == "fresh_token_required", told.rule


def test_the_time_of_a_sign_in_is_that_of_its_older_proof(client, clock):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    clock.shift(500)
    assert verify(other, mfa_token, app.code()).status == 200
    clock.shift(200)
    assert other.post("/auth/mfa/recovery-codes").code == "fresh_token_required"


def test_the_list_of_sessions_says_by_what_they_began(client):
    app = App.enrolled(verified(client))
    renew(client, password=PASSWORD, code=app.code(1))
    (shown,) = client.get("/auth/sessions").json["items"]
    assert shown["amr"] == ["pwd", "otp", "mfa"]


def test_the_challenge_of_a_step_up_names_what_is_missing(client):
    App.enrolled(verified(client))
    answer = client.post("/auth/mfa/recovery-codes")
    assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]


@pytest.mark.asvs("6.3.1")
@pytest.mark.parametrize("kind", ["totp", "sms", "email"])
def test_the_first_code_of_an_enrolment_costs_a_guess_at_the_account(make_client, tmp_path, kind):
    client = verified(make_client(SMS_URL=f"file://{tmp_path}"))
    client.post(f"/auth/mfa/{kind}/enroll", {"phone": "+4915123456789"} if kind == "sms" else {})
    answers = [client.post(f"/auth/mfa/{kind}/confirm", {"code": "AAAAAAAA"}) for _ in range(11)]
    assert [answer.code for answer in answers] == ["code_invalid"] * 10 + ["account_locked"]
    assert client.post("/auth/reauthenticate", {"password": PASSWORD}).code == "account_locked"
