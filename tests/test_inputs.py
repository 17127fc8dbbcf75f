"""Whatever comes in, on every route: decoded once, parsed strictly, taken for data; what is wrong is 400 and named.

The routes and their fields are those of the API document, so that a new route is asked the same questions.
"""

import json
from html import escape, unescape
from urllib.parse import quote

import pytest

from auth.mail import letters
from tests.support.crawl import Crawl
from tests.support.marks import one_database


@pytest.fixture
def crawl(bearer):
    return Crawl(bearer)


# The text of a body


BODIES = {
    "broken": b'{"a": ',
    "trailing data": b"{} {}",
    "trailing comma": b'{"identifier": "ada",}',
    "comment": b'{/* */"identifier": "ada"}',
    "single quotes": b"{'identifier': 'ada'}",
    "the same name twice": b'{"identifier": "ada", "identifier": "bea"}',
    "the same name twice, escaped": b'{"password": "a", "p\\u0061ssword": "b"}',
    "the same name twice, deeper": b'{"a": {"b": 1, "b": 2}}',
    "byte order mark": b'\xef\xbb\xbf{"identifier": "ada"}',
    "UTF-16": '{"identifier": "ada"}'.encode("utf-16"),
    "UTF-32": '{"identifier": "ada"}'.encode("utf-32"),
    "no UTF-8": b'{"identifier": "\xff\xfe"}',
    "overlong UTF-8": b'{"identifier": "\xc0\xaf"}',
    "NaN": b'{"identifier": NaN}',
    "infinity": b'{"identifier": -Infinity}',
    "a raw control character": b'{"identifier": "a\nb"}',
    "deep": b'{"identifier": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "a list": b'[{"identifier": "ada"}]',
    "a text": b'"ada"',
    "a number": b"7",
    "true": b"true",
    "a huge number": b'{"identifier": ' + b"9" * 60_000 + b"}",
    "a huge exponent": b'{"identifier": 1e999999999}',
    "a prototype": b'{"__proto__": {"admin": true}}',
    "a form": b"identifier=ada&password=x",
}


@one_database
@pytest.mark.asvs("1.5.3", "2.2.1")
@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_not_one_plain_json_object_is_refused_everywhere(crawl, body):
    person = crawl.person()
    answers = {route.name: route.send(person, data=BODIES[body]) for route in crawl.with_body}
    assert {name: answer.code for name, answer in answers.items() if answer.code != "invalid_request"} == {}


@one_database
@pytest.mark.asvs("3.5.1", "3.5.2")
@pytest.mark.parametrize(
    "media_type",
    [
        None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream",
        "text/json", "application/csp-report", "application/json5", "x",
    ],
)  # fmt: skip
def test_a_body_that_is_not_declared_as_json_is_refused_everywhere_and_has_no_effect(crawl, media_type):
    person = crawl.person()
    before = crawl.snapshot()
    routes = [(route, json.dumps(route.body).encode()) for route in crawl.with_body]
    answers = {
        route.name: route.send(person, data=data, headers={"Content-Type": media_type}).status for route, data in routes
    }
    assert set(answers.values()) == {415}
    assert crawl.snapshot() == before


UNASKED = {
    "a field": (b'{"x": 1}', "application/json", 400),
    "a field, its type untold": (b'{"x": 1}', "text/plain", 415),
    "no JSON": (b"not json", "application/json", 400),
    "a list": (b"[]", "application/json", 400),
    "a form": (b"x=1", "application/x-www-form-urlencoded", 415),
    "two megabytes": (b"x" * 2_000_000, "text/plain", 413),
    "two megabytes of JSON": (b'{"x": "' + b"x" * 2_000_000 + b'"}', "application/json", 413),
}


@one_database
@pytest.mark.asvs("2.2.1", "4.1.4", "15.3.3")
@pytest.mark.parametrize("name", UNASKED)
def test_a_body_that_nothing_asked_for_is_refused_and_has_no_effect(crawl, name):
    person = crawl.person()
    before = crawl.snapshot()
    data, media_type, status = UNASKED[name]
    answers = {
        route.name: route.send(person, data=data, headers={"Content-Type": media_type}) for route in crawl.without_body
    }
    assert len(answers) > 5
    assert {route: answer.status for route, answer in answers.items()} == dict.fromkeys(answers, status)
    assert crawl.snapshot() == before
    if name == "a field":
        assert {answer.json["errors"][0]["field"] for answer in answers.values()} == {"x"}


