"""`make bench`: what it writes by itself, and that it measures what it says. The figures come from running it."""

import pytest

from bench import minting, report
from bench.load import Chain
from bench.report import Findings
from bench.servers import Server
from bench.work import Contender, Sample
from tests.support.clients import BearerClient, InProcess
from tests.support.marks import one_client

BY_HAND = "## What falls short and why\n\n- **The tail.** Threads.\n\n### A part of it\n\nMore.\n"


@pytest.fixture
def findings():
    samples = [Sample(1000.0, 1.0, 2.0, 0.5)]
    return Findings(compared=[Contender("Gatehouse", {0}, {}, dict.fromkeys(report.WORKS, samples))])


def written(findings, folder):
    report.write(findings, folder)
    return (folder / "performance.md").read_text()


def test_what_a_person_has_written_stays_when_the_page_is_written_anew(findings, tmp_path):
    (tmp_path / "performance.md").write_text(f"# Performance\n\nOld.\n\n{BY_HAND}\n## Machine and versions\n\nOld.\n")
    first = written(findings, tmp_path)
    assert BY_HAND in first
    assert "Old." not in first
    assert written(findings, tmp_path) == first


def test_a_new_page_has_a_place_for_what_falls_short(findings, tmp_path):
    page = written(findings, tmp_path)
    assert report.NOTHING_YET in page
    assert "![" in page
    assert (tmp_path / "performance.svg").exists()
    assert "Machine and versions" in page


@one_client
def test_a_token_minted_for_a_measurement_is_a_good_one_that_the_service_has_not_seen(make_client, database, run):
    client = make_client(PUBLIC_URL="http://127.0.0.1:8000").signed_in("ada")
    app = client.wire.app
    chosen = app.extensions["gatehouse.settings"]
    environ = {"DATABASE_URL": database.url, "SECRET_KEY": chosen.secret_key}
    server = Server(0, None, run.folder, {**environ, "INSTANCE_PATH": str(run.new_folder("minting"))})
    tokens = [session.access for session in minting.mint(server, 4)]
    assert len(set(tokens)) == 4
    assert not set(tokens) & app.extensions["gatehouse.keys"].set.verified.keys()
    shown = BearerClient(InProcess(app, client.wire.url))
    for shown.access_token in tokens:
        assert shown.get("/auth/me").json["username"] == "ada"


def test_a_refresh_goes_on_with_the_token_of_the_answer_before():
    chain = Chain("/auth/refresh", "refresh_token", "first", "refresh_token")
    assert b"first" in chain.following(b"")
    assert b"second" in chain.following(b'{"access_token": "a", "refresh_token": "second"}')
