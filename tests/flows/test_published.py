"""GET /.well-known/revocations: what other services learn of sessions that have ended, and what it costs."""

import gzip
import secrets
import time

import jwt
import pytest

from auth import one_time, revocations
from auth.flows import published
from auth.tokens import CLOCK_SKEW_SECONDS
from tests.support.forging import claims_of
from tests.support.marks import one_client, one_database

pytestmark = one_client
PATH = "/.well-known/revocations"
LASTING = 900 + revocations.MARGIN_SECONDS


@pytest.fixture
def at_once(monkeypatch):
    """Lists are signed as often as they change."""
    monkeypatch.setattr(published, "SIGNED_EVERY_SECONDS", 0)


@pytest.fixture
def revoke(app):
    """Revokes sessions by name, one transaction each time."""

    def write(*names):
        with app.test_request_context(), one_time.database.apart() as unit:
            revocations.add(*names)
            revocations.write(unit.revoked)
        revocations.settle()

    return write


def listed(answer):
    """The content of a list."""
    assert jwt.get_unverified_header(answer.text)["typ"] == "revocations+jwt"
    return jwt.decode(answer.text, options={"verify_signature": False, "verify_aud": False})


def test_the_list_names_what_has_ended_and_until_when_it_matters(client, at_once):
    client.signed_in("ada")
    ended = client.session_id
    assert listed(client.get(PATH))["revoked"] == {}
    client.logout()
    content = listed(client.get(PATH))
    assert content["revoked"] == {ended: pytest.approx(time.time() + LASTING, abs=5)}
    assert content["iss"] == client.wire.url
    assert content["iat"] <= time.time() < content["exp"] - 60


def test_the_published_keys_verify_it(client):
    answer = client.get(PATH)
    keys = jwt.PyJWKSet.from_dict(client.get("/.well-known/jwks.json").json)
    key = keys[jwt.get_unverified_header(answer.text)["kid"]]
    assert jwt.decode(answer.text, key, ["EdDSA"], issuer=client.wire.url)["revoked"] == {}


def test_when_more_are_in_force_than_are_listed_the_oldest_are_left_out_and_it_says_so(
    client, revoke, clock, at_once, monkeypatch
):
    monkeypatch.setattr(published, "LISTED", 3)
    names = [f"session-{number}" for number in range(5)]
    for name in names[:3]:
        revoke(name)
    assert listed(client.get(PATH))["complete_since"] < time.time() - 900
    for name in names[3:]:
        clock.shift(10)
        revoke(name)
    revoke_times = {name: until - LASTING for name, until in listed(client.get(PATH))["revoked"].items()}
    assert list(revoke_times) == names[2:]
    # A token that is not refused for its age was issued after the last sign-out that is not told of.
    later = listed(client.get(PATH))["complete_since"] - revoke_times[names[2]]
    assert CLOCK_SKEW_SECONDS < later <= CLOCK_SKEW_SECONDS + 2


def test_a_token_older_than_the_list_is_complete_belongs_to_a_session_that_may_be_left_out(
    client, revoke, clock, at_once, monkeypatch
):
    monkeypatch.setattr(published, "LISTED", 3)
    client.signed_in("ada")
    clock.shift(2)
    client.logout()
    gone, issued = client.session_id, claims_of(client.access_token)["iat"]
    clock.shift(2)
    revoke("a", "b", "c")
    content = listed(client.get(PATH))
    assert gone not in content["revoked"]
    assert issued < content["complete_since"]


def test_no_token_that_has_not_expired_is_too_old_when_all_are_listed(client, at_once):
    content = listed(client.get(PATH))
    assert content["complete_since"] < time.time() - 900


def test_a_token_that_outlives_what_is_kept_since_the_setting_was_lowered_is_too_old(make_client, clock, at_once):
    before = make_client(ACCESS_TOKEN_SECONDS=86400).signed_in("ada")
    lowered = make_client(ACCESS_TOKEN_SECONDS=900)
    bearer = {"Authorization": f"Bearer {before.access_token}"}
    assert lowered.post("/auth/logout", headers=bearer).status == 200
    clock.shift(LASTING + 60)
    content = listed(lowered.get(PATH))
    assert before.session_id not in content["revoked"]
    assert claims_of(before.access_token)["iat"] < content["complete_since"]


