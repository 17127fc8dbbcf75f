"""`make fuzz`: generated requests against the live service, on both databases.

Schemathesis makes valid and broken requests from the API document and sends them as a person who is signed in. Any 5xx
and any answer that the document does not announce fails. The person signs in again when the requests have signed
them out, changed their password or deleted them, so that the routes behind a token are reached.
"""

import argparse
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.support import application
from tests.support.databases import KINDS, Databases
from tests.support.run import ROOT, OwnedRun, Run
from tests.support.service import Service

# Fewer cases than these say little, and fail.
LEAST = 2000


def main() -> int:
    """Fuzz both databases; the exit status for the shell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=5, help="at most so many requests a route and phase")
    parser.add_argument("--seed", type=int, default=None, help="repeat a run")
    chosen = parser.parse_args()
    run = OwnedRun("fuzz")
    databases = Databases(run, lambda url: application.migrate(url, run.new_folder("migration")))
    try:
        done = [_fuzz(run, databases, kind, chosen) for kind in KINDS]
    finally:
        databases.close()
    cases = sum(count for _, count in done)
    print(f"\n{cases} cases in all, of at least {LEAST}")  # noqa: T201
    return max(status for status, _ in done) or int(cases < LEAST)


def _fuzz(run: Run, databases: Databases, kind: str, chosen: argparse.Namespace) -> tuple[int, int]:
    """The status of Schemathesis on one kind of database, and how many cases it has made."""
    settings = {"ACCESS_TOKEN_SECONDS": 3600, "LOG_LEVEL": "warning"}
    with closing(Service(run, databases.new(kind), settings)) as service:
        print(f"\n== {kind}: {service.url}", flush=True)  # noqa: T201
        status, told = _run(_command(service.url, chosen), run.folder)
        if not service.ready():
            raise RuntimeError(f"the service is gone:\n{service.log}")
        if status:
            print(service.log[-4000:])  # noqa: T201
        return status, sum(map(int, re.findall(r"(\d+) generated", told)))


def _run(command: list[str], folder: Path) -> tuple[int, str]:
    """Run a command and show what it says while it says it; its status and all it said."""
    told = []
    with subprocess.Popen(command, cwd=folder, env=_environment(), stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)  # noqa: T201
            told.append(line)
    return process.returncode, "".join(told)


def _command(url: str, chosen: argparse.Namespace) -> list[str]:
    program = str(Path(sys.executable).with_name("schemathesis"))
    seed = ["--seed", str(chosen.seed)] if chosen.seed is not None else []
    options = ["--max-examples", str(chosen.examples), "--phases", "examples,coverage,fuzzing"]
    calm = ["--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off", "--no-shrink"]
    config = ["--config-file", str(ROOT / "tests" / "schemathesis.toml")]
    return [program, *config, "run", f"{url}/openapi.json", *options, *calm, *seed]


def _environment() -> dict[str, str]:
    return {**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz_hooks", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": ""}


if __name__ == "__main__":
    sys.exit(main())
