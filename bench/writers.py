"""64 connections that do nothing but write: `python -m bench.writers [--seconds 60]`.

Each registers people, signs them in, rotates and signs out, on two workers. Passwords are hashed at the lowest cost, so
that the database is what is measured. No answer may be a 5xx, and nothing may be found locked.
"""

import argparse
import json
import sys
from dataclasses import dataclass

from bench.competitors import GATEHOUSE, PASSWORD
from bench.load import Generator, Load, Measured, generator, request
from bench.postgres import new_database, postgres
from bench.report import table
from bench.servers import Servers, cores, generator_cores, servers

CONNECTIONS = 64
ROTATIONS = 4
LOCKED = "locked"
TWO = set(cores()[:2])


@dataclass
class Lives:
    """One connection: person after person registers, signs in, rotates and signs out."""

    number: int
    step: int = -1

    def following(self, body: bytes) -> bytes | None:
        self.step += 1
        person, step = divmod(self.step, 3 + ROTATIONS)
        name = f"writer-{self.number}-{person}"
        if step == 0:
            return self.post("register", username=name, email=f"{name}@example.com", password=PASSWORD)
        if step == 1:
            return self.post("login", identifier=name, password=PASSWORD)
        # A refusal has no tokens, which then shows in the statuses.
        tokens = json.loads(body or b"{}")
        if step < 2 + ROTATIONS:
            return self.post("refresh", refresh_token=tokens.get("refresh_token", ""))
        return request("POST", "/auth/logout", {"Authorization": f"Bearer {tokens.get('access_token')}"})

    def post(self, flow: str, **body: str) -> bytes:
        return request("POST", f"/auth/{flow}", body=body)


def measure(house: Servers, load: Generator, seconds: float, **environ: str) -> tuple[Measured, int]:
    """What the writers were answered, and how often the log speaks of a lock."""
    server = GATEHOUSE.start(house, TWO, WORKERS="2", BCRYPT_ROUNDS="4", **environ)
    measured = load.run(
        Load(server.port, [Lives(number) for number in range(CONNECTIONS)], seconds), generator_cores(TWO)
    )
    house.stop()
    return measured, server.log.read_text().count(LOCKED)


def row(engine: str, measured: Measured, locked: int) -> list[str]:
    return [
        engine,
        ", ".join(f"{status}: {count}" for status, count in sorted(measured.statuses.items())),
        f"{measured.per_second(200, 201):,.0f}",
        *(f"{measured.percentile(share):.0f}" for share in (0.5, 0.99, 1.0)),
        str(locked),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.writers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they write")
    seconds = parser.parse_args().seconds
    with servers() as house, generator() as load, postgres(house.folder, set(cores())) as url:
        found = {
            "SQLite": measure(house, load, seconds),
            "PostgreSQL": measure(house, load, seconds, DATABASE_URL=new_database(url, "writers")),
        }
    head = ("", "answers by status", "writes/s", "p50 ms", "p99 ms", "longest ms", "locked")
    print(table(head, [row(engine, *figures) for engine, figures in found.items()]))
    missed = [engine for engine, (measured, locked) in found.items() if locked or set(measured.statuses) - {200, 201}]
    print("\n".join(f"{engine}: a write was refused" for engine in missed) or "Every write was done.")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
