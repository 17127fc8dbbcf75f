"""Where https is promised, nothing is served over plain http, and nothing leads there by a redirect."""

import pytest

from tests.support.crawl import Crawl
from tests.support.marks import one_client, one_database

pytestmark = [one_database, one_client]
HTTPS = "https://auth.example.com"


def behind(make_client, hops=1):
    return make_client(PUBLIC_URL=HTTPS, TRUSTED_PROXIES=hops)


@pytest.mark.asvs("4.1.2", "12.2.1")
def test_every_route_refuses_plain_http_without_a_redirect(make_client):
    client = behind(make_client)
    before = Crawl(client).snapshot()
    for route in Crawl(client).routes:
        answer = client.request(route.method, route.url, route.body or {}, headers={"X-Forwarded-Proto": "http"})
        assert (answer.status, answer.code) == (403, "https_required"), route.name
        assert "Location" not in answer.headers
        assert "Strict-Transport-Security" in answer.headers
    assert client.get("/nothing/here", headers={"X-Forwarded-Proto": "http"}).status == 403
    assert Crawl(client).snapshot() == before


@pytest.mark.asvs("4.1.2")
@pytest.mark.parametrize(
    ("hops", "told", "status"),
    [
        (1, "https", 200), (1, "HTTPS", 200), (1, "", 200), (1, "http, https", 200), (2, "https, http", 200),
        (1, "https, http", 403), (1, "HTTP", 403), (2, "http", 403), (2, "http, https", 403),
        (2, "https, http, x", 403),
    ],
)  # fmt: skip
def test_what_counts_is_how_the_outermost_proxy_was_asked(make_client, hops, told, status):
    assert behind(make_client, hops).get("/healthz", headers={"X-Forwarded-Proto": told}).status == status


@pytest.mark.asvs("4.1.3")
@pytest.mark.parametrize("settings", [{}, {"PUBLIC_URL": HTTPS}, {"TRUSTED_PROXIES": 1}])
def test_the_header_means_nothing_where_no_proxy_is_trusted_or_no_https_promised(make_client, settings):
    assert make_client(**settings).get("/healthz", headers={"X-Forwarded-Proto": "http"}).status == 200
