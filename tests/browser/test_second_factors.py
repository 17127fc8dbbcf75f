"""The page of a magic link asks for whichever second factor the person has."""

import json

import pytest

from tests.browser.test_pages import BUTTON, follow
from tests.support.factors import App

SIGNED_IN = "You are signed in as {}."


@pytest.fixture
def person(site):
    return site.person(verified=True)


@pytest.fixture
def app(person):
    return App.enrolled(person.client)


@pytest.fixture
def asked(tab, site, person, app):
    """The page that asks a person with an authenticator app for a second factor."""
    follow(tab, site.ask(person, "magic-link"))
    tab.click(BUTTON)
    tab.sees("One more step")
    return tab


def test_a_code_of_the_app_signs_in_after_a_wrong_one(asked, person, app):
    asked.type("#code", "000000")
    asked.click(BUTTON)
    asked.sees("This code is not valid")
    asked.type("#code", app.code(1))
    asked.click(BUTTON)
    asked.sees(SIGNED_IN.format(person.name))


def test_a_recovery_code_can_be_chosen_instead(asked, person, app):
    asked.run("document.querySelector('#method').value = 'recovery_code'")
    asked.type("#code", app.recovery_codes[0])
    asked.click(BUTTON)
    asked.sees(SIGNED_IN.format(person.name))


def test_a_code_comes_by_sms_when_it_is_asked_for(tab, site, person):
    assert person.client.post("/auth/mfa/sms/enroll", {"phone": person.phone}).status == 202
    assert person.client.post("/auth/mfa/sms/confirm", {"code": site.texted(person.phone)}).status == 200
    follow(tab, site.ask(person, "magic-link"))
    tab.click(BUTTON)
    tab.click("button.second")
    tab.sees("A code is on its way.")
    tab.type("#code", site.texted(person.phone))
    tab.click(BUTTON)
    tab.sees(SIGNED_IN.format(person.name))


def answers(tab, status, **body):
    """Let the service answer like this from now on."""
    told = f"new Response({json.dumps(json.dumps(body))}, {{ status: {status} }})"
    tab.run(f"void (window.fetch = async () => {told})")


def test_who_has_a_passkey_and_no_code_left_is_offered_the_passkey_alone(tab, site):
    tab.open(f"{site.url}/pages/magic-link#token=unknown")
    tab.wait(f"!!document.querySelector('{BUTTON}')")
    answers(tab, 401, code="mfa_required", mfa_token="x", methods=["passkey"])
    tab.click(BUTTON)
    tab.sees("One more step")
    assert tab.run("[...document.querySelectorAll('button')].map((button) => button.textContent)") == ["Use a passkey"]


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ({"code": "factor_unavailable", "message": "This method is not offered here"}, "wird hier nicht angeboten."),
        ({"code": "invalid_request", "message": "Invalid method"}, "Die Anfrage ist ungültig."),
        (
            {
                "code": "invalid_request",
                "message": "Invalid code",
                "errors": [
                    {"field": "code", "code": "string_too_long", "message": "should have at most 32 characters"}
                ],
            },
            "Das darf höchstens 32 Zeichen haben.",
        ),
    ],
)
def test_who_reads_german_is_refused_a_factor_in_german(make_tab, site, problem, told):
    tab = make_tab("de")
    tab.open(f"{site.url}/pages/magic-link#token=unknown")
    tab.wait(f"!!document.querySelector('{BUTTON}')")
    answers(tab, 401, code="mfa_required", mfa_token="x", methods=["totp"])
    tab.click(BUTTON)
    tab.sees("Noch ein Schritt")
    assert tab.run("document.querySelector('#code').maxLength") == 32
    answers(tab, 400, **problem)
    tab.type("#code", "1")
    tab.click(BUTTON)
    tab.sees(told)
