"""Figures for Prometheus: what is counted, over all workers, and who may read it."""

import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from auth import metrics
from tests.support.marks import one_client, one_database
from tests.support.run import ROOT

TOKEN = "f4-9Qx7LzP5tRf7Y"


def figures(client, **options):
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(client.get("/metrics", **options).text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples
    }


def of(found, name, /, **labels):
    """One sample; 0 when it was never counted."""
    return found.get((name, *sorted(labels.items())), 0)


@pytest.fixture
def grown(client):
    """By how much a figure grows while something is done."""

    def measure(act, name, /, **labels):
        before = of(figures(client.another()), name, **labels)
        act()
        return of(figures(client.another()), name, **labels) - before

    return measure


def test_the_answer_is_the_text_format_of_prometheus(client):
    answer = client.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert answer.headers["Cache-Control"] == "no-store"


def test_answers_are_counted_by_route_and_status(client, grown):
    client.signed_in("ada")
    labels = {"method": "GET", "route": "/auth/protected", "status": "200"}
    assert grown(lambda: [client.get("/auth/protected") for _ in range(3)], "gatehouse_requests_total", **labels) == 3


def test_a_path_with_an_id_is_counted_under_its_rule(client, grown):
    client.signed_in("ada")
    labels = {"method": "DELETE", "route": "/auth/sessions/<session_id>", "status": "404"}
    assert grown(lambda: client.delete("/auth/sessions/nothing"), "gatehouse_requests_total", **labels) == 1


def test_what_a_client_makes_up_is_no_label(client, grown):
    labels = {"method": "GET", "route": "unknown", "status": "404"}
    assert grown(lambda: client.get("/made-up-by-a-client"), "gatehouse_requests_total", **labels) == 1
    assert "made-up" not in client.get("/metrics").text


@one_database
@one_client
def test_methods_that_a_client_makes_up_are_counted_as_one(client, grown):
    def knock():
        for number in range(20):
            client.request(f"M{number:05}", "/auth/me")

    kept = len(metrics._answered)
    assert grown(knock, "gatehouse_requests_total", method="other", route="unknown", status="405") == 20
    assert "M000" not in client.get("/metrics").text
    assert len(metrics._answered) <= kept + 3


def test_sign_ins_are_counted_by_their_outcome(client, grown):
    client.register("ada")
    assert grown(lambda: client.login("ada"), "gatehouse_events_total", name="login.succeeded") == 1
    assert grown(lambda: client.login("ada", "wrong"), "gatehouse_events_total", name="login.failed") == 1


def test_refusals_are_counted_by_their_code(client, grown):
    assert grown(lambda: client.get("/auth/me"), "gatehouse_refusals_total", code="token_missing") == 1


def test_hashes_are_counted_and_none_waits_in_the_end(client, grown):
    client.register("ada")
    assert grown(lambda: client.login("ada"), "gatehouse_hashes_total", outcome="done") == 1
    assert of(figures(client), "gatehouse_hashing", state="waiting") == 0


@pytest.mark.asvs("16.2.5")
def test_no_figure_tells_of_a_person(client):
    client.signed_in("ada")
    client.login("nobody@example.org", "wrong")
    assert not any(word in client.get("/metrics").text for word in ("ada", "nobody", "127.0.0.1"))


def test_all_workers_count_together(live_server, race):
    server = live_server()
    server.client().register("ada")
    race(20, lambda _: server.client().get("/auth/me"))
    counted = [of(figures(server.client()), "gatehouse_refusals_total", code="token_missing") for _ in range(6)]
    assert counted == [20] * 6


@one_database
@pytest.mark.asvs("13.4.5")
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "10.0.0.1"])
def test_from_another_machine_the_figures_are_not_there(client, address):
    client.address = address
    answer = client.get("/metrics")
    assert (answer.status, answer.code) == (404, "not_found")


@one_database
@pytest.mark.asvs("13.4.5")
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_through_a_proxy_on_this_machine_the_figures_are_not_there(client, header):
    assert client.get("/metrics", headers={header: "192.0.2.1"}).status == 404


@one_database
@one_client
@pytest.mark.asvs("13.4.5")
@pytest.mark.parametrize(
    ("sent", "status"), [(f"Bearer {TOKEN}", 200), ("Bearer wrong", 404), (TOKEN, 404), (None, 404)]
)
def test_with_a_token_whoever_has_it_reads_them_from_anywhere(make_client, sent, status):
    client = make_client(METRICS_TOKEN=TOKEN)
    assert client.get("/metrics", headers={"Authorization": sent}).status == status
    client.address = "192.0.2.1"
    assert client.get("/metrics", headers={"Authorization": sent, "X-Forwarded-For": "192.0.2.2"}).status == status


COUNTING = """
from auth import metrics
metrics.hashing.labels("waiting").inc()
metrics.hashes.labels("done").inc()
print("counted", flush=True)
input()
"""


def test_a_worker_that_has_ended_leaves_its_counts_and_takes_its_gauges(tmp_path, monkeypatch):
    monkeypatch.setenv(metrics.FOLDER, str(tmp_path))
    command = [sys.executable, "-c", COUNTING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as worker:
        assert worker.stdout.readline() == b"counted\n"
        assert 'gatehouse_hashing{state="waiting"} 1.0' in metrics.exposed().decode()
    exposed = metrics.exposed().decode()
    assert 'gatehouse_hashing{state="waiting"}' not in exposed
    assert 'gatehouse_hashes_total{outcome="done"} 1.0' in exposed
