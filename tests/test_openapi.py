"""The API document: valid, complete, and true to the contract; its examples are of the types they are examples of."""

import csv
import re

import pytest
from openapi_spec_validator import validate

from auth import openapi
from tests.support.documented import Documented
from tests.support.run import ROOT

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

with (ROOT / "tests/contract/routes.tsv").open() as file:
    CONTRACT = list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture
def documented(app):
    return Documented(app)


def operations(document):
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def contents(operation):
    """Every media type object of an operation: of its body and of its answers."""
    parts = [operation.get("requestBody", {}), *operation["responses"].values()]
    return [content for part in parts for content in part.get("content", {}).values()]


def examples(content, document):
    shown = list(content.get("examples", {}).values())
    named = [
        document["components"]["examples"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in shown
    ]
    return [one["value"] for one in named] + ([content["example"]] if "example" in content else [])


def problem_codes(operation):
    narrowed = [content["schema"]["allOf"][1] for content in contents(operation) if "allOf" in content["schema"]]
    return {code for schema in narrowed for code in schema["properties"]["code"]["enum"]}


def test_the_document_is_valid(documented):
    validate(documented.document)


@pytest.mark.asvs("4.1.4")
def test_every_route_is_in_the_document(app, documented):
    rules = {
        (method, openapi.operations.path(rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {f"{method} {path}" for method, path in rules} == {name for name, _ in operations(documented.document)}


def test_every_operation_has_a_summary_a_name_of_its_own_and_a_flow(documented):
    found = [operation for _, operation in operations(documented.document)]
    assert all(operation["summary"] and operation["tags"] for operation in found)
    assert len({operation["operationId"] for operation in found}) == len(found)


def test_every_flow_says_what_it_is(documented):
    assert [tag["name"] for tag in documented.document["tags"] if not tag["description"]] == []


def test_no_two_types_share_a_name(documented):
    assert [name for name in documented.document["components"]["schemas"] if "__" in name] == []


def test_every_json_body_and_answer_has_an_example(documented):
    silent = [
        name
        for name, operation in operations(documented.document)
        for content in contents(operation)
        if "$ref" in content["schema"] and not examples(content, documented.document)
    ]
    assert silent == []


def test_every_example_is_of_its_type(documented):
    wrong = {
        f"{name}: {example}": faults
        for name, operation in operations(documented.document)
        for content in contents(operation)
        for example in examples(content, documented.document)
        if (faults := documented.faults(content["schema"], example))
    }
    assert wrong == {}


def test_every_example_is_realistic(documented):
    """`text` stands where neither the field nor auth/openapi/examples.py gives an example."""
    shown = [
        (name, str(examples(content, documented.document)))
        for name, operation in operations(documented.document)
        for content in contents(operation)
    ]
    assert [name for name, text in shown if "'text'" in text] == []


@pytest.mark.parametrize("row", CONTRACT, ids=lambda row: f"{row['method']} {row['path']}")
def test_the_contract_is_documented(documented, row):
    by_name = {re.sub(r"\{\w+\}", "{}", name): operation for name, operation in operations(documented.document)}
    operation = by_name[f"{row['method']} {row['path']}"]
    assert row["status"] in operation["responses"]
    assert set(row["codes"].split()) <= problem_codes(operation)


def test_every_unsafe_route_that_takes_a_cookie_takes_a_csrf_token(documented):
    unsafe = [operation for name, operation in operations(documented.document) if not name.startswith("GET ")]
    ways = [
        way for operation in unsafe for way in operation["security"] if way.keys() & {"accessCookie", "refreshCookie"}
    ]
    assert ways
    assert all("csrfToken" in way for way in ways)


def test_every_401_tells_how_to_authenticate_and_every_429_and_503_when_to_return(documented):
    wanted = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}
    answers = [
        (status, answer)
        for _, operation in operations(documented.document)
        for status, answer in operation["responses"].items()
    ]
    assert all(wanted[status] in answer["headers"] for status, answer in answers if status in wanted)


@pytest.mark.asvs("6.4.2")
def test_no_field_asks_for_a_hint_or_a_secret_answer(documented):
    schemas = documented.document["components"]["schemas"].values()
    names = {name for schema in schemas for name in schema.get("properties", {})}
    assert [name for name in names if re.search("hint|question|answer|reminder", name)] == []
