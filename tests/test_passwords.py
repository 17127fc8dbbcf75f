"""Passwords: the whole secret counts, every script is welcome, what is guessed first is refused with advice."""

import threading
import time
import unicodedata
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from zxcvbn.frequency_lists import FREQUENCY_LISTS
from zxcvbn_rs_py import zxcvbn

from auth.breaches import TIMEOUT_SECONDS
from tests.support.mailbox import Mailbox

GOOD = "Tulip-Anvil-Crater-59"
one_client = pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
pytestmark = one_client

COMMON = [word for word in FREQUENCY_LISTS["passwords"][:3000] if len(word) >= 8][:200]


def _register(client, password, username="fiona", email="post@fiona.example"):
    return client.another().register(username=username, email=email, password=password)


def _field_code(answer):
    return answer.json["errors"][0]["field"], answer.json["errors"][0]["code"]


@pytest.mark.asvs("6.2.1")
def test_seven_characters_are_too_few(client):
    answer = _register(client, "kX9#mQz")
    assert (answer.status, _field_code(answer)) == (400, ("password", "password_short"))


@pytest.mark.asvs("6.2.1")
def test_the_least_length_is_a_setting(make_client):
    client = make_client(PASSWORD_MIN_LENGTH=15)
    assert _register(client, "kX9#mQz-Lw2v").status == 400
    assert _register(client, "kX9#mQz-Lw2v-7tR").status == 201


@pytest.mark.asvs("6.2.4")
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_two_hundred_of_the_most_common_passwords_are_refused(client):
    assert len(COMMON) == 200
    assert {_register(client, password).status for password in COMMON} == {400}


def test_a_refusal_says_what_to_improve(client):
    answer = _register(client, "qwertyuiop")
    assert "is too easy to guess. This is a top-100 common password." in answer.message
    assert "qwertyuiop" not in answer.text


@pytest.mark.asvs("1.3.12")
@pytest.mark.parametrize(
    "password", ["(4@8({[<369&#!1/|0$5+7%2" * 2, "@!|$+%<[{(" * 4, "4@8({[<369&#!1/|0$5+7%2x" + "a1" * 11]
)
def test_no_password_makes_the_estimator_try_more_readings_than_it_can_in_a_short_time(client, monkeypatch, password):
    read = []

    def note(text, names):
        read.append(text)
        return zxcvbn(text, names)

    monkeypatch.setattr("auth.passwords.zxcvbn", note)
    assert _register(client, password[:47]).status == 201
    assert [len(set(text) & set("@({[<!|$+%")) for text in read] == [2]


@pytest.mark.parametrize("password", ["P@$$w0rd", "p4ssw0rd!", "p@ssw0rd", "P@$$word1"])
def test_signs_in_place_of_letters_make_no_common_password_a_good_one(client, password):
    assert _field_code(_register(client, password)) == ("password", "password_common")


@pytest.mark.asvs("6.2.5")
@pytest.mark.parametrize(
    "password",
    [
        "lowercaseonlytulip",
        "8264915370286419",
        "  spaces  at both ends  ",
        "正確馬電池釘書針山川",
        "e\u0301toile\u0301 filante\u0301",
        "🦊🌵🎻🚲🪁🧭🦔🌋",
    ],
)
def test_every_kind_of_character_is_accepted_and_signs_in(client, password):
    assert _register(client, password).status == 201
    assert client.another().login("fiona", password).status == 200


@pytest.mark.asvs("6.2.9")
@pytest.mark.parametrize("password", ["😀" * 64, "🦊🌵" * 64, "x7!Q" * 64])
def test_long_passwords_are_accepted(client, password):
    assert _register(client, password).status == 201
    assert client.another().login("fiona", password).status == 200


@pytest.mark.asvs("6.2.9")
def test_what_is_longer_than_the_bound_is_refused(client):
    answer = _register(client, "x7!Q" * 64 + "a")
    assert (answer.status, answer.json["errors"][0]["field"]) == (400, "password")


LONG = "kX9#mQz-Lw2v" * 6


@pytest.mark.asvs("6.2.8")
@pytest.mark.parametrize(
    ("password", "guess"),
    [
        (GOOD, GOOD + "x"),
        (GOOD, GOOD[:-1]),
        (GOOD, GOOD.swapcase()),
        (f" {GOOD} ", GOOD),
        (LONG, LONG + "7"),
        (LONG + "7", LONG + "8"),
        (GOOD + "\x00one", GOOD + "\x00two"),
    ],
)
def test_the_whole_password_counts(client, password, guess):
    assert _register(client, password).status == 201
    assert client.another().login("fiona", guess).code == "invalid_credentials"
    assert client.another().login("fiona", password).status == 200


def test_composed_and_decomposed_accents_are_the_same_password(client):
    composed = unicodedata.normalize("NFC", "Crème-Brûlée-Étagère")
    _register(client, composed)
    assert client.another().login("fiona", unicodedata.normalize("NFD", composed)).status == 200


