"""The pages behind mailed links, in a real Chromium: each link is opened from a real letter of the running service."""

import pytest

from tests.support.site import REDEEMED_AT

NEW_PASSWORD = "Velvet-Harbour-Quince-8"
BUTTON = "button[type=submit]"
NOT_VALID = "This link is not valid any more."
every_page = pytest.mark.parametrize("page", REDEEMED_AT)


def follow(tab, letter):
    """Open the link of a letter, and wait until the person is asked to press the button."""
    tab.open(letter.link)
    tab.wait(f"!!document.querySelector('{BUTTON}')")


def who(tab):
    """Who the browser is signed in as, as a page of the service finds out."""
    return tab.run("fetch('/auth/protected').then((answer) => answer.json()).then((told) => told.logged_in_as)")


def more(page):
    return {"password": NEW_PASSWORD} if page == "reset" else {}


@every_page
@pytest.mark.asvs("14.2.1", "3.5.3")
def test_opening_a_link_changes_nothing(tab, site, page):
    person = site.person()
    letter, before = site.ask(person, page), person.account
    follow(tab, letter)
    assert {request["method"] for request in tab.requests} == {"GET"}
    assert (person.account, person.can_sign_in()) == (before, True)
    assert site.redeem(page, letter.token, **more(page)).status == 200


@every_page
def test_a_link_that_was_used_says_so(tab, site, page):
    letter = site.ask(site.person(), page)
    assert site.redeem(page, letter.token, **more(page)).status == 200
    follow(tab, letter)
    if page == "reset":
        tab.type("#password", NEW_PASSWORD)
    tab.click(BUTTON)
    tab.sees(NOT_VALID)
    assert tab.run(f"document.querySelector('{BUTTON}')") is None


@every_page
@pytest.mark.asvs("14.2.1")
def test_the_token_goes_nowhere_but_where_it_is_redeemed(tab, site, page):
    letter = site.ask(site.person(), page)
    follow(tab, letter)
    assert tab.address == f"{site.url}/pages/{page}"
    if page == "reset":
        tab.type("#password", NEW_PASSWORD)
    tab.click(BUTTON)
    tab.wait("!document.querySelector('form')")
    assert [sent["url"] for sent in tab.sent if letter.token in str(sent)] == [site.url + REDEEMED_AT[page]]
    assert letter.token not in site.service.log


def test_an_address_is_verified(tab, site):
    person = site.person()
    follow(tab, site.ask(person, "verify"))
    tab.click(BUTTON)
    tab.sees("Your address is confirmed.")
    assert person.account["email_verified"] is True


@pytest.mark.asvs("6.2.6", "6.2.7")
def test_a_new_password_is_chosen_after_one_that_is_refused(tab, site):
    person = site.person()
    follow(tab, site.ask(person, "reset"))
    tab.type("#password", "short")
    tab.click(BUTTON)
    tab.sees("Password must have at least 8 characters")
    assert tab.run("[document.activeElement.id, document.activeElement.ariaInvalid]") == ["password", "true"]
    tab.type("#password", NEW_PASSWORD)
    tab.click(BUTTON)
    tab.sees("Your password was changed.")
    assert (person.can_sign_in(), person.can_sign_in(NEW_PASSWORD)) == (False, True)
    assert tab.run("document.cookie") == ""


@pytest.mark.asvs("6.2.6", "6.2.7")
def test_the_password_is_hidden_until_it_is_shown_and_managers_know_what_it_is(tab, site):
    follow(tab, site.ask(site.person(), "reset"))
    field = "document.querySelector('#password')"
    assert tab.run(f"[{field}.type, {field}.autocomplete]") == ["password", "new-password"]
    tab.click("input[type=checkbox]")
    assert tab.run(f"{field}.type") == "text"


@pytest.mark.asvs("6.2.7")
def test_a_password_can_be_pasted(tab, site):
    tab.allow("clipboardReadWrite", "clipboardSanitizedWrite", at=site.url)
    follow(tab, site.ask(site.person(), "reset"))
    tab.run(f"navigator.clipboard.writeText('{NEW_PASSWORD}')")
    tab.click("#password")
    tab.press("v", 86, commands=("paste",))
    assert tab.wait("document.querySelector('#password').value") == NEW_PASSWORD


def test_a_magic_link_signs_in_by_cookies(tab, site):
    person = site.person()
    follow(tab, site.ask(person, "magic-link"))
    assert who(tab) is None
    tab.click(BUTTON)
    tab.sees(f"You are signed in as {person.name}.")
    assert who(tab) == person.name
    assert "access_token" not in tab.run("document.cookie")


