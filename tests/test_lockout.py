"""Lockout: what guessing at an account costs, and that nobody is locked out of their own for good."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from auth import database
from auth.limits.lockout import GUESSES, GUESSES_IN_A_ROW, WINDOW
from auth.worker import housekeeping
from tests.support.clients import PASSWORD
from tests.support.mailed import MAGIC_LINK, NEW_PASSWORD, NOT_ME, RESET
from tests.support.marks import one_client

MINUTES_5 = WINDOW.total_seconds()
LOCKED = (429, "account_locked")
WRONG = (401, "invalid_credentials")


@pytest.fixture
def owner(client):
    """Ada, who has signed in on this device."""
    return client.signed_in("ada")


def guess(client, number=1, identifier="ada", password="Wrong-Anvil-Crater-59"):
    """So many guesses from elsewhere, each from another address; their answers."""
    answers = []
    for place in range(number):
        stranger = client.another()
        stranger.address = f"198.51.100.{place % 250}"
        answers.append(stranger.login(identifier, password))
    return answers


def outcomes(answers):
    return [(answer.status, answer.code) for answer in answers]


@pytest.mark.asvs("6.3.1")
def test_ten_guesses_are_evaluated_from_however_many_addresses(owner):
    assert outcomes(guess(owner, 100)) == [WRONG] * GUESSES + [LOCKED] * (100 - GUESSES)


def test_even_the_right_password_is_not_looked_at_then(owner):
    guess(owner, GUESSES)
    assert outcomes(guess(owner, password=PASSWORD)) == [LOCKED]


@pytest.mark.asvs("6.3.1")
def test_username_and_address_share_the_budget(owner):
    guess(owner, GUESSES // 2)
    guess(owner, GUESSES // 2, "ADA@example.org")
    # Not looked at, and not told of either: that would tell that both names are of one person.
    assert outcomes(guess(owner, password=PASSWORD) + guess(owner, 1, "ada@example.org", PASSWORD)) == [WRONG] * 2
    assert reasons(owner) == ["password"] * GUESSES + ["locked"] * 2


def reasons(owner):
    """Why sign-ins failed, as the owner is told, in the order in which they did."""
    events = owner.get("/auth/me/events?limit=100").json["items"]
    return [event["data"]["reason"] for event in reversed(events) if event["name"] == "login.failed"]


@pytest.mark.asvs("6.3.8")
def test_no_lock_tells_that_a_username_and_an_address_are_one_persons(client, statements):
    client.register("ada")
    seen, answers = {}, {}
    for username, email in (("ada", "ada@example.org"), ("nobody", "nobody@example.org")):
        with statements() as seen[username]:
            first, second = guess(client, GUESSES + 2, username), guess(client, GUESSES + 2, email)
        assert outcomes(second) == [WRONG] * GUESSES + [LOCKED] * 2
        answers[username] = [told(answer) for answer in first + second]
    assert answers["ada"] == answers["nobody"]
    assert seen["ada"] == seen["nobody"]


@pytest.mark.asvs("6.3.8")
def test_no_lock_tells_whose_address_a_mailed_code_is_guessed_at(client):
    client.register("ada")
    for username, email in (("ada", "ada@example.org"), ("nobody", "nobody@example.org")):
        guess(client, GUESSES, username)
        body = {"email": email, "code": "AAAA-AAAA"}
        answers = [client.another().post("/auth/magic-link/verify", body) for _ in range(GUESSES + 1)]
        assert {answer.code for answer in answers[:-1]} == {"link_invalid"}
        assert answers[-1].code == "account_locked"


def test_a_name_that_is_locked_costs_the_account_nothing(owner, clock):
    guess(owner, GUESSES)
    clock.shift(MINUTES_5 - 60)
    guess(owner, GUESSES, "ada@example.org")
    clock.shift(61)
    assert outcomes(guess(owner, GUESSES + 1, "ada@example.org")) == [LOCKED] * (GUESSES + 1)
    assert guess(owner, password=PASSWORD)[0].status == 200


@pytest.mark.asvs("6.3.1", "15.4.2")
def test_of_50_parallel_guesses_under_two_names_ten_are_evaluated(owner, race):
    names = ("ada", "ada@example.org")
    answers = race(50, lambda number: guess(owner, 1, names[number % 2])[0])
    assert set(outcomes(answers)) <= {WRONG, LOCKED}
    assert reasons(owner).count("password") == GUESSES


def test_a_name_that_nobody_had_is_not_locked_for_who_registers_it(client):
    guess(client, GUESSES + 1)
    client.register("ada")
    assert guess(client, password=PASSWORD)[0].status == 200


def test_another_person_is_not_affected(owner):
    owner.another().register("bob")
    guess(owner, GUESSES + 1)
    assert guess(owner, 1, "bob", PASSWORD)[0].status == 200


def test_the_budget_returns_after_the_time_that_retry_after_names(owner, clock):
    guess(owner, GUESSES)
    refused = guess(owner)[0]
    assert 0 < int(refused.headers["Retry-After"]) <= MINUTES_5
    clock.shift(int(refused.headers["Retry-After"]))
    assert guess(owner, password=PASSWORD)[0].status == 200


def test_refused_guesses_do_not_prolong_the_lock(owner, clock):
    guess(owner, GUESSES)
    clock.shift(MINUTES_5 - 1)
    assert outcomes(guess(owner)) == [LOCKED]
    clock.shift(2)
    assert outcomes(guess(owner)) == [WRONG]


def test_a_right_password_gives_the_budget_back(owner):
    for _ in range(3):
        guess(owner, GUESSES - 1)
        assert guess(owner, password=PASSWORD)[0].status == 200


def with_device(client, token):
    """The header by which a Bearer client shows the token of its device; a browser sends its cookie."""
    return {"X-Device-Token": token} if client.kind == "bearer" else {}


@pytest.fixture
def device(client):
    """Ada's own device: a function that signs in on it, with a password, and returns the answer."""
    client.register("ada")
    first = client.login("ada")

    def login(password=PASSWORD):
        body = {"identifier": "ada", "password": password}
        return client.copy().post("/auth/login", body, headers=with_device(client, first.headers.get("X-Device-Token")))

    return login


