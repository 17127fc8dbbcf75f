"""Security notices: what people are told about their accounts, and that nobody waits for it."""

import pyotp
import pytest

from auth import audit, database, links, notices
from auth.mail import letters
from auth.worker import housekeeping
from models import Letter, Session
from tests.support.authenticator import Authenticator
from tests.support.clients import PASSWORD
from tests.support.mailbox import Mailbox
from tests.support.mailed import NEW_PASSWORD, RESET, VERIFY
from tests.support.marks import one_client
from tests.support.tables import rows

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
EDGE = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
WRONG = "Wrong-Anvil-Crater-59"


def subjects(mailbox):
    """What ada has been told, but for the letter that welcomed her."""
    told = [letter.subject for letter in mailbox.all("ada@example.org")]
    return [subject for subject in told if subject != "Confirm your address"]


def sign_in(client, password=PASSWORD, user_agent=FIREFOX, address="192.0.2.7"):
    other = client.another()
    other.address = address
    body = {"identifier": "ada", "password": password}
    return other.post("/auth/login", body, headers={"User-Agent": user_agent})


@pytest.fixture
def ada(client, mailbox):
    """Ada has registered, and signed in from her usual place."""
    client.register("ada")
    sign_in(client)
    mailbox.work()
    return client


@one_client
def test_the_first_sign_in_is_no_news(ada, mailbox):
    assert subjects(mailbox) == []


@one_client
@pytest.mark.parametrize(
    ("user_agent", "address"), [(FIREFOX, "192.0.2.7"), (FIREFOX, "192.0.2.200")], ids=["here", "next door"]
)
def test_a_sign_in_as_always_is_no_news(ada, mailbox, user_agent, address):
    sign_in(ada, user_agent=user_agent, address=address)
    assert subjects(mailbox) == []


@one_client
@pytest.mark.asvs("6.3.5")
@pytest.mark.parametrize(
    ("user_agent", "address"),
    [(EDGE, "192.0.2.7"), (FIREFOX, "198.51.100.7"), (FIREFOX, "2001:db8::7"), (EDGE, "198.51.100.7")],
)
def test_a_sign_in_from_a_new_device_or_place_is_told(ada, mailbox, user_agent, address):
    sign_in(ada, user_agent=user_agent, address=address)
    assert subjects(mailbox) == ["A sign-in from a new device"]
    assert address in mailbox.last().text


@one_client
@pytest.mark.asvs("6.3.5")
@pytest.mark.parametrize(
    ("days", "user_agent", "news"),
    [(100, EDGE, True), (100, FIREFOX, False), (500, EDGE, True), (500, FIREFOX, True)],
)
def test_a_stranger_in_an_account_that_nobody_has_used_for_long_is_told(ada, mailbox, clock, days, user_agent, news):
    mailbox.work()
    clock.shift(days * 86_400)
    with ada.wire.app.app_context():
        housekeeping.purge()
        audit.purge()
        database.end()
    assert rows(ada.wire.app, Session) == []
    sign_in(ada, user_agent=user_agent)
    assert subjects(mailbox) == (["A sign-in from a new device"] if news else [])


@one_client
def test_the_first_sign_in_is_no_news_however_late_it_is(client, mailbox, clock):
    client.register("ada")
    clock.shift(100 * 86_400)
    sign_in(client)
    assert subjects(mailbox) == []


@one_client
def test_it_is_told_once(ada, mailbox):
    for _ in range(3):
        sign_in(ada, user_agent=EDGE)
    assert subjects(mailbox) == ["A sign-in from a new device"]


@one_client
def test_a_known_browser_may_travel(ada, mailbox, cookie):
    cookie.post("/auth/login", {"identifier": "ada", "password": PASSWORD}, headers={"User-Agent": EDGE})
    before = subjects(mailbox)
    cookie.address = "203.0.113.9"
    cookie.post("/auth/login", {"identifier": "ada", "password": PASSWORD}, headers={"User-Agent": EDGE})
    assert subjects(mailbox) == before


@pytest.mark.asvs("6.3.5")
def test_a_sign_in_after_five_failures_is_told(ada, mailbox):
    for _ in range(5):
        sign_in(ada, WRONG)
    sign_in(ada)
    assert subjects(mailbox) == ["A sign-in after several failures"]


@one_client
def test_a_sign_in_after_four_failures_is_not(ada, mailbox):
    for _ in range(4):
        sign_in(ada, WRONG)
    sign_in(ada)
    assert subjects(mailbox) == []


