"""GET /healthz, /readyz and the published key set."""

import jwt
import pytest

from tests.support.marks import one_client, one_database


def test_alive_without_asking_a_store(bearer, statements):
    with statements() as seen:
        answer = bearer.get("/healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert seen == []


def test_ready_when_the_database_answers(bearer):
    answer = bearer.get("/readyz")
    assert (answer.status, answer.json) == (200, {"status": "ready"})


@one_database
@one_client
def test_not_ready_while_the_tables_are_not_there(make_client, database_kind, databases):
    answer = make_client(DATABASE_URL=databases.blank_url(database_kind)).get("/readyz")
    assert (answer.status, answer.code) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_the_key_set_verifies_a_token_without_asking_the_service(client):
    client.signed_in("ada")
    keys = jwt.PyJWKSet.from_dict(client.get("/.well-known/jwks.json").json)
    key = keys[jwt.get_unverified_header(client.access_token)["kid"]]
    claims = jwt.decode(client.access_token, key, ["EdDSA"], audience="gatehouse", issuer=client.wire.url)
    assert claims["preferred_username"] == "ada"


@pytest.mark.asvs("RFC 7517")
def test_the_key_set_holds_public_members_only(bearer):
    (key,) = bearer.get("/.well-known/jwks.json").json["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")


@pytest.mark.asvs("RFC 7517")
def test_the_key_set_may_be_kept_for_a_quarter_of_a_minute_and_revalidated(bearer):
    answer = bearer.get("/.well-known/jwks.json")
    assert answer.headers["Cache-Control"] == "public, max-age=15"
    assert answer.headers["Content-Type"].startswith("application/json")
    again = bearer.get("/.well-known/jwks.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.data) == (304, b"")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/.well-known/jwks.json"])
def test_operators_and_services_need_no_token_and_get_no_cookie(bearer, path):
    bearer.access_token = "rubbish"
    answer = bearer.get(path)
    assert (answer.status, answer.set_cookies) == (200, {})