@pytest.mark.asvs("6.3.1")
def test_a_hundred_guesses_in_a_row_lock_the_account_until_its_owner_signs_in(client, device, clock):
    for _ in range(GUESSES_IN_A_ROW // GUESSES):
        assert outcomes(guess(client, GUESSES)) == [WRONG] * GUESSES
        clock.shift(MINUTES_5 + 1)
    answer = guess(client, password=PASSWORD)[0]
    assert outcomes([answer]) == [LOCKED]
    assert int(answer.headers["Retry-After"]) == MINUTES_5
    clock.shift(86_400)
    assert outcomes(guess(client)) == [LOCKED]
    assert device().status == 200
    assert outcomes(guess(client)) == [WRONG]


@pytest.mark.asvs("6.1.1", "6.3.1")
def test_strangers_cannot_lock_the_owner_out_of_their_own_device(client, device):
    guess(client, GUESSES + 1)
    assert device().status == 200


def test_a_device_has_a_budget_of_its_own_and_no_more(client, device):
    answers = [device("Wrong-Anvil-Crater-59") for _ in range(GUESSES + 1)]
    assert outcomes(answers) == [WRONG] * GUESSES + [LOCKED]
    assert guess(client, password=PASSWORD)[0].status == 200


def test_the_device_stays_known_after_a_logout(client, device):
    client.login("ada")
    client.logout()
    guess(client, GUESSES + 1)
    assert device().status == 200


@one_client
@pytest.mark.parametrize("forged", ["x", "x.y", ".", "a" * 5000, "\u00e4.\u00e4", ""])
def test_a_forged_device_token_is_none(client, forged):
    client.register("ada")
    guess(client, GUESSES)
    body = {"identifier": "ada", "password": PASSWORD}
    answer = client.post("/auth/login", body, headers={"X-Device-Token": forged.encode().decode("latin-1")})
    assert outcomes([answer]) == [LOCKED]


@one_client
def test_the_token_of_one_person_is_worth_nothing_for_another(client):
    client.register("ada")
    token = client.another().signed_in("bob").login("bob").headers["X-Device-Token"]
    guess(client, GUESSES)
    body = {"identifier": "ada", "password": PASSWORD}
    assert outcomes([client.post("/auth/login", body, headers={"X-Device-Token": token})]) == [LOCKED]


@one_client
def test_a_device_keeps_its_name_from_sign_in_to_sign_in(client):
    client.register("ada")
    token = client.login("ada").headers["X-Device-Token"]
    body = {"identifier": "ada", "password": PASSWORD}
    again = client.post("/auth/login", body, headers={"X-Device-Token": token}).headers["X-Device-Token"]
    assert again.partition(".")[0] == token.partition(".")[0]
    assert client.another().login("ada").headers["X-Device-Token"].partition(".")[0] != token.partition(".")[0]


def _change(client, _mailbox):
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert client.post("/auth/password/change", body).status == 200


def _reset(client, mailbox):
    assert RESET.redeem(client, token=RESET.letter(client, mailbox).token).status == 200


def _disown(client, mailbox):
    assert NOT_ME.redeem(client, token=NOT_ME.letter(client, mailbox).token).status == 200


def _prove(client, mailbox):
    assert MAGIC_LINK.redeem(client, token=MAGIC_LINK.letter(client, mailbox).token).status == 200


@pytest.mark.asvs("6.3.1")
@pytest.mark.parametrize("event", [_change, _reset, _disown, _prove])
def test_what_changes_the_password_leaves_no_old_device_a_budget_of_its_own(client, mailbox, event):
    client.signed_in("ada")
    lost = [client.another() for _ in range(2)]
    assert {device.login("ada").status for device in lost} == {200}
    event(client, mailbox)
    answers = [device.login("ada", f"Wrong-Anvil-Crater-{number}") for number in range(GUESSES) for device in lost]
    assert outcomes(answers) == [WRONG] * GUESSES + [LOCKED] * GUESSES


def test_the_device_on_which_the_password_is_changed_stays_known(client, mailbox):
    client.signed_in("ada")
    _change(client, mailbox)
    guess(client, GUESSES + 1)
    assert client.copy().login("ada", NEW_PASSWORD).status == 200


@one_client
@pytest.mark.parametrize(("days", "outcome"), [(399, (200, None)), (401, LOCKED)])
def test_the_token_of_a_device_is_good_as_long_as_its_cookie_lives(client, clock, days, outcome):
    client.signed_in("ada")
    clock.shift(days * 86_400)
    guess(client, GUESSES)
    assert outcomes([client.login("ada")]) == [outcome]


def test_a_password_reset_gives_the_budget_back(client, mailbox):
    client.register("ada")
    guess(client, GUESSES + 1)
    client.post("/auth/password/forgot", {"email": "ada@example.org"})
    token = mailbox.last("ada@example.org").token
    assert client.post("/auth/password/reset", {"token": token, "password": "Marble-Otter-Sextant-31"}).status == 200
    assert guess(client, password="Marble-Otter-Sextant-31")[0].status == 200


@pytest.mark.asvs("6.3.8")
def test_unknown_names_are_locked_alike(client):
    client.register("ada")
    known, unknown = guess(client, GUESSES + 3), guess(client, GUESSES + 3, "nobody")
    assert outcomes(known) == outcomes(unknown)
    assert [told(answer) for answer in known] == [told(answer) for answer in unknown]


def told(answer):
    """What an answer tells, without what is new in every answer and the seconds of Retry-After."""
    changing = ("X-Request-Id", "Retry-After", "Date")
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in changing)
    return headers, re.sub(r'"request_id":"[^"]*"', "", answer.text)