@pytest.mark.asvs("6.3.7")
def test_a_changed_password_is_told(ada, mailbox):
    ada.login("ada")
    ada.post("/auth/password/change", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    assert subjects(mailbox)[-1] == "Your password was changed"


@pytest.mark.asvs("6.3.7")
def test_a_reset_password_is_told(ada, mailbox):
    RESET.redeem(ada, token=RESET.letter(ada, mailbox).token)
    assert subjects(mailbox)[-1] == "Your password was changed"


@pytest.mark.asvs("6.3.7")
def test_a_changed_username_is_told(ada, mailbox):
    ada.login("ada")
    ada.post("/auth/username/change", {"username": "lovelace"})
    assert subjects(mailbox)[-1] == "Your username was changed"
    assert "It is now lovelace." in " ".join(mailbox.last().text.split())


@pytest.fixture
def with_a_factor(ada, mailbox):
    """Ada has verified her address and set up an app; its recovery codes."""
    VERIFY.redeem(ada, token=mailbox.all()[0].token)
    ada.login("ada")
    secret = ada.post("/auth/mfa/totp/enroll").json["secret"]
    return ada.post("/auth/mfa/totp/confirm", {"code": pyotp.TOTP(secret).now()}).json["recovery_codes"]


@pytest.mark.asvs("6.3.7")
def test_a_new_factor_is_told(ada, with_a_factor, mailbox):
    assert "A way to sign in was added" in subjects(mailbox)


@pytest.mark.asvs("6.3.7")
def test_a_removed_factor_is_told(ada, with_a_factor, mailbox):
    fresh = {"password": PASSWORD, "method": "recovery_code", "code": with_a_factor[0]}
    assert ada.post("/auth/reauthenticate", fresh).status == 200
    assert ada.delete("/auth/mfa/totp").status == 204
    assert subjects(mailbox)[-1] == "A way to sign in was removed"


@pytest.mark.asvs("6.3.7")
def test_a_new_name_of_a_passkey_is_told_once_an_hour(ada, mailbox, clock):
    VERIFY.redeem(ada, token=mailbox.all()[0].token)
    ada.login("ada")
    credential = Authenticator().create(ada.post("/auth/passkeys/register/options").json)
    number = ada.post("/auth/passkeys/register/verify", {"credential": credential, "name": "Laptop"}).json["id"]
    for name in ("Work", "Home"):
        assert ada.patch(f"/auth/passkeys/{number}", {"name": name}).status == 200
        assert subjects(mailbox).count("A passkey has another name") == 1
    clock.shift(3601)
    ada.refresh()
    ada.patch(f"/auth/passkeys/{number}", {"name": "Work"})
    assert subjects(mailbox).count("A passkey has another name") == 2


@pytest.mark.asvs("6.3.5")
def test_a_wrong_second_factor_after_a_right_password_is_told(ada, with_a_factor, mailbox):
    token = ada.another().login("ada").json["mfa_token"]
    ada.another().post("/auth/mfa/verify", {"mfa_token": token, "method": "totp", "code": "000000"})
    assert subjects(mailbox)[-1] == "A wrong second factor"


def test_a_replayed_token_is_told(make_client):
    client = make_client(REFRESH_GRACE_SECONDS=0).signed_in("ada")
    thief = client.copy()
    client.refresh()
    thief.refresh()
    assert subjects(Mailbox(client.wire.app))[-1] == "A session was ended for your safety"


@one_client
def test_a_lockout_is_told_once(ada, mailbox):
    for _ in range(15):
        sign_in(ada, WRONG)
    assert subjects(mailbox) == ["Too many attempts at your account"]


@one_client
def test_a_lockout_by_guesses_under_two_names_is_told(ada, mailbox):
    for name in ("ada", "ada@example.org"):
        for _ in range(5):
            ada.another().login(name, "Wrong-Anvil-Crater-59")
    assert ada.another().login("ada").code == "invalid_credentials"
    assert mailbox.last().subject == "Too many attempts at your account"


def test_what_strangers_can_bring_about_is_told_at_most_once_an_hour(ada, mailbox, clock):
    for _ in range(3):
        for _ in range(11):
            sign_in(ada, WRONG)
        clock.shift(301)
        mailbox.work()
    assert subjects(mailbox) == ["Too many attempts at your account"]
    clock.shift(3600)
    for _ in range(11):
        sign_in(ada, WRONG)
    assert len(subjects(mailbox)) == 2


@one_client
def test_nobody_is_told_of_names_that_nobody_has(ada, mailbox):
    for _ in range(11):
        ada.another().login("nobody", WRONG)
    assert subjects(mailbox) == []


def test_every_notice_says_how_to_say_that_it_was_not_me(ada, mailbox):
    sign_in(ada, user_agent=EDGE)
    letter = mailbox.last()
    assert "Edge on Windows" in letter.text
    assert ada.another().post("/auth/not-me", {"token": letter.token}).status == 200
    assert sign_in(ada).code == "password_reset_required"


def test_a_sign_in_waits_for_no_notice(ada, mailbox, statements):
    with statements() as usual:
        sign_in(ada)
    with statements() as new:
        sign_in(ada, user_agent=EDGE)
    assert usual == new
    assert not [statement for statement in new if "letters" in statement]


@one_client
def test_notices_are_written_once_by_however_many_workers(ada, app, race):
    sign_in(ada, user_agent=EDGE)

    def work(_number):
        with app.app_context():
            audit.seal()
            while notices.write():
                pass
            database.end()

    race(8, work)
    assert len(rows(app, Letter, Letter.template == "new_device")) == 1


@one_client
def test_a_worker_that_fails_midway_has_written_nothing_and_the_next_one_writes_all(ada, app, mailbox, monkeypatch):
    sign_in(ada, user_agent=EDGE)
    with app.app_context(), monkeypatch.context() as patch:
        audit.seal()
        patch.setattr(links, "send_way_back", _fail)
        with pytest.raises(ZeroDivisionError):
            notices.write()
        database.end()
    assert subjects(mailbox) == ["A sign-in from a new device"]


def _fail(*_what, **_more):
    raise ZeroDivisionError


@pytest.mark.parametrize("template", sorted({*filter(lambda name: isinstance(name, str), notices.TEMPLATES.values())}))
def test_every_notice_has_its_letter(template):
    assert template in letters.templates()
