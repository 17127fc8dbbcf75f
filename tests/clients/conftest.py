"""Fixtures for the client packages: a twin of the service, and verifiers that end with their test."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from gatehouse_verify import Verifier

from tests.clients.twin import Twin


@pytest.fixture
def twin() -> Iterator[Twin]:
    with Twin() as twin:
        yield twin


@pytest.fixture
def make_verifier(twin: Twin) -> Iterator[Callable[..., Verifier]]:
    """Make verifiers of the twin that look every 50 ms; any setting can be given."""
    with ExitStack() as ending:
        yield lambda **given: ending.enter_context(Verifier(**({"issuer": twin.url, "poll_seconds": 0.05} | given)))


@pytest.fixture
def verifier(make_verifier: Callable[..., Verifier]) -> Verifier:
    return make_verifier()


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], None]:
    """Wait until a condition holds, for at most 30 seconds."""

    def wait(condition: Callable[[], Any]) -> None:
        ends = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < ends, "it never happened"
            time.sleep(0.02)

    return wait
