"""Tokens right after a logout's answer, on the other worker: `python -m bench.revocation [--logouts 1000]`.

Two workers on two cores, SQLite and PostgreSQL. Each token is first accepted by the worker that is asked later, so
that it is remembered there. On PostgreSQL every connection to the database is cut after each tenth logout. In the end
everything is killed by `kill -9` and started again, and every token is shown to both workers once more.
"""

import argparse
import http.client
import json
import sys
from collections import Counter
from dataclasses import dataclass, field

import psutil
import psycopg

from bench.competitors import GATEHOUSE, PASSWORD, ask, person_of
from bench.postgres import new_database, postgres
from bench.report import table
from bench.servers import Server, Servers, cores, servers

TWO = set(cores()[:2])
MOST_LINES = 64
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'gatehouse'"
)
ACCEPTED = 200


@dataclass
class Line:
    """One kept-alive connection, which one worker serves for as long as it lives."""

    port: int
    wire: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.shown("")

    def ask(self, method: str, path: str, token: str, body: object = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.wire.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.wire.getresponse()
        return answer.status, answer.read()

    def shown(self, token: str) -> int:
        """What the token is answered."""
        return self.ask("GET", "/auth/protected", token)[0]

    def local_port(self) -> int:
        return int(self.wire.sock.getsockname()[1])


@dataclass
class Found:
    """What was answered after the logouts, after those with a cut, and after the restart."""

    plain: Counter[int] = field(default_factory=Counter)
    cut: Counter[int] = field(default_factory=Counter)
    restarted: Counter[int] = field(default_factory=Counter)

    def accepted(self) -> int:
        return self.plain[ACCEPTED] + self.cut[ACCEPTED] + self.restarted[ACCEPTED]


def two_workers(server: Server) -> tuple[Line, Line]:
    """A line to each of two workers."""
    lines: dict[int, Line] = {}
    for _ in range(MOST_LINES):
        line = Line(server.port)
        owner = worker_of(server, line)
        if owner is not None:
            lines.setdefault(owner, line)
        if len(lines) == 2:
            first, second = lines.values()
            return first, second
    raise SystemExit("All connections went to one worker.")


def worker_of(server: Server, line: Line) -> int | None:
    """The process that holds the other end of a line."""
    port = line.local_port()
    for process in server.tree():
        for one in process.net_connections("tcp"):
            if one.status == psutil.CONN_ESTABLISHED and one.raddr and one.raddr.port == port:
                return int(process.pid)
    return None


def log_out(server: Server, logouts: int, url: str, found: Found) -> list[str]:
    """Log in and out again and again, and ask the other worker at once; the tokens that are over."""
    here, there = two_workers(server)
    over = []
    credentials = {"identifier": person_of(0)["username"], "password": PASSWORD}
    for number in range(logouts):
        token = json.loads(here.ask("POST", "/auth/login", "", credentials)[1])["access_token"]
        if there.shown(token) != ACCEPTED:
            raise SystemExit("A token of an open session was refused.")
        if here.ask("POST", "/auth/logout", token)[0] >= 300:
            raise SystemExit("A logout was refused.")
        cutting = bool(url) and number % 10 == 9
        if cutting:
            cut(url)
        (found.cut if cutting else found.plain)[there.shown(token)] += 1
        if cutting:
            here, there = there, here
            while 503 in (here.shown(token), there.shown(token)):
                pass
        over.append(token)
    return over


def cut(url: str) -> None:
    """End every connection of the service to its database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CUT)


def kill(server: Server) -> None:
    """End a server and its workers as `kill -9` does."""
    tree = server.tree()
    for process in tree:
        process.kill()
    psutil.wait_procs(tree)
    server.process.wait()


def measure(house: Servers, logouts: int, url: str = "") -> Found:
    """Everything on one database."""
    found = Found()
    environ = {"WORKERS": "2", "BCRYPT_ROUNDS": "4", **({"DATABASE_URL": url} if url else {})}
    server = GATEHOUSE.start(house, TWO, **environ)
    ask(server.port, GATEHOUSE.registration(0))
    over = log_out(server, logouts, url, found)
    kill(server)
    again = {"DATABASE_URL": server.database, "INSTANCE_PATH": str(house.folder / f"gatehouse-{server.port}.instance")}
    for line in two_workers(GATEHOUSE.start(house, TWO, **{**environ, **again})):
        found.restarted.update(line.shown(token) for token in over)
    house.stop()
    return found


def told(answers: Counter[int]) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(answers.items())) or "-"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.revocation", description=__doc__)
    parser.add_argument("--logouts", type=int, default=1000, help="how many on each database")
    logouts = parser.parse_args().logouts
    with servers() as house, postgres(house.folder, set(cores())) as url:
        found = {
            "SQLite": measure(house, logouts),
            "PostgreSQL": measure(house, logouts, new_database(url, "revocation")),
        }
    head = ("", "right after a logout", "and with connections cut", "after kill -9 and a start", "accepted")
    print(table(head, [[name, *map(told, vars(one).values()), str(one.accepted())] for name, one in found.items()]))
    sys.exit(any(one.accepted() for one in found.values()))


if __name__ == "__main__":
    main()