@pytest.mark.asvs("6.2.11", "2.2.3", "6.1.2")
@pytest.mark.parametrize(
    "password",
    ["fiona-Crater-59-x", "FIONA2026!!", "gatehouse1984", "Gate-House-77", "post202620262", "xx post@fiona.example"],
)
def test_a_password_made_of_ones_own_names_is_refused(client, password):
    answer = _register(client, password)
    assert (answer.status, _field_code(answer)) == (400, ("password", "password_personal"))


@pytest.mark.asvs("6.2.10")
def test_a_password_does_not_age(client, clock):
    _register(client, GOOD)
    clock.shift(400 * 86400)
    assert client.another().login("fiona", GOOD).status == 200


class Breaches:
    """A range API on this machine: knows the passwords given, or stays silent."""

    def __init__(self, known: str = "", status: int = 200, drips: str = "") -> None:
        breaches = self
        self.asked: list[str] = []

        class Answerer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                breaches.asked.append(self.path)
                if drips:
                    self.drip()
                    return
                body = known.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def drip(self) -> None:
                """Send a byte of the head or of the body now and then, always sooner than any single wait ends."""
                if drips == "body":
                    self.send_response(200)
                    self.send_header("Content-Length", "100")
                    self.end_headers()
                with suppress(OSError):
                    for _ in range(60):
                        self.wfile.write(b"A")
                        time.sleep(0.2)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Answerer)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/range"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def breaches():
    started = []

    def start(**arguments):
        started.append(Breaches(**arguments))
        return started[-1]

    yield start
    for server in started:
        server.stop()


# SHA-1 of GOOD, which the range API would list.
GOOD_SHA1 = "BF27A47637F660F4434876EEC8B2E6D6652D91E8"


@pytest.mark.asvs("6.2.12")
def test_a_breached_password_is_refused_and_never_leaves_the_house(make_client, breaches):
    server = breaches(known=f"{GOOD_SHA1[5:]}:3\r\n{'0' * 35}:0\r\n")
    answer = _register(make_client(BREACH_CHECK_URL=server.url), GOOD)
    assert (answer.status, _field_code(answer)) == (400, ("password", "password_breached"))
    assert server.asked == [f"/range/{GOOD_SHA1[:5]}"]


@pytest.mark.asvs("6.2.12")
def test_padding_of_the_range_answer_is_no_breach(make_client, breaches):
    server = breaches(known=f"{GOOD_SHA1[5:]}:0\r\n")
    assert _register(make_client(BREACH_CHECK_URL=server.url), GOOD).status == 201


@pytest.mark.asvs("6.2.12")
def test_a_breach_service_that_fails_lets_the_password_pass(make_client, breaches):
    assert _register(make_client(BREACH_CHECK_URL=breaches(status=500).url), GOOD).status == 201


@pytest.mark.asvs("13.2.6")
@pytest.mark.parametrize("drips", ["head", "body"])
def test_a_breach_service_that_drips_holds_nobody_longer_than_one_that_hangs(make_client, breaches, drips):
    client = make_client(BREACH_CHECK_URL=breaches(drips=drips).url)
    began = time.monotonic()
    assert _register(client, GOOD).status == 201
    assert time.monotonic() - began < TIMEOUT_SECONDS + 1


@pytest.mark.asvs("16.5.2")
@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [({"status": 500}, "failed"), ({}, "unknown"), ({"known": f"{GOOD_SHA1[5:]}:3\r\n"}, "breached")],
)
def test_what_the_breach_service_answered_is_counted(make_client, breaches, arguments, outcome):
    client = make_client(BREACH_CHECK_URL=breaches(**arguments).url)
    name = f'gatehouse_breach_checks_total{{outcome="{outcome}"}}'
    before = _figure(client, name)
    _register(client, GOOD)
    assert _figure(client, name) == before + 1


def _figure(client, name):
    lines = client.another().get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


# Known from a breach, common, and made of one's own name.
REFUSED = {GOOD: "password_breached", "qwertyuiop": "password_common", "fiona2026!!": "password_personal"}
NEW = "Velvet-Harbour-Quince-8"


@pytest.mark.asvs("6.2.4", "6.2.11", "6.2.12")
def test_a_change_and_a_reset_ask_for_as_much_as_a_registration(make_client, breaches):
    server = breaches(known=f"{GOOD_SHA1[5:]}:3\r\n")
    client = make_client(BREACH_CHECK_URL=server.url)
    assert _register(client, NEW).status == 201
    client.login("fiona", NEW)
    client.post("/auth/password/forgot", {"email": "post@fiona.example"})
    token = Mailbox(client.wire.app).last("post@fiona.example").token
    for password, code in REFUSED.items():
        changed = client.post("/auth/password/change", {"current_password": NEW, "new_password": password})
        reset = client.another().post("/auth/password/reset", {"token": token, "password": password})
        assert [_field_code(answer)[1] for answer in (changed, reset)] == [code] * 2
    assert client.another().login("fiona", NEW).status == 200
