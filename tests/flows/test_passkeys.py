"""Passkeys: registering, signing in by one alone or as the second factor, and whatever is not in order is refused."""

import pytest
from sqlalchemy import delete, select, update

from auth import crypto, database
from config import SettingsError, load
from models import AuditEvent, Passkey, User
from tests.support.authenticator import Authenticator, decoded
from tests.support.clients import PASSWORD
from tests.support.factors import App, begin, change_user, read, renew, verified, verify
from tests.support.mailed import NEW_PASSWORD, NOT_ME, RESET
from tests.support.pages import paged


def register(client, authenticator, name="Laptop"):
    """Register a passkey of the client's person."""
    options = client.post("/auth/passkeys/register/options").json
    return client.post("/auth/passkeys/register/verify", {"credential": authenticator.create(options), "name": name})


def sign_in(client, authenticator, **body):
    """Sign in with a passkey, alone or as the second factor of the sign-in that an `mfa_token` stands for."""
    options = client.post("/auth/passkeys/login/options", body).json
    return client.post("/auth/passkeys/login/verify", {"credential": authenticator.get(options), **body})


def step_up(client, authenticator):
    """Prove oneself again with a passkey."""
    options = client.post("/auth/reauthenticate/options").json
    return client.post("/auth/reauthenticate", {"passkey": authenticator.get(options)})


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
def test_a_passkey_alone_signs_in_and_counts_as_two_factors(client, algorithm):
    authenticator = Authenticator(algorithm=algorithm)
    assert register(verified(client), authenticator).status == 201
    other = client.another()
    assert sign_in(other, authenticator).status == 200
    claims = other.get("/auth/protected").json
    assert (claims["logged_in_as"], claims["amr"], claims["acr"]) == ("ada", ["pop", "user", "mfa"], "aal2")


def test_it_is_the_second_factor_beside_a_password(client):
    authenticator = Authenticator(verifies=False)
    register(verified(client), authenticator)
    other = client.another()
    answer = other.login()
    assert answer.json["methods"] == ["passkey", "recovery_code"]
    assert sign_in(other, authenticator, mfa_token=answer.json["mfa_token"]).status == 200
    assert other.get("/auth/protected").json["amr"] == ["pwd", "pop", "user", "mfa"]


def test_the_options_of_a_registration_ask_for_what_passkeys_need(client):
    options = verified(client).post("/auth/passkeys/register/options").json
    assert options["rp"] == {"id": "localhost", "name": "Gatehouse"}
    assert options["user"]["name"] == "ada"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["attestation"] == "none"
    assert [kind["alg"] for kind in options["pubKeyCredParams"]] == [-8, -7, -257]


def test_the_options_of_a_sign_in_name_nobody_and_want_the_person_verified(client):
    options = client.post("/auth/passkeys/login/options").json
    assert options["allowCredentials"] == []
    assert options["userVerification"] == "required"
    assert options["rpId"] == "localhost"


def test_the_settings_name_the_domain_and_its_pages(make_client):
    origins = "https://app.example.com,https://example.com"
    client = verified(make_client(RP_ID="example.com", PASSKEY_ORIGINS=origins))
    assert client.post("/auth/passkeys/login/options").json["rpId"] == "example.com"
    assert register(client, Authenticator(origin="https://other.example.com")).code == "passkey_invalid"
    assert register(client, Authenticator(origin="https://app.example.com")).status == 201


@pytest.mark.parametrize(
    "origin", ["https://example.org", "https://notexample.com", "https://example.com.evil.example"]
)
def test_a_page_of_another_domain_stops_the_start(origin):
    with pytest.raises(SettingsError, match="which is not of RP_ID"):
        load({"SECRET_KEY": "k" * 40, "RP_ID": "example.com", "PASSKEY_ORIGINS": origin})


def test_production_refuses_passkeys_on_plain_http():
    with pytest.raises(SettingsError, match=r"PASSKEY_ORIGINS holds .* which is not https"):
        load({"APP_ENV": "production", "RP_ID": "example.com", "PASSKEY_ORIGINS": "http://example.com"})


