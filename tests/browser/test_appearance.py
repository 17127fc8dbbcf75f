"""How the pages behind mailed links look, what they say, and that what they say is never markup."""

import json
from contextlib import closing

import pytest

from tests.browser.test_pages import BUTTON, every_page, follow

MARKUP = "<img src=x onerror=\"document.title='run'\"><b>bold</b>"
schemes = pytest.mark.parametrize("scheme", ["light", "dark"])
SERVICE = "Tea & <b>Biscuits</b>"
TEXTS = """
(() => {
  const shown = [...document.querySelectorAll("header, h1, p, label, label span, button")];
  return shown.filter((element) => element.textContent.trim() && element.getClientRects().length).map((element) => {
    const grounds = [];
    for (let part = element; part; part = part.parentElement) grounds.push(getComputedStyle(part).backgroundColor);
    const ground = grounds.find((ground) => ground !== "rgba(0, 0, 0, 0)");
    return [getComputedStyle(element).color, ground, element.textContent];
  });
})()
"""


def luminance(color):
    """The relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    parts = [int(part) / 255 for part in color.removeprefix("rgb(").removesuffix(")").split(", ")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def answering(tab, status, **body):
    """Have every answer of the service be this one, as the page sees it."""
    answer = f"new Response({json.dumps(json.dumps(body))}, {{ status: {status}, headers: {{ 'Retry-After': '7' }} }})"
    tab.instead(f"window.fetch = async () => {answer}")


@every_page
@schemes
def test_every_text_stands_out(tab, site, page, scheme):
    answering(tab, 503, code="unavailable", message="The service is busy")
    tab.looks(width=375, scheme=scheme)
    tab.open(f"{site.url}/pages/{page}#token=unknown")
    if page == "reset":
        tab.type("#password", "x")
    tab.click(BUTTON)
    tab.sees("The service is busy.")
    assert [text for ink, ground, text in tab.run(TEXTS) if contrast(ink, ground) < 4.5] == []


@schemes
def test_what_was_done_stands_out(tab, site, scheme):
    answering(tab, 200, message="Done")
    tab.looks(width=1280, scheme=scheme)
    tab.open(f"{site.url}/pages/verify#token=unknown")
    tab.click(BUTTON)
    tab.sees("Your address is confirmed.")
    assert [text for ink, ground, text in tab.run(TEXTS) if contrast(ink, ground) < 4.5] == []


@every_page
@pytest.mark.parametrize("width", [320, 1280])
def test_a_page_fits_its_window(make_tab, site, page, width):
    tab = make_tab("de")
    tab.looks(width=width)
    tab.open(f"{site.url}/pages/{page}#token=unknown")
    tab.wait(f"!!document.querySelector('{BUTTON}')")
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    assert tab.run(f"document.querySelector('{BUTTON}').getBoundingClientRect().height") >= 44


def test_every_field_has_its_name_and_the_heading_is_read_first(tab, site):
    follow(tab, site.ask(site.person(), "reset"))
    assert tab.run("[...document.querySelectorAll('input')].filter((input) => !input.labels.length).length") == 0
    assert tab.run("document.activeElement.textContent") == "Choose a new password"
    assert tab.run("document.title") == f"Choose a new password · {SERVICE}"


@pytest.mark.asvs("1.1.2", "1.3.7", "3.2.2")
def test_the_name_of_the_service_is_shown_as_it_is(tab, site):
    tab.open(f"{site.url}/pages/verify")
    tab.sees(SERVICE)


@pytest.mark.asvs("3.2.2")
def test_what_the_service_says_is_shown_as_it_is(tab, site):
    answering(tab, 409, code="unheard_of", message=MARKUP)
    tab.open(f"{site.url}/pages/verify#token=unknown")
    tab.click(BUTTON)
    tab.sees(MARKUP)
    assert tab.run("document.querySelector('main img, main b')") is None


@pytest.mark.asvs("3.2.2")
def test_a_name_is_shown_as_it_is(tab, site):
    answering(tab, 200, logged_in_as=MARKUP)
    tab.open(f"{site.url}/pages/magic-link#token=unknown")
    tab.click(BUTTON)
    tab.sees(f"You are signed in as {MARKUP}.")


@pytest.mark.parametrize(
    ("language", "told"), [("en", "Too many attempts. Try again in 7 seconds."), ("de", "Zu viele Versuche.")]
)
def test_who_has_to_wait_is_told_how_long_and_may_go_on_then(make_tab, site, language, told):
    tab = make_tab(language)
    answering(tab, 429, code="account_locked", message="Too many attempts")
    tab.open(f"{site.url}/pages/verify#token=unknown")
    tab.click(BUTTON)
    tab.sees(told)
    assert tab.run(f"document.querySelector('{BUTTON}').disabled") is False


@pytest.mark.asvs("3.2.2")
def test_a_script_could_not_even_write_markup(browser, site):
    """And what breaks the policy of a page is noticed: in a `tab` it would fail the test."""
    with closing(browser.tab("en")) as tab:
        tab.open(f"{site.url}/pages/verify")
        tab.sees("Confirm your address")
        assert tab.run("try { document.body.innerHTML = '<b>bold</b>' } catch (error) { error.name }") == "TypeError"
        assert tab.faults


@pytest.mark.asvs("3.6.1", "14.2.3")
@pytest.mark.parametrize("path", ["/pages/verify", "/dev/mail"])
def test_a_page_asks_nobody_but_this_service(tab, site, path):
    tab.open(site.url + path)
    tab.wait("!!document.querySelector('h1, h2')")
    assert [request["url"] for request in tab.requests if not request["url"].startswith((site.url, "data:"))] == []
    assert tab.requests