@one_database
def test_an_empty_object_is_as_good_as_no_body(crawl):
    for route in crawl.without_body:
        plain = route.send(crawl.person())
        for data, media_type in ((b"{}", "application/json"), (b" ", "text/plain"), (b"", "application/json")):
            answer = route.send(crawl.person(), data=data, headers={"Content-Type": media_type})
            assert answer.status == plain.status, route.name


# Types


WRONG = ([], ["ada"], {}, {"a": 1}, True, False, 7, 0, -1, 1.5, "7", "true", "", None, [None], 10**30)


@one_database
@pytest.mark.asvs("2.2.1", "2.2.2", "15.3.5")
def test_every_field_refuses_every_type_but_its_own(crawl):
    person = crawl.person()
    fields = [(route, name, schema) for route in crawl.with_body for name, schema in route.fields.items()]
    wrong = {}
    for route, name, schema in fields:
        for value in WRONG:
            if crawl.documented.faults(schema, value):
                answer = route.with_field(name, value).send(person)
                if answer.status != 400 or name not in {fault["field"] for fault in answer.json["errors"]}:
                    wrong[f"{route.name} {name}={value!r}"] = answer.text
    assert len(fields) > 20
    assert wrong == {}


@one_database
@pytest.mark.parametrize("data", [b"", b"null", b"{}"])
def test_an_empty_body_names_every_field_that_has_to_come(crawl, data):
    person = crawl.person()
    routes = [route for route in crawl.with_body if route.schema.get("required")]
    answers = {route.name: route.send(person, data=data).json["errors"] for route in routes}
    told = {name: [(fault["field"], fault["code"]) for fault in faults] for name, faults in answers.items()}
    assert told == {route.name: [(name, "missing") for name in route.schema["required"]] for route in routes}


OWNED_BY_THE_SERVICE = (
    "id", "user_id", "sub", "role", "roles", "is_admin", "admin", "email_verified", "email_verified_at", "mfa",
    "mfa_enabled", "mfa_since", "created_at", "updated_at", "disabled_at", "deleted_at", "password_hash",
    "username_key", "reset_forced_at", "amr", "acr", "__class__", "__proto__",
)  # fmt: skip


@one_database
@pytest.mark.asvs("8.2.3", "15.3.3")
def test_no_body_sets_what_only_the_service_may_set(crawl):
    person = crawl.person()
    before = crawl.snapshot()
    accepted = {
        f"{route.name} {name}": answer.status
        for route in crawl.with_body
        for name in OWNED_BY_THE_SERVICE
        if name not in route.fields
        for answer in [route.with_field(name, 1).send(person)]
        if (answer.status, answer.json["errors"][-1]["field"]) != (400, name)
    }
    assert accepted == {}
    assert crawl.snapshot() == before


@one_database
@pytest.mark.asvs("2.2.1", "15.1.3")
def test_thousands_of_faults_make_no_long_answer(crawl):
    person = crawl.person()
    unknown = {f"{number:x}": 1 for number in range(6000)}
    answers = {
        route.name: route.send(person, data=json.dumps({**unknown, **route.body}).encode()) for route in crawl.with_body
    }
    answers |= {
        route.name: route.with_query("&".join(f"{name}=1" for name in [*unknown, *unknown][:4000])).send(person)
        for route in crawl.routes
        if route.query
    }
    assert {answer.code for answer in answers.values()} == {"invalid_request"}
    assert max(len(answer.data) for answer in answers.values()) < 6000


@one_database
@pytest.mark.asvs("2.2.1", "15.3.7")
@pytest.mark.parametrize("query", ["limit=1&limit=2", "cursor=a&cursor=b", "unknown=1", "limit=1&Limit=1", "limit[]=1"])
def test_a_query_is_as_strict_as_a_body(crawl, query):
    person = crawl.person()
    routes = [route for route in crawl.routes if route.query]
    answers = {route.name: route.with_query(query).send(person) for route in routes}
    assert {name: answer.code for name, answer in answers.items()} == dict.fromkeys(answers, "invalid_request")


