"""The pages behind mailed links, over HTTP; what they do in a browser is told in tests/browser."""

import html
import re
from urllib.parse import urlsplit

import pytest

from auth.flows.pages import ASSETS, NAMES
from tests.support.mailed import KINDS
from tests.support.marks import one_client, one_database

pytestmark = one_database
every_page = pytest.mark.parametrize("name", sorted(NAMES))


def policy(answer):
    """The directives of the policy by their names."""
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return {name: value for name, _, value in (part.partition(" ") for part in parts)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_link_of_every_letter_leads_to_a_page(client, mailbox, kind):
    letter = KINDS[kind].letter(client.signed_in(), mailbox)
    answer = client.get(urlsplit(letter.link).path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-store"


@every_page
@pytest.mark.asvs("3.4.3", "3.4.6", "3.4.8", "3.6.1", "14.2.3")
def test_a_page_may_load_and_ask_nothing_from_elsewhere(bearer, name):
    answer = bearer.get(f"/pages/{name}")
    allowed = policy(answer)
    nonce = re.search(r'nonce="([^"]+)"', answer.text)[1]
    assert allowed.pop("script-src") == allowed.pop("style-src") == f"'nonce-{nonce}'"
    assert (allowed.pop("connect-src"), allowed.pop("img-src")) == ("'self'", "data:")
    assert (allowed.pop("require-trusted-types-for"), allowed.pop("trusted-types")) == ("'script'", "'none'")
    everything_else = ("default-src", "base-uri", "form-action", "frame-ancestors", "object-src")
    assert allowed == dict.fromkeys(everything_else, "'none'")
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "://" not in answer.text


@pytest.mark.asvs("3.4.3")
def test_no_two_answers_share_a_nonce(bearer):
    first, second = (policy(bearer.get("/pages/verify"))["script-src"] for _ in range(2))
    assert first != second


@pytest.mark.asvs("3.2.3")
def test_the_script_is_a_module_and_nothing_else_on_a_page_is_script(bearer):
    page = bearer.get("/pages/verify").text
    assert re.findall(r"<script[^>]*>", page) == re.findall(r'<script type="module" src="assets/page.js" [^>]*>', page)
    assert not re.search(r"\son\w+=|javascript:|style=", page)


@pytest.mark.asvs("3.2.2")
def test_the_script_knows_no_way_to_write_markup(bearer):
    script = bearer.get("/pages/assets/page.js").text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|srcdoc", script)


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_a_file_of_the_pages_has_its_type_and_is_not_sent_twice(bearer, name):
    answer = bearer.get(f"/pages/assets/{name}")
    kinds = {"js": "text/javascript", "css": "text/css"}
    assert answer.headers["Content-Type"] == f"{kinds[name.partition('.')[2]]}; charset=utf-8"
    assert "://" not in answer.text
    again = bearer.get(f"/pages/assets/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["page.html", "assets/page.html", "assets/..%2fpage.html", "Verify", "verify/", "%00"])
def test_no_other_page_and_no_other_file_is_served(bearer, path):
    assert bearer.get(f"/pages/{path}").code == "not_found"


@one_client
@pytest.mark.asvs("1.1.2", "1.3.7", "3.2.2")
@pytest.mark.parametrize("service", ["<script>alert(1)</script>", "{{ 7 * 7 }}", '"><b>'])
def test_the_name_of_the_service_is_text(make_client, service):
    page = make_client(SERVICE_NAME=service).get("/pages/verify").text
    title = re.search(r"<title>(.*)</title>", page)[1]
    assert html.unescape(title) == service
    assert "<" not in title


@one_client
@pytest.mark.asvs("3.4.7")
def test_violations_are_reported_where_that_is_set(make_client):
    told = "https://reports.example.com/csp?service=gatehouse"
    answer = make_client(CSP_REPORT_URL=told).get("/pages/verify")
    assert (policy(answer)["report-uri"], policy(answer)["report-to"]) == (told, "csp")
    assert answer.headers["Reporting-Endpoints"] == f'csp="{told}"'


def test_nothing_is_reported_unless_that_is_set(bearer):
    answer = bearer.get("/pages/verify")
    assert "report" not in answer.headers["Content-Security-Policy"]
    assert "Reporting-Endpoints" not in answer.headers


@pytest.mark.asvs("3.1.1")
def test_who_has_no_script_is_told_so_in_both_languages(bearer):
    page = bearer.get("/pages/verify").text
    assert "This page needs JavaScript." in page
    assert "Diese Seite braucht JavaScript." in page


def test_every_text_is_there_in_every_language(bearer):
    script = bearer.get("/pages/assets/page.js").text
    tables = [
        re.search(rf"const {name} = {{(.*?)  problems: {{", script, re.DOTALL)[1] for name in ("ENGLISH", "GERMAN")
    ]
    english, german = (re.findall(r'^ +"?([\w-]+)"?: ', table, re.MULTILINE) for table in tables)
    assert english == german
    assert set(english) >= NAMES


PROBLEM = "application/problem+json"
# What the script of the page never brings about; and what it answers by its next step.
NEVER_SHOWN = {
    "too_large", "unsupported_media_type", "token_missing", "token_invalid", "token_expired", "token_revoked",
    "mfa_required",
}  # fmt: skip


def test_every_refusal_that_a_page_can_meet_is_told_in_german(bearer):
    script = bearer.get("/pages/assets/page.js").text
    german = script.partition("const GERMAN")[2].partition("problems: {")[2].partition("\n  },")[0]
    routes = bearer.get("/openapi.json").json["paths"]
    posted = [routes.get(f"/auth/{path}", {}).get("post") for path in re.findall(r'"([a-z/-]+)"', script)]
    answers = [answer.get("content", {}) for route in posted if route for answer in route["responses"].values()]
    refusals = [answer[PROBLEM]["schema"]["allOf"][1]["properties"] for answer in answers if PROBLEM in answer]
    met = {code for refusal in refusals for code in refusal["code"]["enum"]} - NEVER_SHOWN
    assert len(met) > 10
    assert met - set(re.findall(r"^    (\w+): ", german, re.MULTILINE)) == set()
