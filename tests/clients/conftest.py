"""Fixtures for the client packages: publishers of keys and revocations, and verifiers that end with their test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from gatehouse_verify import Verifier

from tests.clients.twin import Forwarder, Twin
from tests.support.service import Service


@pytest.fixture
def twin() -> Iterator[Twin]:
    with Twin() as twin:
        yield twin


@pytest.fixture
def make_verifier(twin: Twin) -> Iterator[Callable[..., Verifier]]:
    """Make verifiers of the twin that look every 50 ms; any setting can be given."""
    with ExitStack() as ending:
        yield lambda **given: ending.enter_context(
            Verifier(**({"issuer": twin.url, "poll_seconds": 0.05, "timeout": 20} | given))
        )


@pytest.fixture
def verifier(make_verifier: Callable[..., Verifier]) -> Verifier:
    return make_verifier()


@pytest.fixture
def forwarder(service: Service) -> Iterator[Forwarder]:
    """A way to the running service that lists what is asked of it."""
    with Forwarder(service.url) as forwarder:
        yield forwarder
