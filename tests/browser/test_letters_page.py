"""The page that shows letters while developing."""

from tests.browser.test_pages import BUTTON


def test_letters_can_be_read_and_their_links_followed(tab, site):
    person = site.person()
    letter = site.letter(person.email, "verify")
    tab.open(f"{site.url}/dev/mail")
    tab.sees(person.email)
    tab.click(f'a[href="{letter.link}"]')
    tab.click(BUTTON)
    tab.sees("Your address is confirmed.")
    assert person.account["email_verified"] is True
