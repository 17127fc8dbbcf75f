"""POST /auth/username/change."""

import pytest


def change(client, username):
    return client.post("/auth/username/change", {"username": username})


def test_one_signs_in_with_the_new_name_from_then_on(client):
    answer = change(client.signed_in("ada"), "lovelace")
    assert (answer.status, answer.json["username"]) == (200, "lovelace")
    assert client.get("/auth/me").json["username"] == "lovelace"
    assert client.another().login("lovelace").status == 200
    assert client.another().login("ada").code == "invalid_credentials"


def test_the_new_name_is_in_the_tokens_from_the_next_refresh_on(client):
    change(client.signed_in("ada"), "lovelace")
    client.refresh()
    assert client.get("/auth/protected").json["logged_in_as"] == "lovelace"


def test_the_old_name_is_free(client):
    change(client.signed_in("ada"), "lovelace")
    assert client.another().register("ada", "other@example.org").status == 201


@pytest.mark.parametrize("taken", ["bob", "BOB"])
def test_a_name_that_somebody_has_is_refused(client, taken):
    client.signed_in("ada").another().register("bob")
    answer = change(client, taken)
    assert (answer.status, answer.code) == (409, "username_taken")
    assert client.get("/auth/me").json["username"] == "ada"


def test_ones_own_name_may_be_written_otherwise(client):
    assert change(client.signed_in("ada"), "Ada").status == 200


@pytest.mark.parametrize("name", ["ad", "a\r\nb", "ada@example.org", "<img src=x>"])
def test_a_name_that_cannot_be_is_refused_by_name(client, name):
    answer = change(client.signed_in("ada"), name)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "username")


@pytest.mark.asvs("7.5.1")
def test_a_proof_that_is_not_fresh_is_refused(client, clock):
    client.signed_in("ada")
    clock.shift(601)
    assert change(client, "lovelace").code == "fresh_token_required"


@pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
def test_of_many_who_want_one_name_at_once_one_gets_it(client, race):
    people = [client.another().signed_in(f"person{number}") for number in range(8)]
    answers = race(8, lambda number: change(people[number], "lovelace"))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
