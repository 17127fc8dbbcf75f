"""GET /auth/me/events."""

import pytest


def test_the_newest_events_come_first(client):
    client.signed_in("ada")
    client.another().login("ada", "Wrong-Anvil-Crater-59")
    items = client.get("/auth/me/events").json["items"]
    assert [item["name"] for item in items] == ["login.failed", "login.succeeded", "account.registered"]
    assert (items[0]["ip"], items[0]["user_agent"], items[0]["data"]) == ("127.0.0.1", "tests", {"reason": "password"})


def test_events_of_others_are_not_shown(client):
    client.signed_in("ada").another().signed_in("bob")
    assert len(client.get("/auth/me/events").json["items"]) == 2


def test_the_pages_hold_every_event_once(client):
    client.signed_in("ada")
    for _ in range(5):
        client.login("ada")
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"/auth/me/events?limit=3{cursor}").json
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 7


@pytest.mark.parametrize("cursor", ["x", "MSB4", "MSAxMjM0NTY3ODkwMTIzNDU2Nzg5MA=="])
def test_a_cursor_of_ones_own_making_is_refused(client, cursor):
    answer = client.signed_in("ada").get(f"/auth/me/events?cursor={cursor}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "cursor")
