"""Passkeys as a front end uses them: `@simplewebauthn/browser` in a real Chromium, with a virtual authenticator."""

import pytest

from tests.support.clients import PASSWORD


def sign_in(tab, person):
    tab.type("#identifier", person.name)
    tab.type("#secret", PASSWORD)
    tab.click("#sign-in")


def is_(tab, person):
    tab.click("#who")
    tab.sees(f"You are {person.name}")


@pytest.fixture
def address(front, site):
    return f"{front}/?api={site.local_url}"


@pytest.fixture
def registered(tab, site, address):
    """Somebody who has just added a passkey to their account, on the page that is open."""
    tab.add_authenticator()
    person = site.person(verified=True)
    tab.open(address)
    sign_in(tab, person)
    tab.sees("Signed in")
    tab.click("#register")
    tab.sees("Passkey added")
    return person


def forget_session(tab):
    tab.call("Network.clearBrowserCookies")
    tab.open(tab.address)
    assert tab.run("document.cookie") == ""


def test_a_passkey_is_registered(tab, registered):
    (passkey,) = registered.client.get("/auth/passkeys").json["items"]
    assert (passkey["name"], passkey["transports"]) == ("Browser", ["internal"])


def test_a_passkey_signs_in_without_a_name_and_counts_as_two_factors(tab, registered):
    forget_session(tab)
    tab.click("#passkey")
    tab.sees("Signed in with a passkey")
    is_(tab, registered)
    sessions = registered.client.get("/auth/sessions").json["items"]
    assert ["pop", "user", "mfa"] in [session["amr"] for session in sessions]


def test_a_passkey_is_the_second_factor_after_a_password(tab, registered):
    forget_session(tab)
    sign_in(tab, registered)
    tab.sees("Signed in with both")
    is_(tab, registered)


def test_a_passkey_is_offered_beside_the_name_field(tab, registered, address):
    tab.call("Network.clearBrowserCookies")
    tab.open(f"{address}&autofill")
    tab.sees("Signed in with a passkey")
    is_(tab, registered)


def test_a_passkey_is_the_second_factor_after_a_magic_link_on_the_page_of_the_service(tab, site, registered):
    """Passkeys belong to a name, so the page is opened at the name of this machine and not at its address."""
    tab.call("Network.clearBrowserCookies")
    tab.open(site.ask(registered, "magic-link").link.replace(site.url, site.local_url))
    tab.click("button[type=submit]")
    tab.click("button.second")
    tab.sees(f"You are signed in as {registered.name}.")


def test_a_passkey_is_not_registered_twice_on_one_device(tab, registered):
    tab.click("#passkey")
    tab.sees("Signed in with a passkey")
    tab.click("#register")
    tab.sees("InvalidStateError")
