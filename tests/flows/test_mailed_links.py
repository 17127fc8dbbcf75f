"""What is true of every mailed link and code, whatever it is for."""

import pytest

from models import OneTimeSecret
from tests.support.mailed import KINDS, RESET, WITH_CODE
from tests.support.marks import one_client
from tests.support.tables import rows

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
every_kind_with_a_code = pytest.mark.parametrize("kind", WITH_CODE.values(), ids=WITH_CODE)
MALFORMED = ["", "x", "x" * 5000, "../../etc/passwd", "null\0byte", "\U0001f511" * 40, "a b\r\nc"]


def shown(answer):
    """Everything of an answer that could tell one from another."""
    return answer.status, answer.json | {"request_id": ""}, sorted(name for name, _ in answer.headers)


@every_kind
def test_a_link_works(client, mailbox, kind):
    letter = kind.letter(client.signed_in("ada"), mailbox)
    assert kind.redeem(client, token=letter.token).status == 200


@one_client
@every_kind
def test_a_link_points_at_its_page_with_the_secret_in_the_fragment(client, mailbox, kind):
    letter = kind.letter(client.signed_in("ada"), mailbox)
    assert letter.link == f"http://127.0.0.1:8000{kind.page}#token={letter.token}"


@pytest.mark.asvs("6.5.1")
@every_kind
def test_unknown_used_expired_foreign_and_malformed_links_are_one_answer(client, mailbox, clock, kind):
    client.signed_in("ada")
    foreign = {other.name: other.letter(client, mailbox).token for other in KINDS.values() if other is not kind}
    used = kind.letter(client, mailbox).token
    assert kind.redeem(client, token=used).status == 200
    tokens = ["A" * 43, used, *foreign.values(), *MALFORMED]
    answers = [kind.redeem(client, token=token) for token in tokens]
    assert [(answer.status, answer.code) for answer in answers] == [(400, "link_invalid")] * len(tokens)
    assert all(shown(answer) == shown(answers[0]) for answer in answers)


@one_client
@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("verify", 86400), ("reset", 900), ("magic-link", 900), ("confirm-email", 86400), ("not-me", 7 * 86400)],
)
def test_a_link_lives_as_long_as_its_letter_says(client, mailbox, clock, kind, seconds):
    client.signed_in("ada")
    token = KINDS[kind].letter(client, mailbox).token
    clock.shift(seconds + 1)
    assert KINDS[kind].redeem(client, token=token).code == "link_invalid"


@pytest.mark.asvs("6.5.1", "2.3.4")
@one_client
@every_kind
def test_of_fifty_redemptions_at_once_one_succeeds(client, mailbox, race, kind):
    token = kind.letter(client.signed_in("ada"), mailbox).token
    answers = race(50, lambda _: kind.redeem(client, token=token))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 49


@pytest.mark.asvs("6.5.1", "2.3.4")
@one_client
@every_kind_with_a_code
def test_of_fifty_codes_at_once_one_succeeds(client, mailbox, race, kind):
    code = kind.letter(client.signed_in("ada"), mailbox).code
    answers = race(50, lambda _: kind.redeem(client, email="ada@example.org", code=code))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 400, 429}


@one_client
@every_kind
def test_opening_a_link_changes_nothing(client, mailbox, kind):
    token = kind.letter(client.signed_in("ada"), mailbox).token
    assert client.get(f"{kind.path}?token={token}").status == 405
    assert kind.redeem(client, token=token).status == 200


@one_client
@pytest.mark.asvs("6.5.2")
@every_kind
def test_only_hashes_of_the_secrets_are_stored(client, mailbox, kind):
    letter = kind.letter(client.signed_in("ada"), mailbox)
    secrets = [letter.token, letter.code] if kind.name in WITH_CODE else [letter.token]
    stored = repr(rows(client.wire.app, OneTimeSecret))
    assert not [secret for secret in secrets if secret in stored]


@every_kind_with_a_code
def test_a_new_letter_voids_the_one_before(client, mailbox, kind):
    old, new = (kind.letter(client.signed_in("ada") if not number else client, mailbox) for number in range(2))
    assert kind.redeem(client, token=old.token).code == "link_invalid"
    assert kind.redeem(client, email="ada@example.org", code=old.code).code == "link_invalid"
    assert kind.redeem(client, token=new.token).status == 200


@one_client
@every_kind_with_a_code
@pytest.mark.parametrize("typed", [str, str.lower, lambda code: f" {code[:4]}-{code[4:]} "])
def test_a_code_works_however_it_is_typed(client, mailbox, kind, typed):
    code = kind.letter(client.signed_in("ada"), mailbox).code
    assert kind.redeem(client, email="Ada@Example.org", code=typed(code)).status == 200