def test_an_app_is_known_by_its_key():
    origin = "android:apk-key-hash:dGVzdA"
    assert load({"RP_ID": "example.com", "PASSKEY_ORIGINS": origin, "SECRET_KEY": "k"}).ceremony_origins == [origin]


@pytest.mark.asvs("6.7.2")
def test_challenges_are_long_and_never_the_same(client):
    made = {client.post("/auth/passkeys/login/options").json["challenge"] for _ in range(50)}
    assert len(made | {crypto.random_secret() for _ in range(10_000)}) == 10_050
    assert {len(decoded(challenge)) for challenge in made} == {32}


def test_a_known_authenticator_is_excluded(client):
    authenticator = Authenticator()
    register(verified(client), authenticator)
    step_up(client, authenticator)
    excluded = client.post("/auth/passkeys/register/options").json["excludeCredentials"]
    assert excluded[0]["transports"] == ["hybrid", "internal"]
    with pytest.raises(AssertionError, match="InvalidStateError"):
        register(client, authenticator)


def test_several_passkeys_of_a_person_share_the_user_handle(client):
    first, second = Authenticator(), Authenticator(synced=True)
    register(verified(client), first)
    step_up(client, first)
    assert register(client, second, "Phone").status == 201
    assert first.kept[0].user_handle == second.kept[0].user_handle
    assert len(first.kept[0].user_handle) == 86
    assert sign_in(client.another(), second).status == 200


def test_the_list_says_what_a_person_needs_to_know(client):
    authenticator = Authenticator(synced=True)
    register(verified(client), authenticator, "Phone")
    sign_in(client, authenticator)
    (shown,) = client.get("/auth/passkeys").json["items"]
    assert (shown["name"], shown["synced"], shown["backed_up"]) == ("Phone", True, True)
    assert shown["transports"] == ["hybrid", "internal"]
    assert shown["last_used_at"] > shown["created_at"]


def test_pages_hold_every_passkey_once_the_oldest_first(client):
    authenticator = Authenticator()
    register(verified(client), authenticator, "0")
    step_up(client, authenticator)
    for name in ("1", "2", "3", "4"):
        assert register(client, Authenticator(), name).status == 201
    assert [[shown["name"] for shown in page] for page in paged(client, "/auth/passkeys")] == [
        ["0", "1"], ["2", "3"], ["4"],
    ]  # fmt: skip
    assert client.get("/auth/passkeys?limit=5").json["next_cursor"] is None
    assert client.get("/auth/passkeys?cursor=x").json["errors"][0]["field"] == "cursor"


def test_a_passkey_that_is_backed_up_later_says_so(client):
    authenticator = Authenticator(synced=True)
    register(verified(client), authenticator)
    change_passkey(client, backed_up=False)
    sign_in(client, authenticator)
    assert client.get("/auth/passkeys").json["items"][0]["backed_up"] is True


def test_a_passkey_is_renamed(client):
    number = register(verified(client), Authenticator()).json["id"]
    assert client.patch(f"/auth/passkeys/{number}", {"name": "Work"}).json["name"] == "Work"
    assert client.get("/auth/passkeys").json["items"][0]["name"] == "Work"


def test_recovery_codes_come_with_the_first_passkey_only(client):
    first, second = Authenticator(), Authenticator()
    assert len(register(verified(client), first).json["recovery_codes"]) == 10
    step_up(client, first)
    assert register(client, second).json["recovery_codes"] == []


def test_registering_needs_a_verified_address(client):
    assert client.signed_in("ada").post("/auth/passkeys/register/options").code == "email_not_verified"


@pytest.mark.asvs("7.5.1")
def test_registering_and_removing_need_a_fresh_proof(client, clock):
    number = register(verified(client), Authenticator()).json["id"]
    clock.shift(601)
    assert client.post("/auth/passkeys/register/options").code == "fresh_token_required"
    assert client.delete(f"/auth/passkeys/{number}").code == "fresh_token_required"