@one_database
@pytest.mark.asvs("2.2.1", "15.3.3")
def test_a_query_that_nothing_asked_for_is_refused(crawl):
    """But on public documents, which links lead to, and where a proxy asks with the query of another request."""
    person = crawl.person()
    routes = [route for route in crawl.routes if not route.query and route.path != "/auth/verify"]
    own = [route for route in routes if route.method != "GET" or route.operation["security"]]
    answers = {route.name: route.with_query("foo=1").send(person) for route in own}
    told = {name: (answer.code, answer.json["errors"][0]["field"]) for name, answer in answers.items()}
    assert told == dict.fromkeys(answers, ("invalid_request", "foo"))
    for route in routes:
        if route not in own:
            assert route.with_query("foo=1").send(person).status == route.send(person).status, route.name


def test_a_proxy_may_ask_with_the_query_of_the_request_that_it_asks_about(client):
    assert client.signed_in().get("/auth/verify?limit=x&limit=y").status == 204


# Numbers


NUMBERS = (
    2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 2**70, 10**400, -1, 0, -(2**63), "1e309", "NaN", "Infinity",
    "0x10", "1.5", "1e1", "", "null", "9" * 5000,
)  # fmt: skip


@pytest.mark.asvs("1.4.2")
def test_no_number_in_an_address_is_too_large_to_be_refused(crawl):
    person = crawl.person()
    statuses = {}
    for number in map(str, NUMBERS):
        for route in crawl.routes:
            for name in route.parts if number else ():
                statuses[f"{route.name} {name}={number[:20]}"] = route.with_part(name, number).send(person).status
            for name in route.query:
                answer = route.with_query(f"{name}={number.replace('+', '%2B')}").send(person)
                statuses[f"{route.name} {name}={number[:20]}"] = answer.status
    assert {name: status for name, status in statuses.items() if status not in (400, 404, 405)} == {}


@one_database
@pytest.mark.asvs("1.4.2")
@pytest.mark.parametrize("number", ["1e309", "-1e309", str(2**63), str(2**70), "9" * 5000, "-0", "1E400"])
def test_no_number_in_a_body_is_too_large_to_be_refused(crawl, number):
    person = crawl.person()
    answers = {
        f"{route.name} {name}": route.send(person, data=f'{{"{name}": {number}}}'.encode()).status
        for route in crawl.with_body
        for name in route.fields
    }
    assert set(answers.values()) == {400}


# Texts


@one_database
@pytest.mark.asvs("1.3.3", "1.3.12")
def test_every_text_in_every_body_is_bounded(crawl):
    person = crawl.person()
    fields = list(crawl.fields("string"))
    unbounded = [f"{route.name} {name}" for route, name, schema in fields if not schema.keys() & {"maxLength", "enum"}]
    assert unbounded == []
    answers = {
        f"{route.name} {name}": route.with_field(name, text).send(person).status
        for text in ("a" * 50_000, "a@" * 20_000, "-." * 20_000, "\u0301" * 15_000, "a@" + "a." * 20_000)
        for route, name, _ in fields
    }
    assert set(answers.values()) == {400}


SQL = (
    "' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE users; --", "\" OR \"\"=\"", "') OR ('1'='1", "%' OR email LIKE '%",
    "1' AND randomblob(900000000) --", "ada' AND pg_sleep(9) --", "' UNION SELECT password_hash FROM users --",
    "\\'; --", "admin'/*", "ada\u02bc OR 1=1", "$$; SELECT 1; $$", "{0.__class__}", "%s%n%p", "${7*7}", "{{7*7}}",
    "_", "%", ".*(",
)  # fmt: skip
# A refresh token in the body is read when none comes in a header.
ALONE = {"refresh_token": {"headers": {"Authorization": None}}}
# What any text may leave behind: a guess that was counted, what was asked for, a factor of that name and its code.
LEFT_BY_ANY_TEXT = ("attempts", "audit_events", "letters", "authenticators", "one_time_secrets")


@pytest.mark.asvs("1.2.4", "1.2.9", "1.3.10")
def test_a_text_that_looks_like_a_command_is_a_text_like_any_other(crawl):
    """The same status as a harmless text, or 400 where only some characters are allowed; what was stored stays."""
    person = crawl.person()
    wrong = {}
    for number, (route, name, schema) in enumerate(crawl.fields("string")):
        if "enum" in schema:
            continue
        usual = route.with_field(name, f"harmless{number}").send(person, **ALONE.get(name, {})).status
        before = crawl.snapshot(but=LEFT_BY_ANY_TEXT)
        statuses = {text: route.with_field(name, text).send(person, **ALONE.get(name, {})).status for text in SQL}
        assert crawl.snapshot(but=LEFT_BY_ANY_TEXT) == before
        if not set(statuses.values()) <= {400, usual, 429}:
            wrong[f"{route.name} {name}, else {usual}"] = statuses
    assert wrong == {}


