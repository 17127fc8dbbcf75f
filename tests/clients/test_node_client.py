"""gatehouse-verify for Node: its own tests, and the running service."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import node
from tests.support.run import ROOT

# What clients/node/README.md promises.
SEEN_SECONDS = 5


@pytest.fixture(scope="session")
def package(run):
    """A copy of the package with what it needs, installed once in a run; the tree of the repository stays as it is."""

    def install():
        folder = run.new_folder("node")
        shutil.copytree(
            ROOT / "clients/node", folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True
        )
        done = node.run(node.NPM, "ci", "--silent", "--prefer-offline", cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(folder)

    return Path(run.once("node-package", install))


@contextmanager
def verifying(package, *arguments) -> Iterator[subprocess.Popen]:
    """A Node process that verifies a token until it is refused; see live.js."""
    command = [node.NODE, "test/live.js", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=package, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def person(service, fresh_name):
    """Somebody who has just signed in."""
    return service.client().signed_in(fresh_name())


def test_its_own_tests_pass(package):
    done = node.run(node.NPM, "test", cwd=package)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_token_is_verified_without_asking_and_its_logout_is_seen_in_time(package, service, forwarder, person):
    with verifying(package, service.url, forwarder.url, "gatehouse", person.access_token) as process:
        assert json.loads(process.stdout.readline())["sid"] == person.session_id
        assert len(forwarder.asked) < 10
        person.logout()
        ended = time.monotonic()
        process.stdin.write("\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["code"] == "token_revoked"
        assert time.monotonic() - ended < SEEN_SECONDS


@pytest.mark.parametrize("token", ["access_token", "refresh_token"])
def test_a_token_for_another_audience_or_use_is_invalid(package, service, person, token):
    audience = "orders" if token == "access_token" else "gatehouse"
    with verifying(package, service.url, service.url, audience, getattr(person, token)) as process:
        assert json.loads(process.stdout.readline())["code"] == "token_invalid"
