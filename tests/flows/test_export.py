"""GET /auth/me/export."""

import re

import cbor2
import pytest

from auth.flows.export import OWNED, WITHHELD
from models import Base
from tests.support.authenticator import Authenticator, cose, decoded
from tests.support.clients import PASSWORD
from tests.support.factors import verified
from tests.support.mailed import RESET


def test_the_document_is_an_attachment(client):
    answer = client.signed_in("ada").get("/auth/me/export")
    assert answer.status == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="gatehouse-export.json"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_account_its_sessions_and_its_events_are_in_it(client):
    client.signed_in("ada").another().login("ada")
    document = client.get("/auth/me/export").json
    assert (document["account"]["username"], document["account"]["email"]) == ("ada", "ada@example.org")
    assert len(document["sessions"]) == 2
    assert [event["name"] for event in document["audit_events"]][-1] == "account.exported"


@pytest.mark.parametrize("table", sorted(OWNED))
def test_every_table_that_knows_the_person_is_in_it(client, table):
    assert table in client.signed_in("ada").get("/auth/me/export").json


def test_whatever_a_table_holds_is_shown_or_a_secret():
    columns = {column.name for table in OWNED.values() for column in table.columns}
    assert columns >= WITHHELD - {column.name for column in Base.metadata.tables["users"].columns}


def test_no_secret_is_in_it(client, mailbox):
    letter = RESET.letter(client.signed_in("ada"), mailbox)
    text = client.get("/auth/me/export").text
    assert not [secret for secret in (PASSWORD, letter.token, letter.code, "$2b$", "_hash") if secret in text]


def test_a_phone_number_is_in_it_although_it_is_kept_encrypted(make_client, tmp_path):
    client = verified(make_client(SMS_URL=f"file://{tmp_path}"))
    client.post("/auth/mfa/sms/enroll", {"phone": "+4915123456789"})
    (message,) = tmp_path.glob("*.txt")
    code = re.search("([0-9]{6}) is your code", message.read_text())[1]
    codes = client.post("/auth/mfa/sms/confirm", {"code": code}).json["recovery_codes"]
    client.post("/auth/reauthenticate", {"password": PASSWORD, "method": "recovery_code", "code": codes[0]})
    assert client.get("/auth/me/export").json["phone_numbers"] == ["+4915123456789"]


def test_a_passkey_is_in_it_with_what_the_service_knows_it_by(client):
    authenticator = Authenticator()
    options = verified(client).post("/auth/passkeys/register/options").json
    client.post("/auth/passkeys/register/verify", {"credential": authenticator.create(options)})
    challenge = client.post("/auth/reauthenticate/options").json
    client.post("/auth/reauthenticate", {"passkey": authenticator.get(challenge)})
    (shown,) = client.get("/auth/me/export").json["passkeys"]
    (kept,) = authenticator.kept
    assert decoded(shown["credential_id"]) == kept.id
    assert shown["user_handle"] == kept.user_handle
    assert decoded(shown["public_key"]) == cbor2.dumps(cose(kept.private))


def test_nobody_else_is_in_it(client):
    client.signed_in("ada").another().signed_in("bob")
    assert "bob" not in client.get("/auth/me/export").text


@pytest.mark.asvs("7.5.1", "7.5.3")
def test_a_proof_that_is_not_fresh_is_refused(client, clock):
    client.signed_in("ada")
    clock.shift(601)
    assert client.get("/auth/me/export").code == "fresh_token_required"