@pytest.mark.asvs("1.2.4", "1.2.9")
@pytest.mark.parametrize("text", SQL)
def test_an_address_that_holds_a_command_finds_nothing(crawl, text):
    person = crawl.person()
    quoted = quote(text, safe="")
    asked = [route.with_part(name, quoted) for route in crawl.routes for name in route.parts]
    asked += [route.with_query(f"cursor={quoted}") for route in crawl.routes if "cursor" in route.query]
    assert {route.send(person).status for route in asked} <= {400, 404}
    assert person.get("/auth/me").status == 200


@one_database
@pytest.mark.asvs("1.1.1")
@pytest.mark.parametrize("spell", [lambda text: text, lambda text: f"%{ord(text[0]):02x}{text[1:]}"])
def test_what_stands_in_an_address_is_decoded_once(bearer, spell):
    person, other = bearer.signed_in(), bearer.another()
    other.login()
    double = spell(other.session_id).replace("%", "%25") + ("" if "%" in spell(other.session_id) else "%2500")
    assert person.delete(f"/auth/sessions/{double}").status == 404
    assert person.delete(f"/auth/sessions/{spell(other.session_id)}").status == 204


ODD_PATHS = (
    "%2525", "%252e%252e%252f", "..%2f..%2fconfig.py", "%2e%2e", "%c0%ae%c0%ae", "%00", "nobodys%00", "%u0041", "%",
    "%zz", "%0d%0aSet-Cookie:%20a=b", "%ff%fe", "..;", "nobodys;a=b", "nobodys%3Fa=b", "%E2%80%AE",
)  # fmt: skip


@one_database
@pytest.mark.asvs("1.1.1", "1.2.1", "14.2.5")
@pytest.mark.parametrize("part", ODD_PATHS)
def test_an_oddly_spelled_address_finds_nothing(crawl, part):
    person = crawl.person()
    answers = [route.with_part(name, part).send(person) for route in crawl.routes for name in route.parts]
    answers += [person.get(f"/auth/me/{part}"), person.get(f"/auth/sessions?cursor={part}")]
    assert {answer.status for answer in answers} <= {400, 404, 405}
    assert all("Set-Cookie" not in answer.headers and "\n" not in answer.text for answer in answers)


@one_database
@pytest.mark.asvs("1.2.1", "1.2.3")
@pytest.mark.parametrize("text", ["</script><img src=x>", "a\r\nSet-Cookie: a=b", "\u2028alert(1)", "<svg/onload=1>"])
def test_nothing_that_was_sent_comes_back_in_a_refusal(crawl, text):
    person = crawl.person()
    answers = [
        (route, answer)
        for route, name, schema in crawl.fields("string")
        for answer in [route.with_field(name, text).send(person)]
        if answer.status >= 400
    ]
    answers += [(route, route.with_field(text, 1).send(person)) for route in crawl.with_body]
    assert all("json" in answer.headers["Content-Type"] for _, answer in answers)
    assert [route.name for route, answer in answers if text in str(sorted(answer.headers.items()))] == []
    assert {answer.text.count("\n") + answer.text.count("\u2028") for _, answer in answers} == {0}


@one_database
@pytest.mark.asvs("1.1.2", "1.2.1", "1.3.7", "1.3.11")
@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "{{7*7}} ${7*7} {% raw %}", "</p><a href='//evil'>x"])
def test_a_name_stands_in_a_letter_as_it_was_written(app, name):
    """No username may look like this; a letter would show it all the same."""
    about = {"username": f"{name}\r\nBcc: eve@example.org", "link": "x", "code": "y", "hours": 1, "code_minutes": 1}
    with app.app_context():
        subject, text, html = letters.render("verify_email", "en", about)
    assert f"{name}  Bcc: eve@example.org" in text.replace("\n", " ")
    assert name in unescape(html)
    assert name == escape(name) or name not in html
    assert "\n" not in subject