@pytest.mark.asvs("6.3.8")
def test_known_and_unknown_names_cost_the_same_statements(client, statements):
    client.register("ada")
    seen = {}
    for name in ("ada", "nobody"):
        with statements() as seen[name]:
            guess(client, GUESSES + 3, name)
    assert seen["ada"] == seen["nobody"]


@pytest.mark.asvs("16.2.1")
def test_that_an_account_was_locked_is_recorded_once(owner):
    guess(owner, GUESSES + 5)
    names = [event["name"] for event in owner.get("/auth/me/events").json["items"]]
    assert names.count("account.locked") == 1
    assert names.count("login.failed") == GUESSES


@pytest.mark.asvs("6.3.1", "15.4.2")
def test_of_50_parallel_guesses_ten_are_evaluated(owner, race):
    answers = race(50, lambda _: guess(owner)[0])
    assert sorted(outcomes(answers)) == [WRONG] * GUESSES + [LOCKED] * 40


@pytest.mark.asvs("6.3.1", "15.4.2")
def test_two_workers_evaluate_no_more_than_one(service, fresh_name):
    name = fresh_name()
    service.client().register(name)
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: guess(service.client(), 1, name)[0], range(50)))
    assert sorted(outcomes(answers)) == [WRONG] * GUESSES + [LOCKED] * 40


@pytest.mark.asvs("15.4.2")
def test_parallel_sign_ins_with_the_right_password_lock_nobody(owner, race):
    for _ in range(3):
        answers = race(GUESSES - 1, lambda _: guess(owner, password=PASSWORD)[0])
        assert {answer.status for answer in answers} == {200}


def test_a_guess_that_finds_no_place_to_be_evaluated_costs_nothing(client, app):
    client.register("ada")
    places = app.extensions["gatehouse.hashing"].places
    taken = [places.acquire(blocking=False) for _ in range(1000)].count(True)
    assert {answer.status for answer in guess(client, GUESSES + 5)} == {503}
    places.release(taken)
    assert guess(client, password=PASSWORD)[0].status == 200


def test_a_lock_of_long_ago_tells_no_more_of_a_known_name_than_of_an_unknown_one(owner, app, clock):
    for _ in range(10):
        for name in ("ada", "nobody"):
            guess(owner, 10, name)
        clock.shift(301)
    clock.shift(31 * 86400)
    with app.app_context():
        housekeeping.purge()
        database.end()
    assert outcomes(guess(owner)) == outcomes(guess(owner, 1, "nobody")) == [WRONG]


def test_the_lock_outlives_a_restart(live_server):
    server = live_server()
    server.client().register("ada")
    guess(server.client(), GUESSES)
    server.restart()
    assert outcomes(guess(server.client())) == [LOCKED]
