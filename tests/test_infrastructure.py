"""What the tests stand on works: clients of both kinds, both databases, real servers, observers, the closed network."""

import smtplib
import socket
import time

import httpx
import pytest

from tests.support.network import NetworkRefused
from tests.support.processes import listens


def test_one_person_registers_signs_in_refreshes_and_signs_out(client):
    client.signed_in("ada")
    assert client.get("/auth/protected").json["logged_in_as"] == "ada"
    first = client.refresh_token
    assert client.refresh().status == 200
    assert client.refresh_token != first
    assert client.logout().status == 200
    assert client.get("/auth/protected").status == 401


@pytest.mark.parametrize("attempt", [1, 2])
def test_every_test_finds_an_empty_database(client, attempt):
    assert client.register("ada").status == 201


def test_an_application_with_other_settings_stands_on_the_same_database(client, make_client):
    client.signed_in("ada")
    assert make_client(ACCESS_TOKEN_SECONDS=60).login("ada").json["expires_in"] == 60


def test_a_copy_of_a_client_keeps_its_session_and_another_has_none(client):
    client.signed_in("ada")
    assert client.copy().get("/auth/protected").status == 200
    assert client.another().get("/auth/protected").status == 401


def test_a_race_runs_all_calls_at_once(client, race):
    answers = race(8, lambda number: client.another().register("ada"))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7


def test_the_clock_moves_on_when_told(client, clock):
    client.signed_in("ada")
    clock.shift(901)
    assert client.get("/auth/protected").code == "token_expired"


def test_statements_and_functions_of_a_call_are_seen(bearer, statements, entered):
    bearer.signed_in("ada")
    with statements() as seen, entered() as ours:
        bearer.get("/auth/me")
    assert any("FROM users" in statement for statement in seen)
    assert "auth/flows/me.py" in ours.files


def test_the_service_runs_as_in_production(service, client_kind, fresh_name):
    client = service.client(client_kind).signed_in(fresh_name())
    assert client.get("/auth/protected").status == 200


def test_a_service_of_ones_own_survives_kill_and_restart(live_server):
    server = live_server()
    client = server.client().signed_in("ada")
    server.kill()
    with pytest.raises(httpx.TransportError):
        client.get("/auth/protected")
    server.start()
    assert client.get("/auth/protected").status == 200


def test_a_postgresql_server_stops_pauses_and_returns(postgres_server):
    server = postgres_server()
    server.execute("CREATE TABLE kept (number integer)")
    server.kill()
    assert not listens(server.port)
    server.start()
    server.pause()
    server.resume()
    server.execute("INSERT INTO kept VALUES (1)")


def test_a_redis_server_stops_and_returns(redis_server):
    server = redis_server()
    server.stop()
    assert not listens(server.port)
    server.start()
    assert listens(server.port)


def test_an_smtp_server_keeps_letters_and_can_refuse_them(smtp_server):
    server = smtp_server()
    with smtplib.SMTP("127.0.0.1", server.port) as connection:
        connection.sendmail("a@example.org", ["b@example.org"], "Subject: kept\r\n\r\nHello")
        server.refusal = "451 later"
        with pytest.raises(smtplib.SMTPDataError):
            connection.sendmail("a@example.org", ["b@example.org"], "Subject: refused\r\n\r\nHello")
    assert [letter["Subject"] for letter in server.wait_for(1)] == ["kept"]


@pytest.mark.parametrize("address", ["192.0.2.1", "auth.example.org"])
def test_no_other_machine_is_reached(address):
    with pytest.raises(NetworkRefused):
        socket.create_connection((address, 80), timeout=1)


def test_time_itself_is_left_alone():
    assert abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 5
