"""Measure the service beside its peers: `python -m bench [--short] [--million]`."""

import argparse
import contextlib
import os
from dataclasses import replace

from bench import crowd, report, work
from bench.competitors import EMPTY, EMPTY_TWICE, GATEHOUSE, NAIVE_WAL, PEERS, person_of
from bench.goals import goals
from bench.load import Generator, generator
from bench.postgres import new_database, postgres
from bench.report import TOKENS, Findings
from bench.servers import Servers, cores, generator_cores, servers
from bench.work import Bcrypt, Scale

FULL = Scale(seconds=3.0, rounds=5, connections=16, people=8)
SHORT = Scale(seconds=0.8, rounds=2, connections=8, people=2)
ONE = {cores()[0]}
TWO = set(cores()[:2])
BUSY = 0.5


def compare(house: Servers, load: Generator, scale: Scale, findings: Findings) -> None:
    """Everybody on one core, one worker each."""
    print("Everybody, one worker on one core", flush=True)
    services = [work.open_house(house, competitor, ONE, scale) for competitor in (GATEHOUSE, *PEERS)]
    alone = Bcrypt("bcrypt alone", ONE, {"login": []})
    work.interleave(load, [*services, alone], ["protected", "me", "refresh", "login"], scale)
    gatehouse = services[0]
    for _ in range(scale.rounds):
        gatehouse.show_unseen(scale)
        gatehouse.samples.setdefault("unseen", []).append(gatehouse.measure(load, "unseen", scale.seconds))
    findings.compared = [*services, alone]
    findings.memory = {service.title: service.server.megabytes() for service in services}
    house.stop()


def floods(house: Servers, load: Generator, scale: Scale, findings: Findings, everybody: bool) -> None:
    """Everybody that has a login, on two cores, under a flood of wrong ones."""
    few = Scale(scale.seconds, 1, 4, 1)
    for competitor in (GATEHOUSE, *PEERS) if everybody else (GATEHOUSE,):
        # The journal of SQLite is nothing to the checking of a password.
        if competitor.login and competitor is not NAIVE_WAL:
            print(f"A flood of logins: {competitor.title}", flush=True)
            service = work.open_house(house, competitor, TWO, few)
            people = [person_of(0)]
            if competitor is GATEHOUSE:
                # Its lockout would end the flood of a single account.
                people = crowd.gather(service.server.database, 1000)
            findings.floods[competitor.title] = work.flood(service, load, people, max(3.0, 2 * scale.seconds))
            house.stop()


def growth(house: Servers, load: Generator, scale: Scale, findings: Findings, sizes: list[int], url: str) -> None:
    """The service with more and more accounts, on both databases."""
    for size in sizes:
        for engine in ("SQLite", "PostgreSQL"):
            print(f"{engine}, {size:,} accounts and sessions", flush=True)
            environ = {"DATABASE_URL": new_database(url, f"crowd{size}")} if engine == "PostgreSQL" else {}
            service = work.open_house(house, GATEHOUSE, ONE, Scale(scale.seconds, 1, 1, 1), **environ)
            service.title = f"{engine}, {size:,} accounts"
            service.enter(crowd.gather(service.server.database, size, scale.people), scale)
            service.show_many(TOKENS, min(size, TOKENS), scale)
            if size != sizes[0]:
                del service.scripts["few"]
            findings.grown.append(service)
    fewer = replace(scale, rounds=min(scale.rounds, 3))
    work.interleave(load, findings.grown, ["protected", "few", "me", "refresh", "login"], fewer)
    house.stop()


def workers(house: Servers, load: Generator, scale: Scale, findings: Findings) -> None:
    """One worker on one core, two on two, with a load generator on every core of theirs."""
    print("One worker and two", flush=True)
    many = replace(scale, connections=32, logins=16)
    findings.workers = [
        work.open_house(house, GATEHOUSE, ONE, many),
        work.open_house(house, GATEHOUSE, TWO, many, WORKERS="2"),
        work.open_house(house, EMPTY, ONE, many),
        work.open_house(house, EMPTY_TWICE, TWO, many),
    ]
    titles = ("one worker on one core", "two workers on two cores", "empty Flask route, one", "empty Flask route, two")
    for service, title in zip(findings.workers, titles, strict=True):
        service.beside, service.title = True, title
    work.interleave(load, findings.workers, ["protected", "me", "login"], scale)
    house.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="about three minutes; docs/performance.md stays as it is")
    parser.add_argument("--million", action="store_true", help="also with a million accounts and sessions")
    chosen = parser.parse_args()
    scale, findings = (SHORT if chosen.short else FULL), Findings(load_average=os.getloadavg()[0])
    if findings.load_average > BUSY:
        print(f"Other programs are running (load average {findings.load_average:.1f}): these figures will say little.")
    sizes = [1_000] if chosen.short else [1_000, 100_000, *([1_000_000] if chosen.million else [])]
    with contextlib.ExitStack() as stack:
        house, load = stack.enter_context(servers()), stack.enter_context(generator())
        compare(house, load, scale, findings)
        floods(house, load, scale, findings, everybody=not chosen.short)
        growth(house, load, scale, findings, sizes, stack.enter_context(postgres(house.folder, generator_cores(ONE))))
        if not chosen.short:
            workers(house, load, scale, findings)
    findings.goals = goals(findings)
    report.show(findings)
    if not chosen.short:
        report.write(findings)


if __name__ == "__main__":
    main()
