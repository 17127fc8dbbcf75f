"""The API document and the page that shows it, over HTTP."""

import re

import pytest

from auth.flows.documents import FILES

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def test_the_document_is_served_as_json(bearer):
    answer = bearer.get("/openapi.json")
    assert (answer.status, answer.json["openapi"]) == (200, "3.1.0")
    assert answer.json["servers"] == [{"url": "http://127.0.0.1:8000"}]


def test_a_document_that_has_not_changed_is_not_sent_again(bearer):
    etag = bearer.get("/openapi.json").headers["ETag"]
    again = bearer.get("/openapi.json", headers={"If-None-Match": etag})
    assert (again.status, again.data) == (304, b"")


def test_the_page_and_its_files_come_from_here(bearer):
    page = bearer.get("/docs")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    ours = [link for link in linked if not link.startswith("data:")]
    assert "://" not in page.text
    assert [bearer.get(f"/{link}").status for link in ours] == [200] * len(ours)


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_page_has_its_type(bearer, name):
    answer = bearer.get(f"/docs/{name}")
    kinds = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
    assert answer.headers["Content-Type"] == f"{kinds[name.rpartition('.')[2]]}; charset=utf-8"


def test_the_page_may_load_and_evaluate_nothing_from_elsewhere(bearer):
    policy = bearer.get("/docs").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "://" not in policy


@pytest.mark.parametrize("name", ["redoc.js", "..%2f__init__.py", "page.html%00", "%2e%2e"])
def test_no_other_file_is_served(bearer, name):
    assert bearer.get(f"/docs/{name}").code == "not_found"


def test_the_document_is_read_by_pages_of_any_origin_and_transport(cookie):
    assert cookie.get("/openapi.json", headers={"Origin": "https://elsewhere.example"}).status == 200


def test_a_registration_from_a_page_of_another_origin_is_refused_as_documented(cookie):
    foreign = {"Origin": "https://elsewhere.example"}
    assert cookie.post("/auth/register", {}, headers=foreign).code == "csrf_failed"
