"""Tokens in cookies: what they look like, and that no foreign page can use them."""

from http.cookies import SimpleCookie

import pytest

from tests.support.marks import one_database

HTTPS = {"PUBLIC_URL": "https://auth.example.org", "FRONTEND_URL": "https://app.example.org"}
UNSAFE = [
    ("POST", "/auth/logout"),
    ("POST", "/auth/logout-all"),
    ("POST", "/auth/refresh"),
    ("DELETE", "/auth/sessions/x"),
]


@pytest.fixture
def page(cookie):
    """Ada's browser."""
    return cookie.signed_in("ada")


def cookies_of(answer):
    """The cookies that an answer sets, by name."""
    return {name: SimpleCookie(line)[name] for name, line in answer.set_cookies.items()}


def login_over_https(make_client):
    client = make_client(**HTTPS)
    client.register("ada")
    return client, client.login("ada")


only_by_cookie = pytest.mark.parametrize("client_kind", ["cookie"], indirect=True)


@only_by_cookie
@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4")
def test_over_https_names_and_attributes_are_the_strictest(make_client):
    client, answer = login_over_https(make_client)
    cookies = cookies_of(answer)
    assert cookies.keys() == {"__Host-access_token", "__Secure-refresh_token", "csrf_token", "__Host-device"}
    assert all(cookie["secure"] and cookie["samesite"] == "Lax" and not cookie["domain"] for cookie in cookies.values())
    assert [bool(cookie["httponly"]) for cookie in cookies.values()] == [True, True, False, True]
    assert [cookie["path"] for cookie in cookies.values()] == ["/", "/auth", "/", "/"]
    assert client.get("/auth/protected").status == 200


@only_by_cookie
def test_over_https_every_flow_works_with_the_prefixed_names(make_client):
    client, _ = login_over_https(make_client)
    assert client.refresh().status == 200
    assert client.get("/auth/protected").status == 200
    answer = client.logout()
    assert answer.status == 200
    assert {name: cookie.value for name, cookie in cookies_of(answer).items()} == {
        "__Host-access_token": "",
        "__Secure-refresh_token": "",
        "csrf_token": "",
    }


@only_by_cookie
def test_over_https_a_name_without_prefix_is_not_taken(make_client):
    client, _ = login_over_https(make_client)
    headers = {"Cookie": f"access_token={client.access_token}"}
    assert client.get("/auth/protected", headers=headers).code == "token_missing"


def test_in_development_the_names_have_no_prefix_and_plain_http_works(cookie):
    cookie.register("ada")
    cookies = cookies_of(cookie.login("ada"))
    assert cookies.keys() == {"access_token", "refresh_token", "csrf_token", "device"}
    assert not any(cookie["secure"] for cookie in cookies.values())
    assert [bool(cookie["httponly"]) for cookie in cookies.values()] == [True, True, False, True]


def test_cookies_live_as_long_as_the_session(cookie):
    cookie.register("ada")
    answer = cookie.login("ada")
    cookies = cookies_of(answer)
    assert int(cookies.pop("device")["max-age"]) > answer.json["refresh_expires_in"]
    assert {cookie["max-age"] for cookie in cookies.values()} == {str(answer.json["refresh_expires_in"])}


@pytest.mark.asvs("3.3.4")
def test_the_body_carries_the_csrf_token_in_place_of_the_tokens(cookie):
    cookie.register("ada")
    answer = cookie.login("ada")
    assert answer.json.keys() == {"csrf_token", "token_type", "expires_in", "refresh_expires_in", "session_id"}
    assert answer.json["csrf_token"] == cookie.cookies.get("csrf_token")
    assert cookie.access_token not in answer.text
    assert cookie.refresh_token not in answer.text


def test_the_refresh_cookie_goes_to_this_service_alone(page):
    assert "refresh_token" in page.cookies.header("/auth/refresh")
    assert "refresh_token" not in page.cookies.header("/")
    assert "refresh_token" not in page.cookies.header("/authority")


def test_who_asks_for_no_cookies_gets_none(bearer):
    bearer.register("ada")
    assert bearer.login("ada").set_cookies == {}
    assert bearer.refresh().set_cookies == {}


@pytest.mark.parametrize("value", ["Cookie", "COOKIE"])
def test_the_transport_is_named_without_case(bearer, value):
    bearer.register("ada")
    body = {"identifier": "ada", "password": "Tulip-Anvil-Crater-59"}
    assert "csrf_token" in bearer.post("/auth/login", body, headers={"X-Auth-Transport": value}).json


def test_a_refresh_by_cookie_answers_by_cookie_although_it_is_not_asked_for(page):
    answer = page.post("/auth/refresh", headers={"X-Auth-Transport": None})
    assert answer.status == 200
    assert "access_token" not in answer.json


# Forged requests


