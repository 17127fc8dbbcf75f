"""Second factors on the service as it runs in production: two workers, a real network, letters in a folder."""

from collections import Counter

import pytest

from tests.support.authenticator import Authenticator
from tests.support.factors import App, begin, renew, verify
from tests.support.mailbox import in_folder
from tests.support.processes import wait_until

pytestmark = pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)


@pytest.fixture
def client(live_server, client_kind):
    """A client whose person has verified the address by the link of a real letter."""
    server = live_server()
    client = server.client(client_kind).signed_in("ada")
    folder = server.folder / "instance/mail"
    wait_until(lambda: links(folder), "the letter of the registration is there", 60)
    assert client.post("/auth/email/verify", {"token": links(folder)[0].token}).status == 200
    return client


def links(folder):
    """The letters that ask for the address to be verified; notices arrive beside them."""
    return [letter for letter in in_folder(folder) if "verify" in letter.text.partition("#token=")[0]]


@pytest.mark.asvs("6.5.1")
def test_fifty_uses_of_one_code_over_two_workers_make_one_session(client, race):
    app = App.enrolled(client)
    waiting = [begin(client.another()) for _ in range(8)]
    answers = race(50, lambda number: verify(client.another(), waiting[number % 8], app.code(1)))
    statuses = Counter(answer.status for answer in answers)
    assert statuses[200] == 1
    assert set(statuses) <= {200, 401, 429}


@pytest.mark.asvs("6.5.1", "6.7.2")
def test_fifty_answers_to_one_challenge_over_two_workers_make_one_session(client, race):
    authenticator = Authenticator(origin=client.wire.url.replace("127.0.0.1", "localhost"))
    credential = authenticator.create(client.post("/auth/passkeys/register/options").json)
    assert client.post("/auth/passkeys/register/verify", {"credential": credential}).status == 201
    answer = authenticator.get(client.post("/auth/passkeys/login/options").json)
    answers = race(50, lambda _: client.another().post("/auth/passkeys/login/verify", {"credential": answer}))
    assert Counter(answer.status for answer in answers) == {200: 1, 401: 49}


@pytest.mark.asvs("6.5.1")
def test_fifty_uses_of_one_recovery_code_over_two_workers_make_one_session(client, race):
    app = App.enrolled(client)
    renew(client, code=app.code(1))
    waiting = [begin(client.another()) for _ in range(8)]
    code = app.recovery_codes[0]
    answers = race(50, lambda number: verify(client.another(), waiting[number % 8], code, "recovery_code"))
    statuses = Counter(answer.status for answer in answers)
    assert statuses[200] == 1
    assert set(statuses) <= {200, 401, 429}