@every_kind_with_a_code
def test_a_code_and_its_link_are_spent_together(client, mailbox, kind):
    letter = kind.letter(client.signed_in("ada"), mailbox)
    assert kind.redeem(client, email="ada@example.org", code=letter.code).status == 200
    assert kind.redeem(client, email="ada@example.org", code=letter.code).code == "link_invalid"
    assert kind.redeem(client, token=letter.token).code == "link_invalid"


@one_client
@pytest.mark.asvs("6.5.5")
@every_kind_with_a_code
def test_a_code_lives_fifteen_minutes(client, mailbox, clock, kind):
    code = kind.letter(client.signed_in("ada"), mailbox).code
    clock.shift(901)
    assert kind.redeem(client, email="ada@example.org", code=code).code == "link_invalid"


@every_kind_with_a_code
def test_five_wrong_codes_end_the_letter(client, mailbox, kind):
    letter = kind.letter(client.signed_in("ada"), mailbox)
    wrong = [kind.redeem(client, email="ada@example.org", code=f"AAAAAAA{number}") for number in range(5)]
    assert {answer.code for answer in wrong} == {"link_invalid"}
    assert kind.redeem(client, email="ada@example.org", code=letter.code).code == "link_invalid"
    assert kind.redeem(client, token=letter.token).code == "link_invalid"


@one_client
@every_kind_with_a_code
def test_after_four_wrong_codes_the_right_one_still_works(client, mailbox, kind):
    letter = kind.letter(client.signed_in("ada"), mailbox)
    for number in range(4):
        kind.redeem(client, email="ada@example.org", code=f"AAAAAAA{number}")
    assert kind.redeem(client, email="ada@example.org", code=letter.code).status == 200


@every_kind_with_a_code
def test_codes_cost_the_budget_of_guesses(client, mailbox, kind):
    for round_ in range(2):
        kind.letter(client.signed_in("ada") if not round_ else client, mailbox)
        for number in range(5):
            kind.redeem(client, email="ada@example.org", code=f"AAAAAAA{number}")
    letter = kind.letter(client, mailbox)
    assert kind.redeem(client, email="ada@example.org", code=letter.code).code == "account_locked"
    assert kind.redeem(client, token=letter.token).status == 200


@every_kind_with_a_code
def test_a_code_tried_at_an_unknown_address_is_answered_alike(client, mailbox, kind):
    kind.letter(client.signed_in("ada"), mailbox)
    known = kind.redeem(client, email="ada@example.org", code="AAAAAAAA")
    unknown = kind.redeem(client, email="nobody@example.org", code="AAAAAAAA")
    assert shown(known) == shown(unknown)


@one_client
@every_kind_with_a_code
def test_a_code_tried_at_an_unknown_address_costs_the_same_statements(client, mailbox, statements, kind):
    kind.letter(client.signed_in("ada"), mailbox)
    seen = {}
    for email in ("ada@example.org", "nobody@example.org"):
        with statements() as seen[email]:
            kind.redeem(client, email=email, code="AAAAAAAA")
    assert seen["ada@example.org"] == seen["nobody@example.org"]


def test_another_persons_code_opens_nothing(client, mailbox):
    client.signed_in("ada").another().register("bob")
    code = RESET.letter(client, mailbox).code
    assert RESET.redeem(client, email="bob@example.org", code=code).code == "link_invalid"


@one_client
@every_kind_with_a_code
@pytest.mark.parametrize("proof", [{}, {"email": "ada@example.org"}, {"code": "AAAAAAAA"}])
def test_half_a_proof_is_refused_by_name(client, kind, proof):
    answer = kind.redeem(client, **proof)
    assert (answer.status, answer.code, answer.json["errors"][0]["field"]) == (400, "invalid_request", "token")


@one_client
@every_kind_with_a_code
def test_two_proofs_at_once_are_refused(client, kind):
    answer = kind.redeem(client, token="x", email="ada@example.org", code="AAAAAAAA")
    assert (answer.code, answer.json["errors"][0]["code"]) == ("invalid_request", "ambiguous")


@one_client
@every_kind
@pytest.mark.parametrize("token", [7, ["x"], {"x": 1}, True])
def test_a_token_of_another_type_is_refused_by_name(client, kind, token):
    answer = kind.redeem(client, token=token)
    assert (answer.code, answer.json["errors"][0]["field"]) == ("invalid_request", "token")
