"""The policy: who must have a second factor gets a session that can do nothing but enrol one."""

import jwt
import pytest

from tests.support.authenticator import Authenticator
from tests.support.factors import App, begin, change_user, renew, verified, verify

ENROLLING = {
    ("GET", "/auth/me"),
    ("GET", "/auth/mfa"),
    ("GET", "/auth/passkeys"),
    ("POST", "/auth/email/verify/request"),
    ("POST", "/auth/logout-all"),
    ("POST", "/auth/mfa/email/challenge"),
    ("POST", "/auth/mfa/email/confirm"),
    ("POST", "/auth/mfa/email/enroll"),
    ("POST", "/auth/mfa/sms/challenge"),
    ("POST", "/auth/mfa/sms/confirm"),
    ("POST", "/auth/mfa/sms/enroll"),
    ("POST", "/auth/mfa/totp/confirm"),
    ("POST", "/auth/mfa/totp/enroll"),
    ("POST", "/auth/passkeys/register/options"),
    ("POST", "/auth/passkeys/register/verify"),
    ("POST", "/auth/reauthenticate"),
    ("POST", "/auth/reauthenticate/options"),
}


@pytest.fixture
def strict(make_client):
    """A client whose person must enrol a second factor, and is signed in."""
    return verified(make_client(MFA_POLICY="required"))


def claims_of(client):
    return jwt.decode(client.access_token, options={"verify_signature": False})


@pytest.mark.asvs("6.3.3")
def test_who_must_enrol_gets_a_session_that_opens_nothing_else(strict):
    answer = strict.get("/auth/protected")
    assert (answer.status, answer.code) == (403, "enrolment_required")
    assert strict.get("/auth/sessions").code == "enrolment_required"


@pytest.mark.asvs("6.3.3")
def test_a_proxy_that_asks_for_other_services_is_told_that_it_is_no_session(strict):
    answer = strict.get("/auth/verify")
    assert (answer.status, answer.code) == (401, "token_invalid")
    renew(strict, code=App.enrolled(strict).code(1))
    assert strict.get("/auth/verify").status == 204


def test_only_the_routes_of_enrolling_are_open(strict):
    routes = {
        (view.endpoint.method, view.endpoint.rule)
        for view in strict.wire.app.view_functions.values()
        if hasattr(view, "endpoint") and view.endpoint.enrolling is True
    }
    assert routes == ENROLLING


@pytest.mark.asvs("6.3.3")
def test_other_services_refuse_its_token_by_the_audience(strict):
    change_user(strict, "ada", roles=["admin"])
    strict.login()
    claims = claims_of(strict)
    assert (claims["aud"], claims["enrol_only"], claims["roles"]) == ("urn:gatehouse:enrolment", True, [])


@pytest.mark.asvs("6.3.3")
def test_refreshing_does_not_widen_it(strict):
    assert strict.refresh().status == 200
    assert strict.get("/auth/protected").code == "enrolment_required"


def test_having_enrolled_the_person_goes_on_by_the_next_code(strict):
    app = App.enrolled(strict)
    assert strict.get("/auth/protected").code == "enrolment_required"
    renew(strict, code=app.code(1))
    assert strict.get("/auth/protected").json["acr"] == "aal2"


@pytest.mark.asvs("6.3.3")
def test_another_session_of_the_password_alone_stays_closed_after_enrolling(strict):
    other = strict.another()
    other.login()
    App.enrolled(strict)
    assert other.refresh().status == 200
    assert other.get("/auth/protected").code == "enrolment_required"


def test_a_passkey_satisfies_the_policy(strict):
    authenticator = Authenticator()
    credential = authenticator.create(strict.post("/auth/passkeys/register/options").json)
    assert strict.post("/auth/passkeys/register/verify", {"credential": credential}).status == 201
    options = strict.post("/auth/passkeys/login/options").json
    strict.post("/auth/passkeys/login/verify", {"credential": authenticator.get(options)})
    assert strict.get("/auth/protected").status == 200


def test_the_last_factor_cannot_be_removed_under_the_policy(strict):
    app = App.enrolled(strict)
    renew(strict, code=app.code(1))
    answer = strict.delete("/auth/mfa/totp")
    assert (answer.status, answer.code) == (409, "last_factor")
    assert strict.get("/auth/mfa").json["methods"] == ["totp", "recovery_code"]


def test_a_trusted_device_satisfies_the_policy(strict, clock):
    app = App.enrolled(strict)
    other = strict.another()
    assert verify(other, begin(other), app.code(1), trust_device=True).status == 200
    assert other.login().status == 200
    assert other.get("/auth/protected").status == 200
    assert other.refresh().status == 200
    assert other.get("/auth/protected").status == 200


@pytest.mark.asvs("6.3.3")
def test_a_session_begun_before_the_policy_can_only_enrol_from_its_next_refresh(client, make_client):
    verified(client)
    strict = make_client(MFA_POLICY="required")
    strict.login()
    strict.access_token, strict.refresh_token = client.access_token, client.refresh_token
    if client.kind == "cookie":
        strict.cookies = client.cookies.copy()
    assert strict.refresh().status == 200
    assert strict.get("/auth/protected").code == "enrolment_required"


@pytest.mark.asvs("6.3.3")
@pytest.mark.parametrize(("roles", "status"), [([], 200), (["user"], 200), (["admin"], 403), (["user", "admin"], 403)])
def test_the_policy_can_be_for_some_roles(make_client, roles, status):
    client = verified(make_client(MFA_POLICY="required_for_roles", MFA_ROLES="admin,auditor"))
    change_user(client, "ada", roles=roles)
    client.login()
    assert client.get("/auth/protected").status == status


def test_the_list_of_factors_says_that_one_is_required(strict):
    assert strict.get("/auth/mfa").json["required"] is True


def test_signing_out_works(strict):
    assert strict.logout().status == 200
    assert strict.get("/auth/mfa").status == 401


def test_an_administrator_resets_the_factors_of_a_person(client):
    app = App.enrolled(verified(client))
    other = client.another()
    mfa_token = begin(other)
    said = client.wire.app.test_cli_runner().invoke(args=["factors", "reset", "ada"])
    assert (said.exit_code, said.output) == (0, "factors removed: 1, sessions ended: 1\n")
    assert client.get("/auth/protected").code == "token_revoked"
    assert verify(other, mfa_token, app.code(1)).code == "code_invalid"
    assert other.login().status == 200


def test_there_must_be_such_a_person(client):
    said = client.wire.app.test_cli_runner().invoke(args=["factors", "reset", "nobody"])
    assert said.exit_code == 1
    assert "nobody" in said.output
