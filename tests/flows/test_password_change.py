"""POST /auth/password/change."""

import pytest

from tests.support.clients import PASSWORD
from tests.support.mailed import MAGIC_LINK, NEW_PASSWORD, RESET


def change(client, current=PASSWORD, new=NEW_PASSWORD):
    return client.post("/auth/password/change", {"current_password": current, "new_password": new})


@pytest.mark.asvs("6.2.2")
def test_the_new_password_works_and_the_old_one_does_not(client):
    assert change(client.signed_in("ada")).status == 200
    assert client.another().login("ada").code == "invalid_credentials"
    assert client.another().login("ada", NEW_PASSWORD).status == 200


@pytest.mark.asvs("7.4.3")
def test_this_session_goes_on_and_all_others_end(client):
    client.signed_in("ada")
    other = client.another()
    other.login("ada")
    before = client.session_id
    assert change(client).status == 200
    assert client.session_id == before
    assert client.get("/auth/me").status == 200
    assert client.refresh().status == 200
    assert (other.get("/auth/me").code, other.refresh().code) == ("token_revoked", "token_revoked")


def test_the_refresh_token_before_is_a_replay_afterwards(make_client):
    client = make_client(REFRESH_GRACE_SECONDS=0).signed_in("ada")
    before = client.copy()
    change(client)
    assert before.refresh().code == "token_reused"


@pytest.mark.asvs("6.2.3")
def test_a_wrong_current_password_changes_nothing_and_is_counted(client):
    client.signed_in("ada")
    answers = [change(client, current="Wrong-Anvil-Crater-59") for _ in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert answers[0].code == "invalid_credentials"
    assert change(client).code == "account_locked"
    assert client.get("/auth/me").status == 200


@pytest.mark.asvs("6.2.3")
@pytest.mark.parametrize("field", ["current_password", "new_password"])
def test_both_passwords_are_needed(client, field):
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    del body[field]
    answer = client.signed_in("ada").post("/auth/password/change", body)
    assert (answer.status, answer.message) == (400, "Missing current_password or new_password")


@pytest.mark.parametrize("new", ["short", "password1234", PASSWORD])
def test_a_password_that_is_not_good_enough_is_refused_by_name(client, new):
    answer = change(client.signed_in("ada"), new=new)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "new_password")
    assert client.another().login("ada").status == 200


@pytest.mark.asvs("7.5.1")
def test_a_proof_that_is_not_fresh_is_refused(client, clock):
    client.signed_in("ada")
    clock.shift(601)
    assert change(client).code == "fresh_token_required"


def test_letters_from_before_are_void(client, mailbox):
    client.signed_in("ada")
    tokens = {kind: kind.letter(client, mailbox).token for kind in (RESET, MAGIC_LINK)}
    change(client)
    assert {kind.redeem(client, token=token).code for kind, token in tokens.items()} == {"link_invalid"}


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_of_many_changes_at_once_one_is_made(client, race):
    client.signed_in("ada")
    answers = race(8, lambda number: change(client.copy(), new=f"{NEW_PASSWORD}-{number}"))
    winners = [number for number, answer in enumerate(answers) if answer.status == 200]
    assert len(winners) == 1
    assert {answer.status for answer in answers} <= {200, 401}
    assert client.another().login("ada", f"{NEW_PASSWORD}-{winners[0]}").status == 200
