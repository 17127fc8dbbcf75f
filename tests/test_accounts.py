"""What operators do with accounts, by command: disable and enable them, and say which roles people have."""

import pytest

from models import AuditEvent, User, now
from tests.support.clients import PASSWORD
from tests.support.mailed import NEW_PASSWORD
from tests.support.marks import one_client
from tests.support.tables import change, rows

CHANGE = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}


@pytest.fixture
def operate(app):
    """Run a command on accounts; its output."""

    def command(*words):
        said = app.test_cli_runner().invoke(args=["users", *words])
        assert said.exit_code == 0, said.output
        return said.output

    return command


def events_named(app, name):
    return [(row.user_id, row.data) for row in rows(app, AuditEvent, AuditEvent.name == name)]


@pytest.mark.asvs("7.4.2")
def test_whoever_is_disabled_is_out_at_once_everywhere(client, app, operate):
    client.signed_in("ada")
    elsewhere = client.another()
    elsewhere.login("ada")
    assert operate("disable", "ada") == "disabled, sessions ended: 2\n"
    for each in (client, elsewhere):
        assert each.get("/auth/protected").code == "token_revoked"
        assert each.refresh().code == "token_revoked"
    assert client.another().login("ada").code == "account_disabled"
    assert events_named(app, "account.disabled") == [(rows(app, User)[0].id, {})]


def test_nobody_else_is_disabled(client, operate):
    client.signed_in("ada")
    other = client.another().signed_in("bob")
    operate("disable", "ada@example.org")
    assert other.get("/auth/me").status == 200


def test_disabling_twice_keeps_the_first_date(client, app, operate):
    client.signed_in("ada")
    operate("disable", "ada")
    since = rows(app, User)[0].disabled_at
    assert operate("disable", "ada") == "disabled, sessions ended: 0\n"
    assert rows(app, User)[0].disabled_at == since


def test_whoever_is_enabled_signs_in_and_old_sessions_stay_ended(client, app, operate):
    client.signed_in("ada")
    operate("disable", "ada")
    assert operate("enable", "ada") == "enabled\n"
    assert client.get("/auth/protected").code == "token_revoked"
    assert client.another().login("ada").status == 200
    assert events_named(app, "account.enabled") == [(rows(app, User)[0].id, {})]


@one_client
@pytest.mark.parametrize("words", [("disable", "nobody"), ("enable", "nobody"), ("roles", "nobody", "admin")])
def test_there_must_be_such_an_account(client, app, words):
    said = app.test_cli_runner().invoke(args=["users", *words])
    assert (said.exit_code, said.output) == (1, "Error: there is no account nobody\n")


@pytest.mark.asvs("8.3.2")
def test_a_role_that_was_taken_is_lost_with_the_next_request(client, app, operate):
    client.signed_in("ada")
    assert operate("roles", "ada", "admin,editor") == "roles: admin, editor, sessions ended: 1\n"
    client.login("ada")
    assert client.get("/auth/verify").headers["X-Auth-Roles"] == "admin,editor"
    assert operate("roles", "ada@example.org", "editor") == "roles: editor, sessions ended: 1\n"
    assert client.get("/auth/verify").code == "token_revoked"
    assert client.refresh().code == "token_revoked"
    client.login("ada")
    assert client.get("/auth/protected").json["roles"] == client.get("/auth/me").json["roles"] == ["editor"]
    ada = rows(app, User)[0].id
    changes = [(ada, {"roles": ["admin", "editor"]}), (ada, {"roles": ["editor"]})]
    assert events_named(app, "roles.changed") == changes


@one_client
@pytest.mark.parametrize(("given", "roles"), [("", []), (" a , b,,a ", ["a", "b"]), ("x:y.z-1_2", ["x:y.z-1_2"])])
def test_roles_are_separated_by_commas(client, app, operate, given, roles):
    client.signed_in("ada")
    operate("roles", "ada", given)
    assert rows(app, User)[0].roles == roles


@one_client
@pytest.mark.parametrize("given", ["a b", "ä", "a\r\nX-Evil: 1", "a" * 33, ",".join(map(str, range(21)))])
def test_what_fits_no_header_and_no_cookie_is_no_role(client, app, given):
    client.signed_in("ada")
    said = app.test_cli_runner().invoke(args=["users", "roles", "ada", given])
    assert said.exit_code == 2
    assert rows(app, User)[0].roles == []
    assert client.get("/auth/protected").status == 200


@pytest.mark.asvs("3.3.5")
def test_a_cookie_with_the_longest_name_and_every_role_fits_a_browser(cookie, app, operate):
    cookie.register("ж" * 80, "longest@example.org")
    operate("roles", "longest@example.org", ",".join(f"{number:r>32}" for number in range(20)))
    answer = cookie.login("longest@example.org")
    assert answer.status == 200
    assert all(len(line.partition(";")[0].encode()) <= 4096 for line in answer.set_cookies.values())


@pytest.mark.asvs("7.4.2")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/auth/me", None),
        ("GET", "/auth/me/export", None),
        ("POST", "/auth/username/change", {"username": "countess"}),
        ("POST", "/auth/password/change", CHANGE),
        ("POST", "/auth/reauthenticate", {"password": PASSWORD}),
    ],
)
def test_an_account_disabled_by_hand_is_refused_where_it_is_read(client, app, method, path, body):
    client.signed_in("ada")
    change(app, User, User.username == "ada", disabled_at=now())
    answer = client.request(method, path, body) if body else client.request(method, path)
    assert (answer.status, answer.code) == (401, "token_revoked")


@pytest.mark.asvs("7.4.2")
def test_new_tokens_of_a_session_that_goes_on_are_asked_for_at_the_gate_too(client, app):
    client.signed_in("ada")
    change(app, User, User.username == "ada", reset_forced_at=now())
    answer = client.post("/auth/password/change", CHANGE)
    assert (answer.status, answer.code) == (403, "password_reset_required")
    change(app, User, User.username == "ada", reset_forced_at=None)
    assert client.another().login("ada", PASSWORD).status == 200
