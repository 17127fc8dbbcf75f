"""Authenticator apps: enrolling, confirming, and what makes a code good once."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import select

from models import AuditEvent, Authenticator
from tests.support import authenticator as passkeys
from tests.support.clients import PASSWORD
from tests.support.factors import App, begin, read, renew, verified, verify

OATHTOOL = Path(sys.executable).with_name("oathtool")

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/otp.json").read_text())


def enroll(client, name="Phone"):
    return client.post("/auth/mfa/totp/enroll", {"name": name})


def confirm(client, code):
    return client.post("/auth/mfa/totp/confirm", {"code": code})


@pytest.mark.parametrize("vector", VECTORS["rfc4226"], ids=lambda vector: vector["code"])
def test_counter_codes_are_those_of_rfc_4226(vector):
    assert pyotp.HOTP(VECTORS["secret_base32"]).at(vector["counter"]) == vector["code"]


@pytest.mark.parametrize("vector", VECTORS["rfc6238_sha1"], ids=lambda vector: vector["code"])
@pytest.mark.asvs("RFC 6238")
def test_time_codes_are_those_of_rfc_6238(vector):
    assert pyotp.TOTP(VECTORS["secret_base32"], digits=8).at(vector["time"]) == vector["code"]


@pytest.mark.asvs("RFC 6238")
def test_enrolling_shows_a_secret_of_160_bits_and_what_an_app_scans(client):
    answer = enroll(verified(client))
    parsed = pyotp.parse_uri(answer.json["otpauth_uri"])
    assert answer.status == 201
    assert parsed.secret == answer.json["secret"]
    assert len(parsed.byte_secret()) == 20
    assert (parsed.issuer, parsed.name) == ("Gatehouse", "ada")
    assert answer.json["qr_svg"].startswith("<svg xmlns=")


def test_an_app_counts_only_once_it_is_confirmed(client):
    enroll(verified(client))
    assert client.another().login().status == 200


def test_a_confirmed_app_is_asked_for_at_the_next_sign_in(client):
    app = App.enrolled(verified(client))
    other = client.another()
    answer = other.login()
    assert (answer.status, answer.code) == (401, "mfa_required")
    assert answer.json["methods"] == ["totp", "recovery_code"]
    assert other.get("/auth/protected").code == "token_missing"
    assert verify(other, answer.json["mfa_token"], app.code(1)).status == 200
    claims = other.get("/auth/protected").json
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], "aal2")


def test_a_code_of_another_maker_of_codes_is_taken(client):
    secret = enroll(verified(client)).json["secret"]
    made = subprocess.run([OATHTOOL, secret], capture_output=True, text=True, check=True)
    assert confirm(client, made.stdout.strip()).status == 200


def test_me_says_whether_there_is_a_second_factor(client):
    verified(client)
    assert client.get("/auth/me").json["mfa"] is False
    App.enrolled(client)
    assert client.get("/auth/me").json["mfa"] is True


def test_enrolling_needs_a_verified_address(client):
    answer = enroll(client.signed_in("ada"))
    assert (answer.status, answer.code) == (403, "email_not_verified")


@pytest.mark.asvs("7.5.1")
def test_enrolling_needs_a_fresh_proof(client, clock):
    verified(client)
    clock.shift(601)
    assert enroll(client).code == "fresh_token_required"
    assert enroll(renew(client)).status == 201


def test_an_unconfirmed_app_waits_an_hour(client, clock):
    app = App(enroll(verified(client)).json["secret"])
    clock.shift(3601)
    client.login()
    assert confirm(client, app.code()).code == "code_invalid"


def test_beginning_again_forgets_the_first_try(client):
    verified(client)
    first, second = (App(enroll(client).json["secret"]) for _ in range(2))
    assert confirm(client, first.code()).code == "code_invalid"
    assert confirm(client, second.code()).status == 200


def test_an_app_is_confirmed_once(client):
    app = App(enroll(verified(client)).json["secret"])
    assert confirm(client, app.code()).status == 200
    renew(client, code=app.code(1))
    assert confirm(client, app.code(1)).code == "code_invalid"


@pytest.mark.asvs("6.5.1")
def test_fifty_confirmations_at_once_make_one_factor(client, race):
    app = App(enroll(verified(client)).json["secret"])
    answers = race(50, lambda _: confirm(client.copy(), app.code()))
    # Ten are looked at: each is a guess at the account.
    assert {answer.status for answer in answers} <= {200, 401, 429}
    assert [answer.status for answer in answers].count(200) == 1
    assert len(client.get("/auth/mfa").json["authenticators"]) == 1


def test_several_apps_each_with_a_name_are_all_good(client, clock):
    phone = App.enrolled(verified(client), "Phone")
    tablet = App.enrolled(renew(client, code=phone.code(1)), "Tablet")
    names = [shown["name"] for shown in client.get("/auth/mfa").json["authenticators"]]
    assert names == ["Phone", "Tablet"]
    clock.shift(60)
    for app in (phone, tablet):
        other = client.another()
        assert verify(other, begin(other), app.code()).status == 200


def test_a_second_app_brings_no_new_recovery_codes(client):
    phone = App.enrolled(verified(client))
    assert App.enrolled(renew(client, code=phone.code(1))).recovery_codes == []


@pytest.mark.asvs("2.3.2")
def test_an_eleventh_app_is_refused(client, clock):
    app = App.enrolled(verified(client))
    for number in range(9):
        clock.shift(60)
        app = App.enrolled(renew(client, password=PASSWORD, code=app.code()), f"App {number}")
    clock.shift(60)
    assert enroll(renew(client, code=app.code())).code == "too_many_factors"


@pytest.mark.asvs("6.5.1")
def test_the_code_that_confirmed_is_no_code_of_the_first_sign_in(client):
    app = App.enrolled(verified(client))
    other = client.another()
    assert verify(other, begin(other), app.code()).code == "code_invalid"
    assert verify(other, begin(other), app.code(1)).status == 200


@pytest.mark.asvs("6.5.1", "RFC 6238")
@pytest.mark.parametrize("written", ["{0}", " {0} ", "{1} {2}", "{1}-{2}"])
def test_a_code_is_used_once_however_it_is_written(client, written):
    app = App.enrolled(verified(client))
    code = app.code(1)
    assert verify(client, begin(client), code).status == 200
    again = verify(client, begin(client), written.format(code, code[:3], code[3:]))
    assert (again.status, again.code) == (401, "code_invalid")


@pytest.mark.asvs("6.5.1")
def test_an_older_step_after_a_newer_is_refused(client, clock):
    app = App.enrolled(verified(client))
    clock.shift(60)
    now, next_one = app.code(), app.code(1)
    assert verify(client, begin(client), next_one).status == 200
    assert verify(client, begin(client), now).code == "code_invalid"


@pytest.mark.asvs("6.5.5", "RFC 6238")
@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
def test_a_clock_may_be_one_step_off(client, clock, steps, status):
    app = App.enrolled(verified(client))
    # The middle of a step, so that no code becomes older while it is on its way.
    clock.move_to(datetime.now(UTC).replace(microsecond=0, second=15) + timedelta(minutes=3), tick=False)
    assert verify(client, begin(client), app.code(steps)).status == status


@pytest.mark.asvs("6.5.8")
def test_the_time_a_client_claims_changes_nothing(client):
    app = App.enrolled(verified(client))
    body = {"mfa_token": begin(client), "method": "totp", "code": app.code(20)}
    claimed = {"Date": "Tue, 01 Jan 2030 00:00:00 GMT", "X-Time": "1900000000"}
    assert client.post("/auth/mfa/verify", body, headers=claimed).code == "code_invalid"


@pytest.mark.asvs("6.5.1")
def test_fifty_sign_ins_with_one_code_make_one_session(client, race, make_app):
    app = App.enrolled(verified(client))
    waiting = [begin(client.another()) for _ in range(9)]
    answers = race(50, lambda number: verify(client.another(), waiting[number % 9], app.code(1)))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401, 429}


@pytest.mark.asvs("6.5.2")
def test_no_secret_of_an_app_is_readable_in_the_database(client, database):
    app = App(enroll(verified(client)).json["secret"])
    sealed = read(client, select(Authenticator.sealed)).scalar_one()
    assert app.secret.encode() not in sealed
    assert base64.b32decode(app.secret) not in sealed


@pytest.mark.asvs("6.4.4", "6.5.6")
def test_removing_needs_a_session_begun_with_the_factor(client):
    app = App.enrolled(verified(client))
    assert client.delete("/auth/mfa/totp").code == "fresh_token_required"
    renew(client, code=app.code(1))
    assert client.delete("/auth/mfa/totp").status == 204
    assert client.another().login().status == 200


@pytest.mark.asvs("6.5.6")
def test_a_removed_app_is_refused_at_once(client, clock):
    phone = App.enrolled(verified(client), "Phone")
    tablet = App.enrolled(renew(client, code=phone.code(1)), "Tablet")
    number = client.get("/auth/mfa").json["authenticators"][0]["id"]
    other = client.another()
    waiting = begin(other)
    clock.shift(60)
    renew(client, code=tablet.code())
    assert client.delete(f"/auth/mfa/authenticators/{number}").status == 204
    assert verify(other, begin(other), phone.code()).code == "code_invalid"
    assert verify(other, waiting, tablet.code(1)).code == "code_invalid"
    assert verify(other, begin(other), tablet.code(1)).status == 200


def test_removing_a_factor_ends_the_other_sessions(client):
    app = App.enrolled(verified(client))
    other = client.copy()
    other.login()
    elsewhere = client.another()
    recovered = verify(elsewhere, begin(elsewhere), app.recovery_codes[0], "recovery_code")
    assert recovered.status == 200
    renew(client, code=app.code(1))
    assert client.delete("/auth/mfa/totp").status == 204
    assert elsewhere.get("/auth/protected").code == "token_revoked"
    assert client.get("/auth/protected").status == 200


def test_the_recovery_codes_go_with_the_last_factor(client):
    app = App.enrolled(verified(client))
    renew(client, code=app.code(1))
    client.delete("/auth/mfa/totp")
    shown = client.get("/auth/mfa").json
    assert (shown["methods"], shown["recovery_codes_left"]) == ([], 0)


def test_another_persons_factor_is_not_there(client):
    App.enrolled(verified(client))
    number = client.get("/auth/mfa").json["authenticators"][0]["id"]
    stranger = verified(client.another(), "eve")
    assert stranger.delete(f"/auth/mfa/authenticators/{number}").status == 404


def test_there_must_be_an_app_to_remove(client):
    app = App.enrolled(verified(client))
    renew(client, method="recovery_code", code=app.recovery_codes[0])
    client.delete("/auth/mfa/totp")
    assert client.delete("/auth/mfa/totp").status == 404


def test_where_there_is_no_app_no_other_proof_is_asked_for(client):
    authenticator = passkeys.Authenticator()
    options = verified(client).post("/auth/passkeys/register/options").json
    client.post("/auth/passkeys/register/verify", {"credential": authenticator.create(options)})
    challenge = client.post("/auth/reauthenticate/options").json
    renew(client, passkey=authenticator.get(challenge))
    answer = client.delete("/auth/mfa/totp")
    assert (answer.status, answer.code) == (404, "not_found")


def test_every_change_is_an_event(client):
    app = App.enrolled(verified(client))
    renew(client, code=app.code(1))
    client.delete("/auth/mfa/totp")
    events = read(client, select(AuditEvent.name, AuditEvent.data).order_by(AuditEvent.id)).all()
    assert ("factor.added", {"kind": "totp"}) in events
    assert ("factor.removed", {"kind": "totp"}) in events
