"""The page of a magic link asks for whichever second factor the person has."""

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
