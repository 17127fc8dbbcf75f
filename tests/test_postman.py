"""The Postman collection runs green against a fresh service, from register to logout."""

import pytest

from auth.docs import COLLECTION
from tests.support import node
from tests.support.run import ROOT


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_the_collection_runs_green_with_newman(live_server):
    server = live_server(RATE_LIMITS="on")
    newman = node.installed() / "newman" / "bin" / "newman.js"
    done = node.run(newman, "run", str(ROOT / COLLECTION), "--env-var", f"baseUrl={server.url}", "--color", "off")
    assert done.returncode == 0, done.stdout
    assert "The token is void at once" in done.stdout
