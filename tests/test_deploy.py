"""What is deployed: the image and the compose file hold to the rules of their kind."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from auth import patience, revocations
from models import db
from tests.support.run import ROOT

PROGRAMS = Path(sys.executable).parent


def _run(*arguments: str) -> str:
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_dockerfile_is_clean():
    assert _run(str(PROGRAMS / "hadolint"), "Dockerfile") == ""


def test_the_compose_file_is_of_the_schema():
    assert _run(str(PROGRAMS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml") == ""


def test_the_image_runs_as_nobody_on_a_read_only_disk_and_tells_its_health():
    image, compose = (ROOT / "Dockerfile").read_text(), (ROOT / "compose.yaml").read_text()
    assert "USER 10001:10001" in image
    assert "HEALTHCHECK" in image
    assert "read_only: true" in compose


def test_the_image_holds_every_file_the_service_imports():
    image = (ROOT / "Dockerfile").read_text()
    assert all(
        f"COPY {name}" in image or f" {name}" in image
        for name in ("app.py", "auth", "migrations", "config.py", "models.py")
    )


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_worker_holds_eight_connections_at_most_and_one_of_them_looks_for_revocations(app):
    with app.app_context():
        revocations.current().refresh()
        pool = db.engine.pool
        assert (pool.size(), pool._max_overflow, pool.checkedout()) == (8, 0, 1)


def test_the_database_of_the_compose_file_admits_two_hosts_of_16_workers_and_40_connections_more():
    admitted = re.search(r"max_connections=\$\{POSTGRES_CONNECTIONS:-(\d+)\}", (ROOT / "compose.yaml").read_text())
    assert int(admitted[1]) >= 2 * 16 * 8 + 40


def test_the_limits_of_time_that_a_pooler_drops_are_documented_for_the_role_as_they_are():
    told = re.findall(r"ALTER ROLE gatehouse SET (\w+) = '?(\w+)'?;", (ROOT / "docs/scaling.md").read_text())
    assert told == re.findall(r"-c (\w+)=(\w+)", patience.ARGUMENTS["options"])
