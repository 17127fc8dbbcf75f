"""Usernames and addresses: one normal form, no look-alikes, nothing that could split a line or pose as the service."""

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from auth import fields
from tests.support.clients import PASSWORD

no_store = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
pytestmark = pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)


def _register(client, username, email=None):
    return client.another().register(
        username=username, email=email or f"{len(username)}x@example.com", password=PASSWORD
    )


@pytest.mark.parametrize("other", ["ALICE", "Alice", "\uff21lice", "alic\u0435", "\u0430lice", "a1ice"])
def test_a_name_that_is_or_looks_like_an_existing_one_is_taken(client, other):
    _register(client, "alice")
    answer = _register(client, other, "other@example.com")
    assert (answer.status, answer.code) == (409, "username_taken")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("mallory1", "malIory1"), ("mallory1", "MaIloryl"), ("malIory1", "mallory1"), ("mallory1", "ma\u0406lory1"),
        ("warner", "wamer"), ("marvin", "rnarvin"), ("walter", "vvalter"), ("olivia", "oli\u0307via"),
        ("olivia", "OL\u0130V\u0130A"), ("Ian", "lan"), ("carnet", "ca\u0433net"), ("Ian", "ian"),
    ],
)  # fmt: skip
def test_letters_that_look_alike_in_one_case_or_two_of_them_together_are_the_same(client, name, other):
    _register(client, name)
    answer = _register(client, other, "other@example.com")
    assert (answer.status, answer.code) == (409, "username_taken")


@no_store
@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Nina", "\u039dina"), ("nina", "\u039dina"), ("Yves", "\u03a5ves"), ("Yves", "\u03d2ves"),
        ("Nina", "\U0001d6b4ina"), ("Yves", "\U0001d6bcves"), ("agent5", "agent\u01bc"), ("agent8", "agent\u0b03"),
        ("bob", "b\u0c02b"), ("bob", "b\u0c82b"), ("bob", "b\u0d02b"), ("bob", "b\u0d82b"),
    ],
)  # fmt: skip
def test_a_letter_that_looks_like_one_of_ascii_only_in_its_case_or_its_script_is_the_same(client, name, other):
    _register(client, name)
    answer = _register(client, other, "other@example.com")
    assert (answer.status, answer.code) == (409, "username_taken")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ila", "lia"), ("neil", "nell"), ("maria", "marla"), ("carl", "cari"), ("clara", "dara"), ("clive", "dive"),
        ("arnold", "amanda"), ("olivia", "ollvia"), ("ian", "lan"),
    ],
)  # fmt: skip
def test_names_of_different_people_stand_beside_each_other(client, name, other):
    assert [_register(client, name).status, _register(client, other, "other@example.com").status] == [201, 201]


@pytest.mark.usefixtures("client_kind")
def test_of_thousands_of_common_names_hardly_two_look_alike():
    names = {name for kind in ("male_names", "female_names", "surnames") for name in FREQUENCY_LISTS[kind]}
    looks: dict[str, set[str]] = {}
    for name in names:
        looks.setdefault(fields.skeleton(name), set()).add(name)
    alike = sorted(sorted(each) for each in looks.values() if len(each) > 1)
    assert len(names) > 10_000
    assert len(alike) < len(names) / 500, alike
    assert [each for each in alike if not any("rn" in name or "vv" in name for name in each)] == []


@no_store
@pytest.mark.parametrize("names", [("ian", "Ian"), ("Ian", "ian"), ("Ian", "lan"), ("marvin", "Rnarvin")])
def test_a_name_that_is_kept_after_a_deletion_is_kept_in_every_case(client, names):
    leaving = client.another().signed_in(names[0])
    assert leaving.delete("/auth/me", {"password": PASSWORD}).status == 204
    assert _register(client, names[1], "other@example.com").code == "username_taken"