def test_a_new_address_is_confirmed_and_the_letter_to_the_old_one_undoes_it(tab, site):
    person = site.person(verified=True)
    follow(tab, site.ask(person, "confirm-email"))
    tab.click(BUTTON)
    tab.sees("Your address was changed.")
    assert person.account["email"] == person.new_email
    follow(tab, site.letter(person.email, "not-me", "Your address was changed"))
    tab.click(BUTTON)
    tab.sees("Every device is signed out.")
    assert person.client.get("/auth/me").code == "token_revoked"
    # The letter to choose a new password goes to the address that is the person's again.
    assert site.redeem("reset", site.letter(person.email, "reset").token, password=NEW_PASSWORD).status == 200
    assert person.can_sign_in(NEW_PASSWORD)


def test_a_cry_for_help_ends_every_session(tab, site):
    person = site.person()
    follow(tab, site.ask(person, "not-me"))
    tab.click(BUTTON)
    tab.sees("Every device is signed out.")
    assert person.client.get("/auth/me").code == "token_revoked"
    assert person.client.another().login(person.name).code == "password_reset_required"


def test_everything_can_be_done_with_the_keyboard(tab, site):
    person = site.person()
    follow(tab, site.ask(person, "reset"))
    tab.press("Tab", 9)
    tab.call("Input.insertText", text=NEW_PASSWORD)
    tab.press("Enter", 13, text="\r")
    tab.sees("Your password was changed.")
    assert person.can_sign_in(NEW_PASSWORD)


def test_a_page_that_was_loaded_again_asks_for_the_link(tab, site):
    follow(tab, site.ask(site.person(), "verify"))
    tab.call("Page.reload")
    tab.sees("Please open the link in the letter again")


def test_another_link_can_be_opened_in_the_same_tab(tab, site):
    first, second = site.person(), site.person()
    follow(tab, site.ask(first, "verify"))
    tab.run(f"void (location.href = '{site.ask(second, 'verify').link}')")
    tab.wait("!location.hash")
    tab.click(BUTTON)
    tab.sees("Your address is confirmed.")
    assert (first.account["email_verified"], second.account["email_verified"]) == (False, True)


def test_a_double_click_is_one_request(tab, site):
    follow(tab, site.ask(site.person(), "verify"))
    tab.run(f"for (let press = 0; press < 3; press++) document.querySelector('{BUTTON}').click()")
    tab.sees("Your address is confirmed.")
    assert [request["method"] for request in tab.requests].count("POST") == 1


def test_what_failed_on_the_way_can_be_tried_again(tab, site):
    person = site.person()
    follow(tab, site.ask(person, "verify"))
    tab.go_offline()
    tab.click(BUTTON)
    tab.sees("The service could not be reached. Please try again.")
    tab.go_offline(False)
    tab.click(BUTTON)
    tab.sees("Your address is confirmed.")


@pytest.mark.parametrize(
    ("page", "told", "button"),
    [
        ("verify", "Adresse bestätigen", "Adresse bestätigen"),
        ("reset", "Neues Passwort wählen", "Passwort ändern"),
        ("magic-link", "In diesem Browser anmelden?", "Anmelden"),
        ("confirm-email", "Neue Adresse bestätigen", "Diese Adresse verwenden"),
        ("not-me", "Jedes Gerät wird abgemeldet", "Ich war es nicht"),
    ],
)
def test_who_reads_german_is_asked_in_german(make_tab, site, page, told, button):
    tab = make_tab("de-AT", "en")
    tab.open(f"{site.url}/pages/{page}#token=unknown")
    tab.sees(told)
    assert tab.run(f"[document.documentElement.lang, document.querySelector('{BUTTON}').textContent]") == ["de", button]


def test_who_reads_german_is_refused_in_german(make_tab, site):
    tab = make_tab("de")
    follow(tab, site.ask(site.person(), "reset"))
    for password, told in (
        ("kurz", "mindestens 8 Zeichen"),
        ("password123", "zu leicht zu erraten"),
        (NEW_PASSWORD * 20, "höchstens 256 Zeichen"),
        (NEW_PASSWORD * 200, "höchstens 256 Zeichen"),
    ):
        tab.type("#password", password)
        tab.click(BUTTON)
        tab.sees(told)


def test_who_reads_neither_is_asked_in_english(make_tab, site):
    tab = make_tab("fr", "nl")
    tab.open(f"{site.url}/pages/verify#token=unknown")
    tab.sees("Confirm your address")
    assert tab.run("document.documentElement.lang") == "en"
