"""Every route and every verb: what is safe changes nothing, what is not there is refused, nothing inner comes out."""

import json
import re

import pytest

from models import db
from tests.support.crawl import Crawl
from tests.support.mailbox import Mailbox
from tests.support.marks import one_database
from tests.support.tables import rows

VERBS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "FOO")
OVERRIDES = ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method")


@pytest.fixture
def crawl(bearer):
    return Crawl(bearer)


def paths(crawl):
    """Each path with a request to it and the verbs that are declared for it."""
    by_path = {}
    for route in crawl.routes:
        by_path.setdefault(route.path, []).append(route)
    return [(found[0], {route.method for route in found}) for found in by_path.values()]


@pytest.mark.asvs("3.5.3")
@pytest.mark.parametrize("verb", ["GET", "HEAD", "OPTIONS"])
def test_what_is_safe_changes_nothing(crawl, verb):
    """Not one row of any table; that somebody took a copy of their data is noted in the audit trail."""
    person = crawl.person()
    person.get("/.well-known/jwks.json")
    before = crawl.snapshot(but=("audit_events",))
    for route, _ in paths(crawl):
        headers = dict.fromkeys(OVERRIDES, "DELETE")
        person.request(verb, f"{route.url}?_method=DELETE", headers=headers)
        person.request(verb, route.url, data=json.dumps(route.body or {}).encode(), headers=headers)
    assert crawl.snapshot(but=("audit_events",)) == before


@one_database
@pytest.mark.asvs("4.1.4", "13.4.4")
def test_every_verb_that_is_not_declared_is_refused_with_those_that_are(crawl):
    person = crawl.person()
    wrong = {}
    for route, declared in paths(crawl):
        allowed = declared | {"OPTIONS"} | ({"HEAD"} if "GET" in declared else set())
        for verb in set(VERBS) - allowed:
            answer = person.request(verb, route.url)
            told = set(answer.headers.get("Allow", "").split(", "))
            if (answer.status, told) != (405, allowed):
                wrong[f"{verb} {route.path}"] = (answer.status, told)
    assert wrong == {}


@one_database
@pytest.mark.asvs("4.2.2", "4.1.1", "3.2.1")
def test_the_length_and_the_type_of_every_answer_are_told(crawl):
    person = crawl.person()
    answers = {route.name: route.send(person) for route in crawl.routes if route.method == "GET"}
    answers |= {f"{route.name} as nobody": route.send(person.another()) for route in crawl.routes}
    wrong = {name: dict(answer.headers) for name, answer in answers.items() if not _is_measured(answer)}
    assert wrong == {}


def _is_measured(answer):
    if answer.status in (204, 304):
        return not answer.data and "Content-Type" not in answer.headers
    kind = answer.headers.get("Content-Type", "")
    known = re.fullmatch(r"application/([\w.+-]*json|jwt)|text/(html|css|javascript|plain);.*charset=utf-8.*", kind)
    return bool(known) and int(answer.headers["Content-Length"]) == len(answer.data)


@one_database
@pytest.mark.asvs("4.2.2")
def test_head_tells_what_get_would_and_sends_no_body(crawl):
    person = crawl.person()
    for route in crawl.routes:
        if route.method == "GET" and route.path not in ("/metrics",):
            got, told = route.send(person), person.request("HEAD", route.url)
            assert (told.status, told.data) == (got.status, b""), route.name
            assert told.headers.get("Content-Type") == got.headers.get("Content-Type"), route.name


# A passkey's public key is the person's to take along, and no secret.
INNER = re.compile(r"hash|pepper|private|sealed|skeleton|(?<!^public)_key$|stack|trace|sql|password")


@one_database
@pytest.mark.asvs("8.2.3", "15.3.1")
def test_no_answer_has_a_field_for_a_secret(crawl):
    schemas = crawl.documented.document["components"]["schemas"]
    read = {name for route in crawl.with_body for name, schema in schemas.items() if schema is route.schema}
    written = {name: schema.get("properties", {}) for name, schema in schemas.items() if name not in read}
    assert [f"{name}.{one}" for name, fields in written.items() for one in fields if INNER.search(one)] == []


@one_database
@pytest.mark.asvs("16.5.4", "16.5.1", "4.1.1")
def test_an_error_that_nobody_foresaw_is_told_by_every_route_in_the_same_way(crawl, monkeypatch, caplog):
    person = crawl.person()

    def fail(*_):
        raise RuntimeError("an inner detail")

    monkeypatch.setattr("auth.endpoint._guard", fail)
    monkeypatch.setitem(crawl.app.config, "PROPAGATE_EXCEPTIONS", False)
    answers = {route.name: route.send(person) for route in crawl.routes}
    assert {(answer.status, answer.code, answer.headers["Content-Type"]) for answer in answers.values()} == {
        (500, "internal_error", "application/problem+json")
    }
    assert [name for name, answer in answers.items() if "inner" in answer.text or "Traceback" in answer.text] == []
    monkeypatch.undo()
    assert person.get("/auth/me").status == 200


def stored_secrets(app):
    """Everything that is stored to check a secret by, or that is encrypted."""
    found = [
        (column.name, value)
        for mapper in db.Model.registry.mappers
        for row in rows(app, mapper.class_)
        for column, value in zip(mapper.local_table.columns, row, strict=True)
        if value and (column.name.endswith("_hash") or column.name in ("sealed", "private_key", "hash"))
    ]
    return {name for name, _ in found}, {value.hex() if isinstance(value, bytes) else value for _, value in found}


@one_database
@pytest.mark.asvs("8.2.3", "15.3.1")
def test_nothing_that_is_stored_to_check_a_secret_comes_out(crawl):
    person = crawl.person()
    person.post("/auth/magic-link", {"email": "crawler1@example.org"})
    Mailbox(crawl.app).work()
    columns, values = stored_secrets(crawl.app)
    assert columns >= {"password_hash", "secret_hash", "code_hash", "sealed", "private_key", "origin_hash", "hash"}
    texts = [route.send(one).text for one in (person.another(), person) for route in crawl.routes]
    assert [value for value in values if any(value in text for text in texts)] == []


def test_a_path_has_one_spelling(bearer):
    """What is spelled otherwise is not there, and leads nowhere: no answer names a host that a client has sent."""
    for path in ("/auth//protected", "//auth/protected", "/auth/protected/"):
        answer = bearer.get(path, headers={"Host": "elsewhere.example"})
        assert answer.status in (401, 404)
        assert "Location" not in answer.headers
