"""On the wire: what is sent to the real server byte by byte, where a proxy might read it in another way."""

import re
import socket
import time
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from tests.support.marks import one_database
from tests.support.processes import wait_until

# A second answer would follow the first at once.
SILENCE = 0.3
HIDDEN = b"GET /healthz?hidden HTTP/1.1\r\nHost: x\r\n\r\n"
LOGIN = b'{"identifier": "nobody", "password": "Wrong-Guess-Of-Mine-1"}'


def head(*lines):
    return b"\r\n".join([b"POST /auth/login HTTP/1.1", b"Host: x", b"Content-Type: application/json", *lines, b"", b""])


CHUNKED = b"Transfer-Encoding: chunked"
# Each of them ends in a request that a server sees only when it has cut the first one off too early.
SMUGGLED = {
    "both lengths, the body ends first": head(b"Content-Length: 60", CHUNKED) + b"0\r\n\r\n" + HIDDEN,
    "both lengths, the chunks end later": head(b"Content-Length: 4", CHUNKED)
    + b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    "two lengths": head(b"Content-Length: 2", b"Content-Length: 49") + b"{}" + HIDDEN,
    "two lengths in one line": head(b"Content-Length: 2, 49") + b"{}" + HIDDEN,
    "a signed length": head(b"Content-Length: +2") + b"{}" + HIDDEN,
    "a hexadecimal length": head(b"Content-Length: 0x2") + b"{}" + HIDDEN,
    "a negative length": head(b"Content-Length: -2") + b"{}" + HIDDEN,
    "an unknown coding": head(b"Transfer-Encoding: xchunked") + b"0\r\n\r\n" + HIDDEN,
    "a coding behind chunked": head(b"Transfer-Encoding: chunked, identity") + b"0\r\n\r\n" + HIDDEN,
    "two codings": head(CHUNKED, b"Transfer-Encoding: identity") + b"0\r\n\r\n" + HIDDEN,
    "a space before the colon": head(b"Transfer-Encoding : chunked") + b"0\r\n\r\n" + HIDDEN,
    "a folded header": head(b"Content-Length: 2", b" 9") + b"{}" + HIDDEN,
    "a bare CR in a header": head(b"Content-Length: 2", b"X-A: b\rTransfer-Encoding: chunked") + b"{}" + HIDDEN,
    "NUL in a header": head(b"Content-Length: 2", b"X-A: b\0c") + b"{}" + HIDDEN,
    "a chunk of no size": head(CHUNKED) + b"\r\n" + HIDDEN,
    "a chunk of a bad size": head(CHUNKED) + b"zz\r\n" + HIDDEN,
    "a chunk of a signed size": head(CHUNKED) + b"+2\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a chunk of a huge size": head(CHUNKED) + b"1" + b"0" * 17 + b"\r\n" + HIDDEN,
    "chunks that end in LF": head(CHUNKED) + b"2\n{}\n0\n\n" + HIDDEN,
    "chunked in an old version": head(CHUNKED).replace(b"1.1", b"1.0") + b"0\r\n\r\n" + HIDDEN,
}


def answered(service, data, expected=2):
    """The statuses that come back until there are so many, the server hangs up, or it has been silent for a while."""
    where = urlsplit(service.url)
    came = b""
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection, suppress(OSError):
        connection.sendall(data)
        while len(statuses(came)) < expected and (part := connection.recv(65536)):
            came += part
            connection.settimeout(SILENCE if len(statuses(came)) == expected - 1 else 10)
    return statuses(came)


def statuses(came):
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", came)]


def is_unavailable(answer):
    return answer if answer.code == "unavailable" else None


@one_database
@pytest.mark.asvs("4.2.1")
@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_of_two_readings_is_refused_and_hides_no_other(service, name):
    assert answered(service, SMUGGLED[name]) in ([], [400], [413], [501])
    assert service.client().get("/healthz").status == 200


@one_database
@pytest.mark.asvs("4.2.1")
def test_lines_that_end_in_lf_are_no_other_request(service):
    """RFC 9112 section 2.2 lets a server read them as lines; they never become a second request."""
    single = head(b"Content-Length: %d" % len(HIDDEN)).replace(b"\r\n", b"\n") + HIDDEN
    assert answered(service, single) == [400]


@one_database
def test_requests_that_follow_each_other_are_answered_in_turn(service):
    chunked = head(CHUNKED) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(LOGIN), LOGIN)
    measured = head(b"Content-Length: %d" % len(LOGIN)) + LOGIN
    assert answered(service, chunked + measured + HIDDEN, 3) == [401, 401, 200]


@one_database
def test_a_refusal_waits_for_the_body_so_that_the_connection_can_be_used_again(service):
    """Many clients send the body in a second packet; an answer before it would have the connection closed unasked."""
    where = urlsplit(service.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(head(b"Content-Length: 2").replace(b"/auth/login", b"/nothing"))
        connection.settimeout(SILENCE)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(10)
        connection.sendall(b"{}")
        assert statuses(connection.recv(65536)) == [404]
        connection.sendall(HIDDEN)
        assert statuses(connection.recv(65536)) == [200]


@pytest.mark.asvs("15.4.4")
def test_bodies_that_never_come_hold_no_connection_of_the_database(live_server):
    service = live_server(WORKERS=1, RATE_LIMITS="on")
    client = service.client().signed_in("ada")
    address = urlsplit(service.url)
    with ExitStack() as opened:
        for _ in range(10):
            stalled = opened.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))
            stalled.sendall(head(b"Content-Length: 60") + b"{")
        time.sleep(SILENCE)
        asked = ("/readyz", "/auth/me", "/auth/protected", "/.well-known/revocations")
        assert {path: client.get(path).status for path in asked} == dict.fromkeys(asked, 200)
        assert client.refresh().status == 200


@one_database
@pytest.mark.asvs("15.4.4")
def test_bodies_that_never_come_leave_the_other_requests_their_threads(live_server):
    service = live_server(WORKERS=1, THREADS=16)
    address = urlsplit(service.url)
    stalled = [socket.create_connection((address.hostname, address.port), timeout=10) for _ in range(40)]
    try:
        for connection in stalled:
            connection.sendall(head(b"Content-Length: 60") + b"{")
        assert service.client().get("/healthz").status == 200
        assert service.client().get("/auth/protected").code == "token_missing"
        full = wait_until(lambda: is_unavailable(service.client().login()), "the places to read are taken")
        assert full.headers["Connection"] == "close"
    finally:
        for connection in stalled:
            connection.close()
    wait_until(lambda: service.client().login().code == "invalid_credentials", "the places are free again")