@pytest.mark.asvs("6.4.4", "6.5.6")
def test_removing_needs_the_passkey_itself_or_a_recovery_code(client):
    authenticator = Authenticator()
    number = register(verified(client), authenticator).json["id"]
    step_up(client, authenticator)
    app = App.enrolled(client)
    renew(client, password=PASSWORD, code=app.code(1))
    assert client.delete(f"/auth/passkeys/{number}").code == "fresh_token_required"
    step_up(client, authenticator)
    assert client.delete(f"/auth/passkeys/{number}").status == 204
    assert sign_in(client.another(), authenticator).code == "code_invalid"


def test_the_last_way_to_sign_in_stays(client):
    authenticator = Authenticator()
    number = register(verified(client), authenticator).json["id"]
    change_user(client, "ada", password_hash="!")
    step_up(client, authenticator)
    answer = client.delete(f"/auth/passkeys/{number}")
    assert (answer.status, answer.code) == (409, "last_factor")
    assert sign_in(client, authenticator).status == 200


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_another_persons_passkey_is_not_there(client, method):
    number = register(verified(client), Authenticator()).json["id"]
    eves = Authenticator()
    eve = verified(client.another(), "eve")
    register(eve, eves)
    step_up(eve, eves)
    body = {"name": "Mine"} if method == "patch" else {}
    assert getattr(eve, method)(f"/auth/passkeys/{number}", body).status == 404


def test_a_step_up_with_a_passkey_is_fresh_by_both_factors(client, clock):
    authenticator = Authenticator()
    register(verified(client), authenticator)
    clock.shift(700)
    assert step_up(client, authenticator).status == 200
    assert client.post("/auth/mfa/recovery-codes").status == 200


def test_where_there_is_no_such_passkey_no_other_proof_is_asked_for(client):
    app = App.enrolled(verified(client))
    renew(client, code=app.code(1))
    register(eve := verified(client.another(), "eve"), Authenticator())
    for number in (9, eve.get("/auth/passkeys").json["items"][0]["id"]):
        answer = client.delete(f"/auth/passkeys/{number}")
        assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("change", "code"),
    [("disabled_at", "account_disabled"), ("reset_forced_at", "password_reset_required")],
)
def test_what_an_account_may_do_is_asked_here_too(client, change, code):
    authenticator = Authenticator()
    register(verified(client), authenticator)
    change_user(client, "ada", **{change: User.created_at})
    assert sign_in(client.another(), authenticator).code == code


@pytest.mark.asvs("6.5.1", "6.7.2", "2.3.4")
def test_fifty_answers_to_one_challenge_make_one_session(client, race):
    authenticator = Authenticator()
    register(verified(client), authenticator)
    answer = authenticator.get(client.post("/auth/passkeys/login/options").json)
    answers = race(50, lambda _: client.another().post("/auth/passkeys/login/verify", {"credential": answer}))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    assert set(statuses) == {200, 401}


@pytest.mark.asvs("6.7.2")
def test_fifty_registrations_with_one_challenge_make_one_passkey(client, race):
    credential = Authenticator().create(verified(client).post("/auth/passkeys/register/options").json)
    body = {"credential": credential, "name": "Laptop"}
    answers = race(50, lambda _: client.copy().post("/auth/passkeys/register/verify", body))
    statuses = [answer.status for answer in answers]
    assert statuses.count(201) == 1
    assert len(client.get("/auth/passkeys").json["items"]) == 1


def test_five_wrong_assertions_end_a_half_finished_sign_in(client):
    authenticator, foreign = Authenticator(), Authenticator()
    register(verified(client), authenticator)
    register(verified(client.another(), "eve"), foreign)
    other = client.another()
    mfa_token = begin(other)
    for _ in range(5):
        options = other.post("/auth/passkeys/login/options", {"mfa_token": mfa_token}).json
        body = {"credential": foreign.get(options, use=foreign.kept[0]), "mfa_token": mfa_token}
        assert other.post("/auth/passkeys/login/verify", body).code == "code_invalid"
    assert sign_in(other, authenticator, mfa_token=mfa_token).code == "code_invalid"


