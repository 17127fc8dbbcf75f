"""Whatever README.md tells people to type does what README.md says."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.support import application, node, readme
from tests.support.clients import BearerClient, InProcess
from tests.support.run import ROOT

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

SECRET_KEY = application.SETTINGS["SECRET_KEY"]
CURLS = [f"{sys.executable} {ROOT}/tests/support/curl.py", *(["command curl"] if shutil.which("curl") else [])]
TOUR = ("A tour with curl", "By mail")
BETWEEN = "----- next -----"

# Ten calls at once with a token that has expired; the refreshes are counted on their way out.
TEN_CALLS = """
import { call, signedIn } from "./front-end.mjs";
let refreshes = 0;
const plain = globalThis.fetch;
globalThis.fetch = (url, options) => { refreshes += url.endsWith("/auth/refresh"); return plain(url, options); };
signedIn(JSON.parse(process.env.TOKENS));
const answers = await Promise.all(Array.from({ length: 10 }, () => call("/auth/me")));
console.log(JSON.stringify({ statuses: answers.map((answer) => answer.status), refreshes }));
"""
PRINT_CLAIMS = """
import { claimsOf } from "./verify.mjs";
console.log(JSON.stringify(await claimsOf(process.env.TOKEN)));
"""


@pytest.fixture
def script(tmp_path):
    """Runs modules of README.md in Node, together with one of the test."""
    (tmp_path / "node_modules").symlink_to(node.installed(), target_is_directory=True)

    def run(name, module, main, **environment):
        (tmp_path / name).write_text(module)
        (tmp_path / "main.mjs").write_text(main)
        done = node.run("main.mjs", cwd=tmp_path, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def tour(blocks, curl):
    """What each block of shell prints, run one after the other in one shell."""
    blocks = f"\necho; echo '{BETWEEN}'\n".join(blocks)
    commands = f'curl() {{ {curl} "$@"; }}\n{blocks}'
    done = subprocess.run(["sh", "-eu"], input=commands, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(part) for part in done.stdout.split(BETWEEN)]


@pytest.mark.parametrize("curl", CURLS)
def test_the_tour_answers_what_it_shows(live_server, curl):
    server = live_server(RATE_LIMITS="on")
    real = tour([block for title in TOUR for block in readme.blocks(title, "sh", server.url)], curl)
    shown = [json.loads(block) for title in TOUR for block in readme.blocks(title, "json", server.url)]
    assert [step for step in zip(shown, real, strict=True) if not readme.alike(*step)] == []


def test_ten_parallel_calls_with_an_expired_token_make_one_refresh(live_server, run, clock, script):
    server = live_server(SECRET_KEY=SECRET_KEY)
    app = application.new(server.database, run.new_folder("instance"), PUBLIC_URL=server.url)
    clock.shift(-3600)
    tokens = BearerClient(InProcess(app, server.url)).signed_in("ada").login("ada").text
    application.close(app)
    [module] = readme.blocks("In a front end", "js", server.url)
    assert script("front-end.mjs", module, TEN_CALLS, TOKENS=tokens) == {"statuses": [200] * 10, "refreshes": 1}


def test_a_service_in_node_verifies_a_token_offline(live_server, script):
    server = live_server()
    client = server.client().signed_in("ada")
    [module] = readme.blocks("In another service", "js", server.url)
    assert script("verify.mjs", module, PRINT_CLAIMS, TOKEN=client.access_token)["sid"] == client.session_id


def test_a_service_in_python_verifies_a_token_offline(live_server):
    server = live_server()
    client = server.client().signed_in("ada")
    [module] = readme.blocks("In another service", "python", server.url)
    program = f"{module}\nimport sys\nprint(claims_of(sys.argv[1])['sid'])"
    done = subprocess.run([sys.executable, "-c", program, client.access_token], capture_output=True, text=True)
    assert done.stdout.strip() == client.session_id, done.stderr


def test_a_refresh_token_is_no_access_token_for_the_python_service(live_server):
    server = live_server()
    client = server.client().signed_in("ada")
    [module] = readme.blocks("In another service", "python", server.url)
    program = f"{module}\nimport sys\nclaims_of(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", program, client.refresh_token], capture_output=True, text=True)
    assert "not an access token" in done.stderr