def test_a_token_of_a_host_whose_clock_is_ahead_is_too_old_as_well(client, revoke, clock, at_once, monkeypatch):
    monkeypatch.setattr(published, "LISTED", 3)
    client.signed_in("ada")
    clock.shift(CLOCK_SKEW_SECONDS - 1)
    client.refresh()
    issued = claims_of(client.access_token)["iat"]
    clock.shift(1 - CLOCK_SKEW_SECONDS)
    client.logout()
    clock.shift(1)
    revoke("a", "b", "c")
    content = listed(client.get(PATH))
    assert client.session_id not in content["revoked"]
    assert issued < content["complete_since"]


def test_who_has_the_list_gets_304_until_it_changes(client, revoke, at_once):
    before = client.get(PATH)
    assert before.headers["Cache-Control"] == "public, max-age=1"
    same = client.get(PATH, headers={"If-None-Match": before.headers["ETag"]})
    assert (same.status, same.data, same.headers["ETag"]) == (304, b"", before.headers["ETag"])
    revoke("session")
    after = client.get(PATH, headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status, "session" in listed(after)["revoked"]) == (200, True)


def test_it_is_signed_anew_when_its_signature_grows_old(client, clock, at_once):
    before = client.get(PATH)
    clock.shift(published.RENEWED_SECONDS)
    after = client.get(PATH, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    assert listed(after)["exp"] == listed(before)["exp"] + published.RENEWED_SECONDS


def test_it_is_signed_no_more_than_once_a_second_whatever_is_revoked(client, revoke, monkeypatch):
    monkeypatch.setattr(published, "SIGNED_EVERY_SECONDS", 1000)
    before = client.get(PATH)
    revoke("first")
    assert client.get(PATH).headers["ETag"] == before.headers["ETag"]
    monkeypatch.setattr(published, "SIGNED_EVERY_SECONDS", 0)
    assert "first" in listed(client.get(PATH))["revoked"]


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "*"])
def test_it_comes_compressed_to_whoever_accepts_that_with_a_tag_of_its_own(client, revoke, at_once, accepted):
    revoke("session")
    plain = client.get(PATH, headers={"Accept-Encoding": "gzip;q=0, br"})
    packed = client.get(PATH, headers={"Accept-Encoding": accepted})
    assert (plain.headers.get("Content-Encoding"), packed.headers["Content-Encoding"]) == (None, "gzip")
    assert gzip.decompress(packed.data) == plain.data
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert plain.headers["ETag"] != packed.headers["ETag"]


def test_the_tag_of_one_encoding_confirms_that_one_only(client):
    accepting = {"Accept-Encoding": "gzip"}
    plain, packed = client.get(PATH), client.get(PATH, headers=accepting)
    again = client.get(PATH, headers={**accepting, "If-None-Match": packed.headers["ETag"]})
    assert (again.status, again.headers["ETag"]) == (304, packed.headers["ETag"])
    assert "Accept-Encoding" in again.headers["Vary"]
    assert client.get(PATH, headers={"If-None-Match": packed.headers["ETag"]}).status == 200
    assert client.get(PATH, headers={**accepting, "If-None-Match": plain.headers["ETag"]}).status == 200


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
@one_database
def test_workers_that_have_seen_the_same_answer_with_the_same_bytes(make_client, revoke, algorithm):
    one, other = make_client(JWT_ALGORITHM=algorithm), make_client(JWT_ALGORITHM=algorithm)
    revoke("b", "a", "c")
    wait = published.RENEWED_SECONDS - time.time() % published.RENEWED_SECONDS
    time.sleep(wait if wait < 2 else 0)
    assert one.get(PATH).data == other.get(PATH).data


@one_database
def test_its_size_is_bounded(client, revoke, at_once):
    revoke(*(secrets.token_urlsafe(16) for _ in range(published.LISTED + 1000)))
    plain, packed = client.get(PATH), client.get(PATH, headers={"Accept-Encoding": "gzip"})
    assert len(listed(plain)["revoked"]) == published.LISTED
    assert len(plain.data) < 245_000
    assert len(packed.data) < 130_000


@one_database
def test_a_quiet_service_answers_with_a_few_hundred_bytes(client):
    assert len(client.get(PATH).data) < 500
