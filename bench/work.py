"""The work that is measured, and the servers it is measured on."""

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import bcrypt

from bench.competitors import PASSWORD, WRONG, Competitor, Session, ask, person_of
from bench.load import Cycle, Generator, Load, Measured, Once, Script, request, together
from bench.minting import mint
from bench.servers import Server, Servers, generator_cores

FLOOD_CONNECTIONS = 32
PROBES_PER_SECOND = 200.0
# More than a worker verifies in a second, so that those given out for a time last.
UNSEEN_PER_SECOND = 8000
# So few refusals of what should be granted are told, and not the end of a long run.
REFUSED = 0.001


@dataclass(frozen=True)
class Scale:
    """How much is measured: seconds for one piece of work, rounds, connections, people signed in on them.

    `logins` are the connections that log in; with several workers they have to be many for each to get some.
    """

    seconds: float
    rounds: int
    connections: int
    people: int
    logins: int = 4


@dataclass(frozen=True)
class Sample:
    """One piece of work in one round; times in milliseconds."""

    per_second: float
    p50: float = 0.0
    p99: float = 0.0
    busy: float = 0.0  # The generator's share of its core.


@dataclass
class Contender:
    """Whoever does the work: what is sent to it, and its samples, one a round."""

    title: str
    on: set[int]
    scripts: dict[str, list[Script]] = field(default_factory=dict)
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def measure(self, generator: Generator, work: str, seconds: float) -> Sample:
        raise NotImplementedError

    def median(self, work: str, figure: str = "per_second") -> float:
        """The middle of the rounds."""
        return float(statistics.median(getattr(sample, figure) for sample in self.samples[work]))


@dataclass
class Service(Contender):
    """A server that runs, with people signed in on it."""

    competitor: Competitor = field(kw_only=True)
    server: Server = field(kw_only=True)
    beside: bool = False  # Whether every core of the server carries a generator as well.

    def measure(self, generator: Generator, work: str, seconds: float) -> Sample:
        """Do one piece of work, counting what was granted; exits when the server refuses more than hardly any."""
        measured = self._carry_out(generator, work, seconds)
        if set(measured.statuses) != {200}:
            told = f"{self.title}, {work}: answers by status {dict(measured.statuses)}"
            if measured.statuses[200] < (1 - REFUSED) * measured.statuses.total():
                raise SystemExit(told)
            print(told, flush=True)
        self.scripts[work] = measured.scripts
        return Sample(measured.per_second(200), measured.percentile(0.5), measured.percentile(0.99), measured.busy)

    def _carry_out(self, generator: Generator, work: str, seconds: float) -> Measured:
        scripts, port = self.scripts[work], self.server.port
        if not self.beside:
            return generator.run(Load(port, scripts, seconds), generator_cores(self.on))
        shares = [Load(port, scripts[number :: len(self.on)], seconds) for number in range(len(self.on))]
        started = [generator.start(share, {core}) for share, core in zip(shares, sorted(self.on), strict=True)]
        return together([one.get() for one in started])

    def enter(self, people: list[dict[str, str]], scale: Scale) -> None:
        """Sign people in, one session a connection, and write what each connection sends for each work."""
        entered = [people[number % len(people)] for number in range(scale.connections)]
        sessions = [self.competitor.session(self.server.port, person) for person in entered]
        logins = [self.competitor.sign_in(person) for person in people]
        self.scripts["protected"] = self._reading(self.competitor.protected, sessions)
        self.scripts["me"] = self._reading(self.competitor.me, sessions)
        self.scripts["login"] = [Cycle(logins, number) for number in range(scale.logins)]
        if self.competitor.refresh:
            self.scripts["refresh"] = [self.competitor.refreshing(session) for session in sessions]

    def _reading(self, path: str, sessions: list[Session]) -> list[Script]:
        return [Cycle([self.competitor.reading(path, session)]) for session in sessions]

    def show_unseen(self, scale: Scale) -> None:
        """Let the next checks be of tokens that the server has never been shown, each sent once."""
        sessions = mint(self.server, int(UNSEEN_PER_SECOND * scale.seconds))
        requests = [self.competitor.reading(self.competitor.protected, session) for session in sessions]
        self.scripts["unseen"] = [Once(requests[number :: scale.connections]) for number in range(scale.connections)]

    def show_many(self, many: int, people: int, scale: Scale) -> None:
        """Let tokens be checked and accounts be read with many live tokens in turn; `few` stays what it was."""
        sessions = mint(self.server, many, people)
        self.scripts["few"] = self.scripts["protected"]
        for work, path in (("protected", self.competitor.protected), ("me", self.competitor.me)):
            requests = [self.competitor.reading(path, session) for session in sessions]
            # Every connection has its own share: a token comes again only after all others.
            self.scripts[work] = [Cycle(requests[number :: scale.connections]) for number in range(scale.connections)]


