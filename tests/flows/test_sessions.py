"""GET /auth/sessions and DELETE /auth/sessions/{id}."""

import pytest

from tests.support.marks import one_client, one_database

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def listed(client, query=""):
    return client.get(f"/auth/sessions{query}").json["items"]


def ids(client):
    return [session["id"] for session in listed(client)]


@pytest.fixture
def other(client):
    """Ada's second device, signed in after `client`."""
    client.signed_in("ada")
    other = client.another()
    other.login("ada")
    return other


@pytest.mark.asvs("7.5.2")
def test_a_session_tells_device_address_and_times(client):
    client.register("ada")
    client.address = "127.0.0.7"
    body = {"identifier": "ada", "password": "Tulip-Anvil-Crater-59"}
    client.post("/auth/login", body, headers={"User-Agent": FIREFOX})
    (session,) = listed(client)
    assert session["id"] == client.session_id
    assert (session["ip"], session["user_agent"]) == ("127.0.0.7", FIREFOX)
    assert (session["device"], session["amr"], session["current"]) == ("Firefox on Linux", ["pwd"], True)
    assert session["created_at"] <= session["last_used_at"] < session["expires_at"]


@pytest.mark.asvs("7.5.2")
def test_the_last_use_is_the_last_refresh(client, clock):
    client.signed_in("ada")
    clock.shift(60)
    client.refresh()
    (session,) = listed(client)
    assert session["last_used_at"] > session["created_at"]


def test_the_newest_session_comes_first_and_ones_own_is_marked(client, other):
    assert [session["id"] for session in listed(client)] == [other.session_id, client.session_id]
    assert [session["current"] for session in listed(client)] == [False, True]


def test_only_open_sessions_are_listed(client, other, clock):
    other.logout()
    assert ids(client) == [client.session_id]
    clock.shift(1209601)
    client.login("ada")
    assert ids(client) == [client.session_id]


def test_nobody_elses_session_is_listed(client):
    client.signed_in("ada")
    client.another().signed_in("bob")
    assert len(listed(client)) == 1


def test_pages_hold_every_session_once(client):
    client.signed_in("ada")
    for _ in range(4):
        client.another().login("ada")
    found, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/auth/sessions?limit=2{cursor and f'&cursor={cursor}'}").json
        found += [session["id"] for session in page["items"]]
        cursor = page["next_cursor"]
    assert found == ids(client)
    assert len(set(found)) == 5


@one_client
@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "x", "", "9" * 6000, "1e3", "NaN", "1&limit=2"])
def test_a_limit_is_a_number_from_one_to_a_hundred(client, limit):
    answer = client.signed_in("ada").get(f"/auth/sessions?limit={limit}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "limit")


@one_client
@pytest.mark.parametrize(
    "cursor",
    ["x", "%00", "AAAA", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5IHg=", "LTEgAA==", "MSAA", "MSDtoIA=", "%F0%9F%98%80", "A" * 300],
)
def test_a_cursor_that_is_none_is_refused_by_name(client, cursor):
    answer = client.signed_in("ada").get(f"/auth/sessions?cursor={cursor}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "cursor")


@pytest.mark.asvs("7.5.2", "10.4.9")
def test_ending_a_session_voids_both_its_tokens_and_no_others(client, other):
    assert client.delete(f"/auth/sessions/{other.session_id}").status == 204
    assert other.get("/auth/protected").code == "token_revoked"
    assert other.refresh().code == "token_revoked"
    assert client.get("/auth/protected").status == 200


def test_ending_ones_own_session_is_a_logout(client):
    client.signed_in("ada")
    assert client.delete(f"/auth/sessions/{client.session_id}").status == 204
    assert client.get("/auth/protected").code == "token_revoked"


@pytest.mark.asvs("7.5.2", "8.2.2")
def test_somebody_elses_session_is_not_there(client):
    client.signed_in("ada")
    bob = client.another().signed_in("bob")
    answer = bob.delete(f"/auth/sessions/{client.session_id}")
    assert (answer.status, answer.code) == (404, "not_found")
    assert client.get("/auth/protected").status == 200


def test_a_session_ends_once(client, other):
    path = f"/auth/sessions/{other.session_id}"
    assert client.delete(path).status == 204
    assert client.delete(path).status == 404


@one_client
@pytest.mark.parametrize(
    "sid", ["x", "%00", "%FF", "%ED%A0%80", "..", "0", "-1", "'", "a" * 5000, "%2525", "a%20OR%201=1"]
)
def test_a_session_that_is_none_is_not_found(client, sid):
    assert client.signed_in("ada").delete(f"/auth/sessions/{sid}").status == 404
    assert client.get("/auth/protected").status == 200


@one_client
@one_database
def test_the_beginning_of_an_id_ends_nothing(client):
    client.signed_in("ada")
    assert client.delete(f"/auth/sessions/{client.session_id[:-1]}").status == 404
    assert client.delete(f"/auth/sessions/{client.session_id}%20").status == 404
    assert client.get("/auth/protected").status == 200


@one_client
@pytest.mark.asvs("2.3.2", "7.1.2")
def test_with_a_hundred_and_first_session_the_oldest_ends(client):
    client.register("ada")
    devices = [client.another() for _ in range(103)]
    for device in devices:
        assert device.login("ada").status == 200
    alive = [device.get("/auth/protected").status for device in devices]
    assert alive == [401] * 3 + [200] * 100
    assert devices[0].refresh().code == "token_revoked"
    newest = devices[-1].get("/auth/me/events?limit=2").json["items"]
    assert [(event["name"], event["data"].get("why")) for event in newest] == [
        ("login.succeeded", None),
        ("session.revoked", "too many sessions"),
    ]


@one_client
def test_sessions_that_have_ended_leave_their_room(client):
    first = client.signed_in("ada").another()
    first.login("ada")
    for _ in range(105):
        device = client.another()
        device.login("ada")
        device.logout()
    assert first.get("/auth/protected").status == 200