def refused_as_forged(page, **headers):
    """The routes that change something and do not refuse the request with these headers as forged."""
    answers = {path: page.copy().request(method, path, headers=headers) for method, path in UNSAFE}
    return {
        path: answer.code for path, answer in answers.items() if (answer.status, answer.code) != (403, "csrf_failed")
    }


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize("value", [None, "", "x", "0" * 64, "\u00e4"])
def test_without_the_csrf_token_nothing_changes(page, value):
    assert refused_as_forged(page, **{"X-CSRF-Token": value}) == {}
    assert page.get("/auth/protected").status == 200


@pytest.mark.asvs("3.5.1")
def test_the_csrf_token_of_another_person_or_an_older_session_is_none(page):
    foreign = page.another().signed_in("bob").cookies.get("csrf_token")
    older = page.cookies.get("csrf_token")
    page.login("ada")
    assert refused_as_forged(page, **{"X-CSRF-Token": foreign}) == {}
    assert refused_as_forged(page, **{"X-CSRF-Token": older}) == {}


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://127.0.0.1:8001",
        "http://127.0.0.1:8000.evil.example",
        "https://127.0.0.1:8000",
    ],
)
def test_a_page_of_another_origin_changes_nothing(page, origin):
    assert refused_as_forged(page, Origin=origin) == {}
    assert page.get("/auth/protected").status == 200


@pytest.mark.asvs("3.5.1")
def test_without_an_origin_the_browser_must_not_say_that_it_is_another_site(page):
    assert refused_as_forged(page, Origin=None, **{"Sec-Fetch-Site": "cross-site"}) == {}


def test_a_program_that_sends_no_origin_needs_the_csrf_token_only(page):
    headers = {"Origin": None, "Sec-Fetch-Site": None}
    assert page.post("/auth/refresh", headers=headers).status == 200


@one_database
@only_by_cookie
def test_a_page_of_an_origin_that_is_allowed_may_use_the_service(make_client):
    page = make_client(CORS_ORIGINS="https://app.example.org").signed_in("ada")
    headers = {"Origin": "https://app.example.org", "Sec-Fetch-Site": "cross-site"}
    assert page.post("/auth/refresh", headers=headers).status == 200


@pytest.mark.asvs("3.5.1")
@pytest.mark.parametrize("path", ["/auth/login", "/auth/register"])
def test_a_foreign_page_signs_nobody_in_by_cookie(cookie, path):
    cookie.register("ada")
    body = {"identifier": "ada", "password": "Tulip-Anvil-Crater-59"}
    answer = cookie.post(path, body, headers={"Origin": "https://evil.example"})
    assert (answer.status, answer.code, answer.set_cookies) == (403, "csrf_failed", {})


def test_reading_needs_no_csrf_token(page):
    assert page.get("/auth/me", headers={"X-CSRF-Token": None, "Origin": None}).status == 200


def test_a_bearer_token_needs_no_csrf_token_and_wins_over_the_cookie(page, bearer):
    bearer.signed_in("bob")
    headers = {"Authorization": f"Bearer {bearer.access_token}", "X-CSRF-Token": None, "Origin": "https://evil.example"}
    assert page.get("/auth/me", headers=headers).json["username"] == "bob"
    assert page.post("/auth/logout", headers=headers).status == 200
    assert page.get("/auth/protected").status == 200


def test_a_bad_bearer_token_is_not_saved_by_a_good_cookie(page):
    assert page.get("/auth/protected", headers={"Authorization": "Bearer x.y.z"}).code == "token_invalid"


# The end


@pytest.mark.asvs("14.3.1")
@pytest.mark.parametrize("path", ["/auth/logout", "/auth/logout-all"])
def test_a_logout_takes_every_cookie_of_the_session_back(page, path):
    answer = page.post(path)
    assert {name: (cookie.value, cookie["max-age"]) for name, cookie in cookies_of(answer).items()} == {
        "access_token": ("", "0"),
        "refresh_token": ("", "0"),
        "csrf_token": ("", "0"),
    }
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert page.cookies.header("/auth/refresh").partition("=")[0] == "device"


def test_a_logout_that_keeps_the_session_keeps_its_cookies(page):
    assert page.post("/auth/logout-all", {"keep_current": True}).set_cookies == {}
    assert page.get("/auth/protected").status == 200


def test_a_logout_by_bearer_token_touches_no_cookie(bearer):
    answer = bearer.signed_in("ada").logout()
    assert answer.set_cookies == {}
    assert "Clear-Site-Data" not in answer.headers


def test_a_rotation_replaces_both_cookies_and_keeps_the_csrf_token(page):
    before = page.access_token, page.refresh_token, page.cookies.get("csrf_token")
    page.refresh()
    assert page.access_token != before[0]
    assert page.refresh_token != before[1]
    assert page.cookies.get("csrf_token") == before[2]