@pytest.mark.parametrize("other", ["ALICE@EXAMPLE.COM", "alice@Example.com", "Alice@example.com"])
def test_an_address_that_differs_in_case_only_is_taken(client, other):
    _register(client, "alice", "alice@example.com")
    assert _register(client, "bea", other).code == "email_taken"


@pytest.mark.parametrize("identifier", ["ALICE", "\uff41lice", "ALICE@example.COM"])
def test_one_signs_in_with_any_spelling_of_ones_name(client, identifier):
    _register(client, "alice", "alice@example.com")
    assert client.another().login(identifier, PASSWORD).status == 200


@no_store
@pytest.mark.asvs("2.2.3", "1.3.3", "1.3.7", "1.3.10", "1.2.1")
@pytest.mark.parametrize(
    "username",
    [
        "qz", "x" * 81, "alice@example.com", "<img src=x>", "{{7*7}}", "${7*7}", "%s%n", "{0.__class__}", "a b",
        "-alice", "ali\u200bce", "ali\u202ece", "ali\x00ce", "ali\r\nce", "ali\u2028ce", "\ud800alice", "=1+1",
        "a'--", "a\u0000", "ali\u034fce", "alice\ufe0f", "alice\U000e0101", "ali\u115fce", "ali\u1160ce", "ali\u3164ce",
        "ali\uffa0ce", "ali\u17b4ce", "ali\u180bce", "\u3164\u3164\u3164", "admin\ufe0f",
    ],
)  # fmt: skip
def test_a_username_of_a_wrong_form_is_refused_and_not_echoed(client, username):
    answer = _register(client, username)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "username")
    assert username not in answer.json["message"] + answer.json["errors"][0]["message"]


@no_store
@pytest.mark.parametrize(
    "username",
    [
        "admin", "ROOT", "adm\u0456n", "postmaster", "gatehouse", "r00t", "adrnin", "adm1n", "admIn", "admln", "he1p",
        "SECURlTY", "officiaI", "ADMI\u039d", "S\u03a5STEM",
    ],
)  # fmt: skip
def test_a_reserved_name_is_refused(client, username):
    answer = _register(client, username)
    assert answer.status == 400
    assert answer.json["errors"][0]["message"] == "is reserved"


@no_store
@pytest.mark.asvs("1.3.11")
@pytest.mark.parametrize(
    "email",
    [
        "plain", "a@b", "a@x.io\r\nBcc: b@y.io", "a@x.io\n", "a@x.io, b@y.io", "A <a@x.io>", "a@x.io\x00", "@x.io",
        "a@", "a@@x.io", "a\u202e@x.io", "a" * 65 + "@x.io",
        "a\ufe0f@x.io", "a\u034f@x.io", "a\u3164@x.io", "a@x\u00ad.io", "a@x\ufe0f.io", "a@x\U000e0101.io",
        "a@" + "x" * 120 + ".io", "a b@x.io", "a@x..io", "a@[127.0.0.1]",
    ],
)  # fmt: skip
def test_an_address_of_a_wrong_form_is_refused(client, email):
    answer = _register(client, "alice", email)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "email")


@pytest.mark.parametrize("username", ["josé", "李小龙", "Владимир", "o.neil_7-x", "9lives"])
def test_names_of_every_script_are_welcome(client, username):
    assert _register(client, username).status == 201
    assert client.another().login(username, PASSWORD).status == 200


@no_store
@pytest.mark.asvs("1.3.12")
@pytest.mark.parametrize("text", ["a" * 50_000, "a@" * 20_000, "-." * 20_000, "\u0301" * 20_000, "a@" + "a." * 20_000])
@pytest.mark.parametrize("field", ["username", "email", "password"])
def test_very_long_texts_are_refused_by_their_length(client, field, text):
    body = {"username": "alice", "email": "alice@example.com", "password": PASSWORD, field: text}
    answer = client.another().post("/auth/register", json=body)
    assert answer.status in (400, 413)
