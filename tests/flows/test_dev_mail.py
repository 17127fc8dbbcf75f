"""GET /dev/mail."""

import re

import pytest

from tests.support.mailbox import Mailbox


def test_the_letters_are_shown_with_their_links(client, mailbox):
    client.register("ada")
    letter = mailbox.last()
    page = client.get("/dev/mail")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert f'<a href="{letter.link}"' in page.text
    assert letter.code in page.text


def test_the_newest_letter_comes_first(client, mailbox):
    client.register("ada")
    client.register("bob")
    mailbox.work()
    assert re.findall(r"to (\w+)@", client.get("/dev/mail").text) == ["bob", "ada"]


@pytest.mark.asvs("1.1.2", "1.2.1")
def test_nothing_in_a_letter_becomes_markup(make_client):
    client = make_client(SERVICE_NAME="<b>Gate</b> & 'house'")
    client.register("ada")
    Mailbox(client.wire.app).work()
    page = client.get("/dev/mail").text
    assert "<b>Gate" not in page
    assert "&lt;b&gt;Gate&lt;/b&gt;" in page


def test_the_page_runs_no_script_and_loads_nothing(client):
    policy = client.get("/dev/mail").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'nonce-")


def test_it_shows_letters_of_a_folder_too(make_client, tmp_path):
    client = make_client(MAIL_URL=f"file://{tmp_path}")
    client.register("ada")
    Mailbox(client.wire.app).work()
    assert "ada@example.org" in client.get("/dev/mail").text


def test_where_letters_leave_by_smtp_it_says_so(make_client):
    assert "MAIL_URL is a mail server" in make_client(MAIL_URL="smtp://127.0.0.1:2525").get("/dev/mail").text
