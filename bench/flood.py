"""Token checks while 64 connections send wrong logins: `python -m bench.flood [--seconds 60]`.

Two cores, two workers, bcrypt at cost 12, SQLite and PostgreSQL. The flood never waits, whatever it is answered.
"""

import argparse
import multiprocessing
import sys
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult

from bench import crowd, work
from bench.competitors import GATEHOUSE, WRONG
from bench.load import Cycle, Generator, Load, Measured, generator
from bench.postgres import new_database, postgres
from bench.report import table
from bench.servers import Servers, cores, generator_cores, servers
from bench.work import Scale, Service

TWO = set(cores()[:2])
CONNECTIONS = 64
PEOPLE = 5000
ALLOWED = {401, 429, 503}


@dataclass(frozen=True)
class Found:
    """What one database has shown."""

    idle: Measured
    flooded: Measured
    logins: Measured
    megabytes: list[float]  # Of all processes together, every ten seconds.

    def falls_short(self) -> list[str]:
        """Which of the goals are missed."""
        goals = {
            "p99 is above 12 ms": self.flooded.percentile(0.99) > 12,
            "throughput is below half of idle": self.flooded.per_second(200) < self.idle.per_second(200) / 2,
            "a token check was refused": set(self.flooded.statuses) != {200},
            "a login was answered with another status": not set(self.logins.statuses) <= ALLOWED,
            "a refusal had no Retry-After": bool(self.logins.without_retry_after),
            "memory grew by more than a tenth": self.megabytes[-1] > 1.1 * self.megabytes[0],
        }
        return [sentence for sentence, missed in goals.items() if missed]


def measure(house: Servers, load: Generator, seconds: float, **environ: str) -> Found:
    """Idle first, then the same token checks beside the flood."""
    service = work.open_house(house, GATEHOUSE, TWO, Scale(seconds, 1, 8, 1), WORKERS="2", **environ)
    people = crowd.gather(service.server.database, PEOPLE)
    on, port = generator_cores(TWO), service.server.port
    checks = Load(port, service.scripts["protected"], seconds)
    wrong = [GATEHOUSE.sign_in(person, WRONG) for person in people]
    storm = Load(port, [Cycle(wrong, number * 71) for number in range(CONNECTIONS)], seconds)
    idle = load.run(Load(port, checks.scripts, min(10.0, seconds)), on)
    logins, flooded = load.start(storm, on), load.start(checks, on)
    megabytes = weigh_until(logins, service)
    house.stop()
    return Found(idle, flooded.get(), logins.get(), megabytes)


def weigh_until(end: "AsyncResult[Measured]", service: Service) -> list[float]:
    """Resident memory every ten seconds until the flood is over; the first is of a service under load."""
    weights: list[float] = []
    while not end.ready():
        try:
            end.get(10 if weights else 2)
        except multiprocessing.TimeoutError:
            weights.append(service.server.megabytes(everything=True))
    return [*weights, service.server.megabytes(everything=True)]


def row(engine: str, found: Found) -> list[str]:
    return [
        engine,
        f"{found.idle.per_second(200):,.0f}",
        f"{found.flooded.per_second(200):,.0f}",
        f"{found.idle.percentile(0.99):.1f}",
        f"{found.flooded.percentile(0.99):.1f}",
        ", ".join(f"{status}: {count}" for status, count in sorted(found.logins.statuses.items())),
        f"{found.logins.per_second(401):.1f}",
        ", ".join(f"{weight:.0f}" for weight in found.megabytes),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.flood", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the flood lasts")
    seconds = parser.parse_args().seconds
    with servers() as house, generator() as load, postgres(house.folder, set(cores())) as url:
        found = {
            "SQLite": measure(house, load, seconds),
            "PostgreSQL": measure(house, load, seconds, DATABASE_URL=new_database(url, "flood")),
        }
    head = ("", "checks/s idle", "flooded", "p99 ms idle", "flooded", "logins by status", "hashes/s", "MB every 10 s")
    print(table(head, [row(engine, figures) for engine, figures in found.items()]))
    missed = [f"{engine}: {sentence}" for engine, figures in found.items() for sentence in figures.falls_short()]
    print("\n".join(missed) or "All figures are within what docs/performance.md promises.")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
