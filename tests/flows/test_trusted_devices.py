"""Trusted devices: not asked again for thirty days, listed, revocable, and worth nothing once the password changes."""

import pytest

from tests.support.clients import PASSWORD
from tests.support.factors import App, begin, renew, verified, verify
from tests.support.pages import paged


@pytest.fixture
def phone(client):
    """An app that the client's person has enrolled."""
    return App.enrolled(verified(client))


def trusted(client, phone):
    """Another client, on a device that its person trusts."""
    other = client.another()
    assert verify(other, begin(other), phone.code(1), trust_device=True).status == 200
    return other


def test_a_trusted_device_is_not_asked_again(client, phone):
    device = trusted(client, phone)
    assert device.login().status == 200
    claims = device.get("/auth/protected").json
    assert (claims["amr"], claims["acr"]) == (["pwd"], "aal1")


def test_every_other_device_is(client, phone):
    trusted(client, phone)
    assert client.another().login().code == "mfa_required"


def test_a_device_is_trusted_only_when_asked_for(client, phone):
    other = client.another()
    assert verify(other, begin(other), phone.code(1)).status == 200
    assert other.login().code == "mfa_required"
    assert other.get("/auth/devices").json["items"] == []


def test_a_wrong_password_stays_wrong_there(client, phone):
    assert trusted(client, phone).login("ada", "wrong").code == "invalid_credentials"


def test_trust_lasts_thirty_days(client, phone, clock):
    device = trusted(client, phone)
    clock.shift(29 * 86400)
    assert device.login().status == 200
    clock.shift(86400 + 60)
    assert device.login().code == "mfa_required"


@pytest.mark.asvs("7.5.1")
def test_what_began_on_a_trusted_device_is_not_fresh_by_both_factors(client, phone):
    device = trusted(client, phone)
    device.login()
    assert device.post("/auth/mfa/recovery-codes").code == "fresh_token_required"
    assert device.post("/auth/reauthenticate", {"password": PASSWORD}).code == "mfa_required"


def test_the_list_shows_what_can_be_recognised(client, phone):
    device = trusted(client, phone)
    (shown,) = device.get("/auth/devices").json["items"]
    assert (shown["current"], shown["device"], shown["ip"]) == (True, "Unknown device", "127.0.0.1")
    (elsewhere,) = client.get("/auth/devices").json["items"]
    assert (elsewhere["id"], elsewhere["current"]) == (shown["id"], False)


def test_pages_hold_every_device_once_the_one_seen_last_first(client, phone, clock):
    devices = []
    for _ in range(5):
        clock.shift(60)
        devices.append(trusted(client, phone))
    clock.shift(60)
    devices[0].login()
    found = paged(client, "/auth/devices")
    assert [len(page) for page in found] == [2, 2, 1]
    shown = devices[0].get("/auth/devices").json["items"]
    assert [device["id"] for page in found for device in page] == [device["id"] for device in shown]
    assert [device["current"] for device in shown] == [True, False, False, False, False]


@pytest.mark.asvs("6.5.6")
def test_a_forgotten_device_is_asked_at_once(client, phone):
    device = trusted(client, phone)
    number = client.get("/auth/devices").json["items"][0]["id"]
    assert client.delete(f"/auth/devices/{number}").status == 204
    assert device.login().code == "mfa_required"
    assert client.delete(f"/auth/devices/{number}").status == 404


def test_another_persons_device_is_not_there(client, phone):
    device = trusted(client, phone)
    number = client.get("/auth/devices").json["items"][0]["id"]
    eve = verified(client.another(), "eve")
    assert eve.delete(f"/auth/devices/{number}").status == 404
    assert device.login().status == 200


def test_a_device_is_trusted_for_one_person(client, phone):
    device = trusted(client, phone)
    App.enrolled(verified(client.another(), "eve"))
    assert device.login("eve").code == "mfa_required"


def test_a_change_of_the_password_ends_the_trust(client, phone, clock):
    device = trusted(client, phone)
    clock.shift(60)
    renew(client, password=PASSWORD, code=phone.code())
    new = "Lantern-Copper-Vessel-31"
    body = {"current_password": PASSWORD, "new_password": new}
    assert client.post("/auth/password/change", body).status == 200
    assert device.login("ada", new).code == "mfa_required"


def test_a_reset_of_the_password_ends_the_trust(client, phone, mailbox):
    device = trusted(client, phone)
    client.another().post("/auth/password/forgot", {"email": "ada@example.org"})
    new = "Lantern-Copper-Vessel-31"
    token = next(letter.token for letter in reversed(mailbox.all()) if "reset" in letter.link)
    assert client.another().post("/auth/password/reset", {"token": token, "password": new}).status == 200
    assert device.login("ada", new).code == "mfa_required"


def test_signing_out_everywhere_ends_the_trust(client, phone):
    device = trusted(client, phone)
    client.post("/auth/logout-all")
    assert device.login().code == "mfa_required"


def test_signing_out_of_the_device_keeps_the_trust(client, phone):
    device = trusted(client, phone)
    device.logout()
    assert device.login().status == 200


def test_a_forged_device_is_none(client, phone):
    trusted(client, phone)
    number = client.get("/auth/devices").json["items"][0]["id"]
    thief = client.another()
    body = {"identifier": "ada", "password": PASSWORD}
    headers = {"X-Device-Token": f"{number}.{'0' * 64}"}
    assert thief.post("/auth/login", body, headers=headers).code == "mfa_required"


def test_the_settings_can_forbid_it(make_client):
    client = make_client(TRUSTED_DEVICE_DAYS=0)
    device = trusted(client, App.enrolled(verified(client)))
    assert device.login().code == "mfa_required"
