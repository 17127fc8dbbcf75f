"""Authenticator apps: enrolling, confirming, and what makes a code good once."""

import pytest

from tests.support.factors import App, begin, verified, verify


def test_an_app_counts_only_once_it_is_confirmed(client):
    verified(client).post("/auth/mfa/totp/enroll", {})
    assert client.another().login().status == 200


def test_a_confirmed_app_is_asked_for_at_the_next_sign_in(client, clock):
    app = App.enrolled(verified(client))
    other = client.another()
    answer = other.login()
    assert (answer.status, answer.code) == (401, "mfa_required")
    assert answer.json["methods"] == ["totp", "recovery_code"]
    assert other.get("/auth/protected").code == "token_missing"
    clock.shift(30)
    assert verify(other, answer.json["mfa_token"], app.code()).status == 200
    claims = other.get("/auth/protected").json
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp", "mfa"], "aal2")
