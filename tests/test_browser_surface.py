"""What a browser sees: the same protective headers on every answer, exact origins, and bodies that are only JSON."""

import pytest

from tests.support.clients import PASSWORD

GOOD, EVIL = "https://app.example.com", "https://evil.example"
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

ANSWERS = {
    "200": lambda client: client.get("/healthz"),
    "204": lambda client: client.signed_in().get("/auth/verify"),
    "304": lambda client: client.get(
        "/.well-known/jwks.json", headers={"If-None-Match": client.get("/.well-known/jwks.json").headers["ETag"]}
    ),
    "400": lambda client: client.post("/auth/login", {}),
    "401": lambda client: client.get("/auth/me"),
    "404": lambda client: client.get("/nothing/here"),
    "405": lambda client: client.get("/auth/login"),
    "413": lambda client: client.post("/auth/login", data=b" " * 70_000),
    "415": lambda client: client.post("/auth/login", data=b"a=b", headers={"Content-Type": "text/plain"}),
}
one_client = pytest.mark.parametrize("client_kind", ["bearer"], indirect=True)
every_answer = pytest.mark.parametrize("status", ANSWERS)


@pytest.mark.asvs("3.2.1", "3.4.3", "3.4.4", "3.4.5", "3.4.6", "3.5.8")
@every_answer
def test_every_answer_carries_the_security_headers(bearer, status):
    answer = ANSWERS[status](bearer)
    assert answer.status == int(status)
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    policy = answer.headers["Content-Security-Policy"]
    assert all(part in policy for part in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"))
    assert len(answer.headers["X-Request-Id"]) == 24


@pytest.mark.asvs("16.5.1", "16.5.4", "13.4.2")
def test_an_unexpected_error_tells_nothing_and_carries_the_headers(app, bearer, monkeypatch, caplog):
    def broken() -> None:
        raise RuntimeError("secret detail of " + PASSWORD)

    monkeypatch.setitem(app.view_functions, "operations.healthz", broken)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    answer = bearer.get("/healthz")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "secret detail" not in answer.text
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert bearer.get("/readyz").status == 200


@pytest.mark.asvs("3.4.1")
@every_answer
@one_client
def test_behind_https_every_answer_asks_for_https_from_now_on(make_client, status):
    answer = ANSWERS[status](make_client(PUBLIC_URL="https://auth.example.com"))
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


@pytest.mark.asvs("3.4.2")
@pytest.mark.parametrize(
    "origin", [EVIL, "null", "https://sub.app.example.com", GOOD + ".evil.example", "http://app.example.com"]
)
@one_client
def test_no_other_origin_may_read_an_answer(make_client, origin):
    answer = make_client(CORS_ORIGINS=GOOD).get("/healthz", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.asvs("3.4.2")
@one_client
def test_an_allowed_origin_is_echoed_exactly(make_client):
    answer = make_client(CORS_ORIGINS=GOOD).get("/healthz", headers={"Origin": GOOD})
    assert answer.headers["Access-Control-Allow-Origin"] == GOOD
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"


@one_client
def test_a_preflight_of_an_allowed_origin_is_answered(make_client):
    headers = {
        "Origin": GOOD,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-csrf-token",
    }
    answer = make_client(CORS_ORIGINS=GOOD).request("OPTIONS", "/auth/login", headers=headers)
    assert answer.status == 200
    assert "X-CSRF-Token" in answer.headers["Access-Control-Allow-Headers"]


def test_without_allowed_origins_nothing_is_said_about_them(bearer):
    assert "Access-Control-Allow-Origin" not in bearer.get("/healthz", headers={"Origin": GOOD}).headers


@pytest.mark.asvs("3.5.6", "1.2.3", "4.1.1")
def test_there_is_no_jsonp(bearer):
    plain, asked = bearer.get("/healthz"), bearer.get("/healthz?callback=steal")
    assert plain.data == asked.data
    assert asked.headers["Content-Type"] == "application/json"


@pytest.mark.asvs("4.1.1")
@pytest.mark.parametrize("status", ["400", "401", "404", "405", "413", "415"])
def test_every_refusal_is_a_problem_document(bearer, status):
    answer = ANSWERS[status](bearer)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json["status"], answer.json["message"]) == (int(status), answer.json["detail"])
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.asvs("3.5.2")
@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_only_json_is_read(bearer, media_type):
    body = b'{"username": "ada", "email": "ada@example.org", "password": "Tulip-Anvil-Crater-59"}'
    assert bearer.post("/auth/register", data=body, headers={"Content-Type": media_type}).status == 415
    assert bearer.login().code == "invalid_credentials"


@pytest.mark.asvs("3.5.3", "4.1.4", "13.4.4")
@pytest.mark.parametrize("method", ["TRACE", "PUT", "PATCH", "DELETE", "GET"])
def test_another_verb_is_refused_and_told_which_are_there(bearer, method):
    answer = bearer.request(method, "/auth/login", headers={"X-HTTP-Method-Override": "POST"})
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
@pytest.mark.parametrize("client_kind", ["cookie"], indirect=True)
def test_over_https_every_cookie_is_guarded(make_client):
    client = make_client(PUBLIC_URL="https://auth.example.com")
    client.register()
    answer = client.login()
    cookies = answer.set_cookies
    assert {"__Host-access_token", "__Secure-refresh_token"} <= set(cookies)
    for name, line in cookies.items():
        assert "SameSite=Lax" in line
        assert "Domain" not in line
        assert "Secure" in line
        assert ("HttpOnly" in line) == (name != "csrf_token")
    assert client.access_token is None or client.access_token not in answer.text


@pytest.mark.asvs("3.3.5")
def test_a_cookie_with_the_longest_name_fits_a_browser(cookie):
    name = "ж" * 80
    cookie.register(name, "longest@example.org")
    cookies = cookie.login("longest@example.org").set_cookies
    assert all(len(line.partition(";")[0].encode()) <= 4096 for line in cookies.values())
