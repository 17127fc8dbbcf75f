"""What the service has to reach, held against what a run has measured."""

import statistics
from collections.abc import Iterator, Sequence

from bench.report import Findings, Goal, ratios, spread
from bench.work import Contender

WORKS = ("protected", "me", "refresh", "login")


def goals(findings: Findings) -> list[Goal]:
    """Every goal that the run has figures for."""
    return [*ratio_goals(findings), *flood_goals(findings), *growth_goals(findings.grown), *worker_goals(findings)]


def at_least(what: str, wanted: float, values: Sequence[float]) -> Goal:
    return Goal(what, f"at least {wanted:g} x", spread(values), statistics.median(values) >= wanted)


def at_most(what: str, wanted: float, values: Sequence[float]) -> Goal:
    return Goal(what, f"at most {wanted:g} x", spread(values), statistics.median(values) <= wanted)


def ratio_goals(findings: Findings) -> Iterator[Goal]:
    """Beside the peers, one worker on one core."""
    by = {contender.title: contender for contender in findings.compared}
    own, empty = by["Gatehouse"], by["empty Flask route, same server"]
    naive, simplejwt, node = by["the card, the obvious way"], by["Django, simplejwt"], by["Express, jose"]
    yield at_least("protected, beside the obvious way", 8, ratios(own, naive, "protected"))
    yield at_least("protected, beside an empty Flask route", 0.80, ratios(own, empty, "protected"))
    yield at_most("p99 of protected, beside an empty Flask route", 2, ratios(own, empty, "protected", "p99"))
    yield at_least("me, beside simplejwt", 4, ratios(own, simplejwt, "me"))
    yield at_least("refresh, beside the obvious way", 4, ratios(own, naive, "refresh"))
    yield at_least("refresh, beside Express", 1.8, ratios(own, node, "refresh"))
    yield at_least("login, beside bcrypt alone", 0.95, ratios(own, by["bcrypt alone"], "login"))
    memory = findings.memory["Gatehouse"]
    yield Goal("resident memory of a worker", "at most 110 MB", f"{memory:.0f} MB", memory <= 110)


def flood_goals(findings: Findings) -> Iterator[Goal]:
    """Under 32 connections of wrong logins, on two cores."""
    if found := findings.floods.get("Gatehouse"):
        idle, flooded = found.idle.percentile(0.99), found.flooded.percentile(0.99)
        measured = f"{flooded:.1f} ms, idle {idle:.1f} ms"
        within = flooded <= max(12.0, 3 * idle)
        yield Goal("p99 of protected under a flood of logins", "at most 12 ms or 3 x idle", measured, within)
        kept = found.kept()
        yield Goal("logins meanwhile, of their rate", "at least 90 %", f"{kept:.0%}", kept >= 0.9)


def growth_goals(grown: Sequence[Contender]) -> Iterator[Goal]:
    """From few accounts to many, and from SQLite to PostgreSQL."""
    sqlite, postgresql = ([one for one in grown if one.title.startswith(engine)] for engine in ("SQLite", "PostgreSQL"))
    for engine in (sqlite, postgresql):
        if len(engine) > 1:
            rates = {work: [statistics.median(ratios(one, engine[0], work)) for one in engine[1:]] for work in WORKS}
            measured = ", ".join(f"{work} {min(values):.2f}" for work, values in rates.items())
            met = min(min(values) for values in rates.values()) >= 0.85
            yield Goal(f"{engine[0].title} to {engine[-1].title}", "within 15 %", measured, met)
    if sqlite and postgresql:
        # Few tokens, seen before: with many, the signatures that are checked again hide what the database costs.
        yield at_least("protected on PostgreSQL, beside SQLite", 0.9, ratios(postgresql[0], sqlite[0], "few"))


def worker_goals(findings: Findings) -> Iterator[Goal]:
    """Two workers on two cores, beside one on one."""
    if findings.workers:
        one, two, *_ = findings.workers
        for work in ("protected", "me", "login"):
            yield at_least(f"two workers beside one: {work}", 1.8, ratios(two, one, work))
