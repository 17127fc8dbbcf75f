"""Do answers tell known from unknown people? `python -m bench.oracles [--pairs 500] [--bcrypt 12]`, on both databases.

Interleaved pairs of requests, one about each kind of person: the answers must be equal byte for byte, and the times so
alike that the area under the curve (the chance that the first kind takes longer) is within 0.43 to 0.57 and the medians
differ by at most 1 ms or 2 %.
"""

import argparse
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product

import bcrypt

from bench import crowd
from bench.competitors import GATEHOUSE, PASSWORD, WRONG, ask
from bench.load import Answer, request
from bench.postgres import new_database, postgres
from bench.report import table
from bench.servers import Server, Servers, cores, generator_cores, servers

ONE = {cores()[0]}
# What follows an answer (a letter is written) shall not slow the next one.
PAUSE_SECONDS = 0.02
GUESSES_THAT_LOCK = 11
# Nobody knows this person's password, and every wrong guess costs the same.
FIRST = """
INSERT INTO users (username, username_key, username_skeleton, email, email_key, password_hash)
VALUES ('first', 'first', 'first', 'first@example.com', 'first@example.com', '{}')
"""
DISABLE_ALL_THAT_END_IN_7 = "UPDATE users SET disabled_at = CURRENT_TIMESTAMP WHERE username LIKE 'crowd%7'"
CHANGES_EACH_TIME = re.compile(rb'\r\n(date|x-request-id|retry-after): [^\r]*|"request_id": ?"[^"]*"', re.IGNORECASE)

Person = dict[str, str]
Ask = Callable[[Person], bytes]


@dataclass
class Class:
    """Two kinds of people, a request about them, and the status that all of them are answered with."""

    title: str
    status: int
    ask: Ask
    first: list[Person]
    second: list[Person]
    seconds: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    answers: set[tuple[int, bytes, bytes]] = field(default_factory=set)

    def measure(self, port: int, number: int) -> None:
        """One pair, in an order that nobody can foresee."""
        pair = [(self.first, self.seconds[0]), (self.second, self.seconds[1])]
        for people, seconds in random.sample(pair, 2):
            person = people[number % len(people)]
            sent = self.ask(person)
            started = time.perf_counter()
            answer = ask(port, sent)
            seconds.append(time.perf_counter() - started)
            self.answers.add(normal(answer, person))
            time.sleep(PAUSE_SECONDS)

    def area(self) -> float:
        """The chance that one of the first kind takes longer than one of the second (ties count half)."""
        first, second = self.seconds
        wins = sum((one > other) + (one == other) / 2 for one, other in product(first, second))
        return wins / (len(first) * len(second))

    def row(self) -> list[str]:
        medians = [1000 * statistics.median(seconds) for seconds in self.seconds]
        alike = abs(medians[0] - medians[1]) <= max(1.0, 0.02 * max(medians))
        statuses = sorted({status for status, _, _ in self.answers})
        passed = alike and 0.43 <= self.area() <= 0.57 and len(self.answers) == 1 and statuses == [self.status]
        return [
            self.title,
            ", ".join(map(str, statuses)),
            "yes" if len(self.answers) == 1 else "**no**",
            f"{self.area():.3f}",
            f"{medians[0]:.2f}",
            f"{medians[1]:.2f}",
            "yes" if passed else "**no**",
        ]


def normal(answer: Answer, person: Person) -> tuple[int, bytes, bytes]:
    """An answer without what differs between any two answers, and without the names that the client itself sent."""
    head, body = CHANGES_EACH_TIME.sub(b"", answer.head), CHANGES_EACH_TIME.sub(b"", answer.body)
    for name in person.values():
        body = body.replace(name.encode(), b"")
    return answer.status, head, body


def by_mail(path: str) -> Ask:
    return lambda person: request("POST", path, body={"email": person["email"]})


def guess(person: Person) -> bytes:
    return GATEHOUSE.sign_in(person, WRONG)


def registration(person: Person) -> bytes:
    """A new name each time, with an address that is new or known."""
    return request("POST", "/auth/register", body={**person, "password": PASSWORD})


def strangers(many: int, word: str) -> list[Person]:
    """People whom the service does not know, with names as long as those of the crowd."""
    return [{"username": f"{word}{number}", "email": f"{word}{number}@example.com"} for number in range(1, many + 1)]


def lock(port: int, people: list[Person]) -> None:
    """Guess until the account, or the name that nobody has, is locked."""
    for person in people:
        statuses = [ask(port, guess(person)).status for _ in range(GUESSES_THAT_LOCK)]
        if statuses[-1] != 429:
            raise SystemExit(f"{person['username']} is not locked: {statuses}")


def classes(server: Server, pairs: int) -> Iterator[Class]:
    """Everything that could tell people apart; every kind of people is used up only once by logins."""
    people = crowd.gather(server.database, 10 * pairs)
    known, again, takers, disabled = ([one for one in people if one["username"][-1] == last] for last in "1237")
    crowd.execute(server.database, DISABLE_ALL_THAT_END_IN_7)
    unknown, locked, locked_name = strangers(pairs, "drift"), people[8:20:10], strangers(2, "latch")
    yield Class("login: known, unknown", 401, guess, known, unknown)
    yield Class("login: known, disabled", 401, guess, again, disabled)
    lock(server.port, [*locked, *locked_name])
    yield Class("login: locked account, locked name", 429, guess, locked, locked_name)
    for path in ("password/forgot", "magic-link", "email/verify/request"):
        for kind, others in {"unknown": unknown, "disabled": disabled, "locked": locked}.items():
            yield Class(f"{path}: known, {kind}", 202, by_mail(f"/auth/{path}"), known, others)
    new = [{**one, "email": two["email"]} for one, two in zip(strangers(pairs, "fresh"), takers, strict=True)]
    yield Class("register: known address, new address", 202, registration, new, strangers(pairs, "green"))


def hash_at(cost: int) -> str:
    return bcrypt.hashpw(os.urandom(32).hex().encode(), bcrypt.gensalt(cost)).decode()


def measured(house: Servers, chosen: argparse.Namespace, **environ: str) -> Iterator[list[str]]:
    """A row for every class, from a server of its own."""
    given = {"PRIVATE_REGISTRATION": "on", "BCRYPT_ROUNDS": str(chosen.bcrypt), "MAGIC_LINK": "on"}
    server = GATEHOUSE.start(house, ONE, **given, **environ)
    crowd.execute(server.database, FIRST.format(hash_at(chosen.bcrypt)))
    for kind in classes(server, chosen.pairs):
        for number in range(chosen.pairs):
            kind.measure(server.port, number)
        yield kind.row()
    house.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.oracles", description=__doc__)
    parser.add_argument("--pairs", type=int, default=500, help="pairs of requests for each class")
    parser.add_argument("--bcrypt", type=int, default=12, help="cost of a hash; a low one hides less")
    chosen = parser.parse_args()
    rows = []
    # Asked for while they are all there: then this process keeps to its own.
    others = generator_cores(ONE)
    with servers() as house, postgres(house.folder, others) as url:
        os.sched_setaffinity(0, others)
        for engine, environ in {"SQLite": {}, "PostgreSQL": {"DATABASE_URL": new_database(url, "oracles")}}.items():
            for row in measured(house, chosen, **environ):
                rows.append([engine, *row])
                print(" | ".join(rows[-1]), flush=True)
    head = ("", "", "status", "same bytes", "area", "median ms", "median ms", "passed")
    print(table(head, rows))
    sys.exit(any("no" in row[-1] for row in rows))


if __name__ == "__main__":
    main()