@dataclass
class Bcrypt(Contender):
    """What the cores allow: bcrypt at cost 12 with nothing around it."""

    def measure(self, generator: Generator, work: str, seconds: float) -> Sample:
        """Hash on the cores given for so long."""
        return Sample(generator.pool.apply(hash_for, (self.on, max(seconds, 2.0))))


def hash_for(on: set[int], seconds: float) -> float:
    """Hashes a second, one thread a core."""
    os.sched_setaffinity(0, on)
    started = time.perf_counter()

    def until_the_end(_: int) -> int:
        done = 0
        while time.perf_counter() - started < seconds:
            bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(12))
            done += 1
        return done

    with ThreadPoolExecutor(len(on)) as threads:
        done = sum(threads.map(until_the_end, range(len(on))))
    return done / (time.perf_counter() - started)


def open_house(house: Servers, competitor: Competitor, on: set[int], scale: Scale, **environ: str) -> Service:
    """Start a competitor, register people over HTTP as anyone would, and sign them in."""
    service = Service(competitor.title, on, competitor=competitor, server=competitor.start(house, on, **environ))
    if not competitor.login:
        service.scripts["protected"] = [Cycle([request("GET", competitor.protected)])] * scale.connections
        return service
    for number in range(scale.people):
        status, _, body = ask(service.server.port, competitor.registration(number))
        if status not in (200, 201):
            raise SystemExit(f"{competitor.title}: registration answered {status} {body[:300]!r}")
    service.enter([person_of(number) for number in range(scale.people)], scale)
    return service


def interleave(generator: Generator, contenders: list[Contender], works: list[str], scale: Scale) -> None:
    """Measure everybody in every round, each round in another order, so that a slow minute of the machine hits all."""
    for contender in contenders:
        for work in {"protected", "few", "me", "refresh"} & contender.scripts.keys() & set(works):
            contender.measure(generator, work, scale.seconds / 2)  # Warm; thrown away.
    for number in range(scale.rounds):
        print(f"  round {number + 1} of {scale.rounds}", flush=True)
        turn = number % len(contenders)
        for work in works:
            for contender in contenders[turn:] + contenders[:turn]:
                if work in contender.scripts:
                    sample = contender.measure(generator, work, scale.seconds)
                    contender.samples.setdefault(work, []).append(sample)


@dataclass(frozen=True)
class Flood:
    """What a flood of wrong logins does to the checking of tokens, and the other way round."""

    idle: Measured
    flooded: Measured
    alone: Measured  # The wrong logins while nothing else was asked.
    beside: Measured  # The wrong logins while tokens were checked.

    def kept(self) -> float:
        """The share of their rate that evaluated logins keep while tokens are checked."""
        return self.beside.per_second(400, 401) / self.alone.per_second(400, 401)


def flood(service: Service, generator: Generator, people: list[dict[str, str]], seconds: float) -> Flood:
    """Token checks at an even rate, without and with connections that send nothing but wrong logins."""
    port, on = service.server.port, generator_cores(service.on)
    wrong = [service.competitor.sign_in(person, WRONG) for person in people]
    probe = Load(port, service.scripts["protected"][:4], seconds, rate=PROBES_PER_SECOND)
    storm = Load(port, [Cycle(wrong, number * 7) for number in range(FLOOD_CONNECTIONS)], seconds)
    idle = generator.run(probe, on)
    alone = generator.run(storm, on)
    beside = generator.start(storm, on)
    flooded = generator.run(probe, on)
    return Flood(idle, flooded, alone, beside.get())