def test_a_recovery_code_stands_in_for_a_lost_passkey(client):
    codes = register(verified(client), Authenticator()).json["recovery_codes"]
    other = client.another()
    assert verify(other, begin(other), codes[0], "recovery_code").status == 200
    (shown,) = other.get("/auth/passkeys").json["items"]
    assert other.delete(f"/auth/passkeys/{shown['id']}").status == 204
    assert other.get("/auth/me").json["mfa"] is False


@pytest.mark.asvs("6.7.1")
def test_a_credential_belongs_to_one_person_in_the_database_itself(client):
    register(verified(client), Authenticator())
    assert Passkey.__table__.c.credential_id.unique


def test_every_change_is_an_event(client):
    authenticator = Authenticator()
    number = register(verified(client), authenticator).json["id"]
    client.patch(f"/auth/passkeys/{number}", {"name": "Work"})
    client.patch(f"/auth/passkeys/{number + 1}", {"name": "Nobody's"})
    step_up(client, authenticator)
    client.delete(f"/auth/passkeys/{number}")
    events = read(client, select(AuditEvent.name, AuditEvent.data).order_by(AuditEvent.id)).all()
    assert ("factor.added", {"kind": "passkey"}) in events
    assert events.count(("factor.renamed", {"kind": "passkey"})) == 1
    assert ("factor.removed", {"kind": "passkey"}) in events


@pytest.fixture
def theirs(client, mailbox):
    """The passkey that a stranger added in ada's session; she has said of the notice "not me" and has a new password.

    The client is a device on which nobody is signed in.
    """
    thief, authenticator = verified(client).copy(), Authenticator()
    assert register(thief, authenticator).status == 201
    notice = next(letter for letter in mailbox.all() if letter.subject == "A way to sign in was added")
    assert NOT_ME.redeem(client, token=notice.token).status == 200
    assert RESET.redeem(client, token=mailbox.last("ada@example.org").token).status == 200
    return authenticator


@pytest.mark.asvs("6.3.7", "7.4.3")
def test_a_disowned_passkey_is_answered_alone_like_one_that_nobody_has(client, theirs):
    answer, unknown = sign_in(client.another(), theirs), Authenticator()
    register(verified(client.another(), "eve"), unknown)
    with client.wire.app.app_context(), database.apart():
        database.execute(delete(Passkey).where(Passkey.credential_id == unknown.kept[0].id))
    nobodys = sign_in(client.another(), unknown)
    assert (answer.status, answer.code) == (nobodys.status, nobodys.code) == (401, "code_invalid")
    assert answer.json | {"request_id": ""} == nobodys.json | {"request_id": ""}


def test_a_disowned_passkey_stays_a_second_factor_beside_the_new_password(client, theirs):
    other = client.another()
    half = other.login("ada", NEW_PASSWORD)
    assert (half.code, half.json["methods"][0]) == ("mfa_required", "passkey")
    assert sign_in(other, theirs, mfa_token=half.json["mfa_token"]).status == 200
    assert step_up(other, Authenticator(kept=theirs.kept)).code == "code_invalid"


def test_its_owner_sees_and_removes_a_disowned_passkey(client, theirs):
    other = client.another()
    sign_in(other, theirs, mfa_token=other.login("ada", NEW_PASSWORD).json["mfa_token"])
    (shown,) = other.get("/auth/passkeys").json["items"]
    assert shown["disowned_at"] > shown["created_at"]
    assert other.delete(f"/auth/passkeys/{shown['id']}").status == 204
    assert other.get("/auth/passkeys").json["items"] == []


def test_a_passkey_from_before_the_notice_still_signs_in_alone(client, mailbox, clock):
    mine = Authenticator()
    register(verified(client), mine)
    clock.shift(3600)
    assert sign_in(client, mine).status == 200
    assert client.post("/auth/username/change", {"username": "lovelace"}).status == 200
    notice = mailbox.last("ada@example.org")
    assert notice.subject == "Your username was changed"
    assert NOT_ME.redeem(client, token=notice.token).status == 200
    RESET.redeem(client, token=mailbox.last("ada@example.org").token)
    assert sign_in(client.another(), mine).status == 200


def change_passkey(client, **values):
    """Change the passkeys behind the service's back."""
    with client.wire.app.app_context(), database.apart():
        database.execute(update(Passkey).values(values))
