"""Codes by SMS as a second factor: offered only when there is a sender, which is a real one over HTTP in some tests."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest
from sqlalchemy import select

from auth import crypto
from models import Authenticator
from tests.support.factors import App, begin, read, renew, verified, verify

NUMBER = "+4915123456789"


class SmsSender:
    """A sender of short messages on this machine; `status` is what it answers."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], str]] = []
        self.status = 202
        received, sender = self.received, self

        class Received(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                received.append((dict(self.headers), body))
                self.send_response(sender.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Received)
        self.url = f"http://user:secret@127.0.0.1:{self._server.server_port}/messages"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()

    def stop(self) -> None:
        """Take nothing any more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def sender() -> Iterator[SmsSender]:
    """A sender that takes messages."""
    made = SmsSender()
    yield made
    made.stop()


class Phone:
    """A phone: it shows the code that arrived last."""

    def __init__(self, folder):
        self.folder = folder

    @property
    def messages(self):
        files = sorted(self.folder.glob("*.txt"), key=lambda file: file.stat().st_mtime_ns)
        return [file.read_text() for file in files]

    @property
    def code(self):
        return re.search(r"^([0-9]{6}) is your code", self.messages[-1], re.MULTILINE)[1]


@pytest.fixture
def phone(tmp_path) -> Phone:
    """A phone whose messages arrive as files."""
    return Phone(tmp_path)


@pytest.fixture
def client(make_client, phone):
    """A client of a service that can send short messages."""
    return make_client(SMS_URL=f"file://{phone.folder}")


def enroll(client, number=NUMBER):
    return client.post("/auth/mfa/sms/enroll", {"phone": number})


def enrolled(client, phone):
    """The client, its person having enrolled the phone."""
    assert enroll(verified(client)).status == 202
    assert client.post("/auth/mfa/sms/confirm", {"code": phone.code}).status == 200
    return client


def challenged(client, phone):
    """The `mfa_token` of a sign-in for which a code was sent."""
    mfa_token = begin(client)
    assert client.post("/auth/mfa/sms/challenge", {"mfa_token": mfa_token}).status == 202
    return mfa_token


def test_without_a_sender_the_method_is_not_offered(make_client):
    client = verified(make_client())
    answer = enroll(client)
    assert (answer.status, answer.code) == (403, "factor_unavailable")


def test_a_phone_is_enrolled_and_signs_in(client, phone):
    enroll(verified(client))
    answer = client.post("/auth/mfa/sms/confirm", {"code": phone.code})
    assert len(answer.json["recovery_codes"]) == 10
    other = client.another()
    assert other.login().json["methods"] == ["sms", "recovery_code"]
    assert verify(other, challenged(other, phone), phone.code, "sms").status == 200
    assert other.get("/auth/protected").json["amr"] == ["pwd", "sms", "mfa"]


def test_a_message_says_what_it_is_for_and_for_which_domain(client, phone):
    enroll(verified(client))
    number, text, *_, last = phone.messages[0].splitlines()
    assert number == NUMBER
    assert text.endswith("is your code for Gatehouse. Never tell it to anybody.")
    assert last == f"@localhost #{phone.code}"


def test_it_counts_only_once_it_is_confirmed(client):
    enroll(verified(client))
    assert client.another().login().status == 200


@pytest.mark.parametrize("typed", ["+49 151 23456789", "+49 (151) 234-567-89", "+49.151.23456789"])
def test_a_number_may_be_typed_as_people_type(client, phone, typed):
    assert enroll(verified(client), typed).status == 202
    assert phone.messages[0].startswith(NUMBER)


@pytest.mark.parametrize(
    "number",
    ["", "0151 23456789", "+0151234567", "+49", "+1234567890123456", "+49 151 x", "+49151\n234", "112", None, 49151],
)
def test_what_is_no_number_is_refused(client, phone, number):
    answer = enroll(verified(client), number)
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "phone")
    assert phone.messages == []


def test_a_wrong_code_confirms_nothing(client):
    enroll(verified(client))
    assert client.post("/auth/mfa/sms/confirm", {"code": "no code"}).code == "code_invalid"


def test_a_page_asks_for_a_code_without_its_cookies(client, phone):
    enrolled(client, phone)
    mfa_token = begin(client)
    assert client.another().post("/auth/mfa/sms/challenge", {"mfa_token": mfa_token}).status == 202
    assert verify(client, mfa_token, phone.code, "sms").status == 200


@pytest.mark.asvs("6.5.1")
def test_a_code_works_once(client, phone):
    enrolled(client, phone)
    mfa_token = challenged(client, phone)
    assert verify(client, mfa_token, phone.code, "sms").status == 200
    assert verify(client, begin(client), phone.code, "sms").code == "code_invalid"


@pytest.mark.asvs("6.5.5")
def test_a_code_lives_ten_minutes(client, phone, clock):
    enrolled(client, phone)
    mfa_token = challenged(client, phone)
    clock.shift(601)
    assert verify(client, mfa_token, phone.code, "sms").code == "code_invalid"
    assert verify(client, begin(client), phone.code, "sms").code == "code_invalid"


@pytest.mark.asvs("6.6.2")
def test_a_new_code_makes_the_one_before_void(client, phone):
    enrolled(client, phone)
    mfa_token = challenged(client, phone)
    first = phone.code
    client.post("/auth/mfa/sms/challenge", {"mfa_token": mfa_token})
    assert phone.code != first
    assert verify(client, mfa_token, first, "sms").code == "code_invalid"
    assert verify(client, mfa_token, phone.code, "sms").status == 200


@pytest.mark.asvs("6.6.2")
def test_a_code_is_bound_to_what_it_was_asked_for(client, phone):
    enrolled(client, phone)
    challenged(client, phone)
    assert verify(client, begin(client), phone.code, "sms").code == "code_invalid"
    assert client.post("/auth/reauthenticate", {"method": "sms", "code": phone.code}).code == "code_invalid"


@pytest.mark.asvs("6.6.3")
def test_five_wrong_codes_end_the_code(client, phone):
    enrolled(client, phone)
    client.post("/auth/mfa/sms/challenge")
    for _ in range(5):
        assert client.post("/auth/reauthenticate", {"method": "sms", "code": "wrong"}).code == "code_invalid"
    assert client.post("/auth/reauthenticate", {"method": "sms", "code": phone.code}).code == "code_invalid"


def test_it_makes_a_session_fresh(client, phone):
    enrolled(client, phone)
    assert client.post("/auth/mfa/sms/challenge").status == 202
    renew(client, method="sms", code=phone.code)
    assert client.post("/auth/mfa/recovery-codes").status == 200


@pytest.mark.asvs("6.5.1")
def test_fifty_uses_of_one_code_make_one_session(client, phone, race):
    enrolled(client, phone)
    mfa_token = challenged(client.another(), phone)
    code = phone.code
    answers = race(50, lambda _: verify(client.another(), mfa_token, code, "sms"))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 401, 429}


@pytest.mark.asvs("6.4.4", "6.5.6")
def test_removing_needs_the_phone_and_ends_codes_that_are_under_way(client, phone):
    enrolled(client, phone)
    number = client.get("/auth/mfa").json["authenticators"][0]["id"]
    assert client.delete(f"/auth/mfa/authenticators/{number}").code == "fresh_token_required"
    client.post("/auth/mfa/sms/challenge")
    renew(client, method="sms", code=phone.code)
    assert client.delete(f"/auth/mfa/authenticators/{number}").status == 204
    assert client.another().login().status == 200


@pytest.mark.asvs("6.4.4")
def test_a_message_takes_no_app_away_not_even_by_a_detour(client, phone):
    enrolled(client, phone)
    client.post("/auth/mfa/sms/challenge")
    app = App.enrolled(renew(client, method="sms", code=phone.code))
    thief = client.another()
    assert verify(thief, challenged(thief, phone), phone.code, "sms").status == 200
    assert thief.delete("/auth/mfa/totp").code == "fresh_token_required"
    assert thief.post("/auth/mfa/recovery-codes").code == "fresh_token_required"
    assert thief.post("/auth/mfa/totp/enroll", {"name": "Mine"}).code == "fresh_token_required"
    assert thief.post("/auth/passkeys/register/options").code == "fresh_token_required"
    renew(thief, code=app.code(1))
    assert thief.post("/auth/mfa/recovery-codes").status == 200


def test_a_person_has_one_phone(client, phone):
    enrolled(client, phone)
    client.post("/auth/mfa/sms/challenge")
    renew(client, method="sms", code=phone.code)
    assert enroll(client, "+4915111111111").code == "too_many_factors"


def test_nobody_is_sent_a_code_they_did_not_enrol_for(client, phone):
    verified(client)
    assert client.post("/auth/mfa/sms/challenge").code == "factor_unavailable"
    assert client.another().post("/auth/mfa/sms/challenge").code == "token_missing"
    assert client.another().post("/auth/mfa/sms/challenge", {"mfa_token": "n" * 43}).code == "code_invalid"
    assert phone.messages == []


def test_so_many_messages_and_no_more(make_client, phone):
    client = enrolled(make_client(SMS_URL=f"file://{phone.folder}", RATE_LIMITS=True), phone)
    statuses = [client.post("/auth/mfa/sms/challenge").status for _ in range(11)]
    assert set(statuses) == {202, 429}
    assert len(phone.messages) <= 11


@pytest.mark.asvs("6.5.2")
def test_numbers_are_encrypted_at_rest(client, phone):
    enrolled(client, phone)
    owner, sealed = read(client, select(Authenticator.user_id, Authenticator.sealed)).one()
    assert NUMBER.encode() not in sealed
    with client.wire.app.app_context():
        assert crypto.decrypt("authenticator sms", sealed, str(owner)).decode() == NUMBER


def test_a_sender_on_the_web_is_given_json(make_client, sender):
    enroll(verified(make_client(SMS_URL=sender.url, SMS_BODY='{"to": "{to}", "text": "{text}"}')))
    ((headers, body),) = sender.received
    assert headers["Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    assert json.loads(body)["to"] == NUMBER
    assert re.match("[0-9]{6} is your code", json.loads(body)["text"])


def test_a_sender_on_the_web_is_given_a_form(make_client, sender):
    form = "From=Gatehouse&To={to}&Body={text}"
    enroll(verified(make_client(SMS_URL=sender.url, SMS_BODY=form, SMS_AUTHORIZATION="Bearer key")))
    ((headers, body),) = sender.received
    assert headers["Authorization"] == "Bearer key"
    assert parse_qs(body)["To"] == [NUMBER]
    assert parse_qs(body)["Body"][0].endswith(f"#{parse_qs(body)['Body'][0][:6]}")


@pytest.mark.parametrize("status", [302, 400, 500])
def test_a_sender_that_refuses_is_told_as_such(make_client, sender, status):
    sender.status = status
    answer = enroll(verified(make_client(SMS_URL=sender.url)))
    assert (answer.status, answer.code) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_a_sender_that_is_away_is_told_as_such(make_client, sender):
    sender.stop()
    assert enroll(verified(make_client(SMS_URL=sender.url))).code == "unavailable"
