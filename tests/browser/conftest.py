"""Fixtures for tests in a real Chromium: `make test-browser`.

tab             a tab of a person who reads English; see tests/support/devtools.py. When the test is over, it has asked
                no other machine for anything, broken no policy, and no script in it has failed.
make_tab        make_tab("de"): a tab of a person who reads another language
site            the running service that these tests share: site.person() has registered and signed in,
                site.letter(address, "/pages/verify") is the letter with a link to that page, once it has arrived
front           the address of a front end of another origin that uses passkeys: tests/browser/front
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import PROGRAMS
from tests.support import chromium
from tests.support.databases import Databases
from tests.support.devtools import Browser, Tab
from tests.support.processes import free_port
from tests.support.run import Run
from tests.support.service import Service
from tests.support.site import Site, is_here

PATHS = {"/passkeys/": chromium.HERE / "node_modules/@simplewebauthn/browser/esm", "/": chromium.HERE / "front"}


@pytest.fixture(scope="session")
def browser(run: Run) -> Iterator[Browser]:
    """One browser for all tests of the run."""
    running = Browser(run, chromium.find(run))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def front() -> Iterator[str]:
    """A front end at http://localhost, on a port of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Front) as server:
        thread = Thread(target=partial(server.serve_forever, poll_interval=0.05))
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def _running(run: Run, databases: Databases, front: str) -> Iterator[Service]:
    port = free_port()
    origins = f"{front},http://localhost:{port}"
    settings = {
        "PORT": port,
        "CORS_ORIGINS": origins,
        "PASSKEY_ORIGINS": origins,
        "SERVICE_NAME": "Tea & <b>Biscuits</b>",
        "SMS_URL": f"file://{run.new_folder('texts')}",
    }
    running = Service(run, databases.new("sqlite"), settings)
    yield running
    running.close()


@pytest.fixture
def site(request: pytest.FixtureRequest, _running: Service, fresh_name: Callable[[], str]) -> Site:
    """The shared service, as its people see it."""
    request.node.stash.setdefault(PROGRAMS, []).append(_running)
    return Site(_running, fresh_name)


@pytest.fixture
def make_tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """Tabs that are looked at when the test is over."""
    with ExitStack() as ends:

        def make(*languages: str) -> Tab:
            made = browser.tab(*languages)
            ends.callback(made.close)
            ends.callback(_check, made)
            return made

        yield make


@pytest.fixture
def tab(make_tab: Callable[..., Tab]) -> Tab:
    """A tab of a person who reads English."""
    return make_tab("en")


def _check(tab: Tab) -> None:
    assert tab.faults == []
    assert [request["url"] for request in tab.requests if not is_here(request["url"])] == []


class _Front(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        prefix = next(prefix for prefix in PATHS if path.startswith(prefix))
        return str(Path(PATHS[prefix], path.removeprefix(prefix).partition("?")[0] or "index.html"))

    def log_message(self, *_: object) -> None:
        """What was asked for is in the tab."""
