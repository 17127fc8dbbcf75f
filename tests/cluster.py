"""`make cluster`: two hosts of the service behind nginx, on one PostgreSQL and one Redis, as compose.yaml has them.

What must hold across machines is tried over nginx, then both hosts are restarted in turn, again and again, while
10,000 requests are under way: every one of them must be answered as if nothing had happened.
"""

import argparse
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import redis

from auth.limits.lockout import GUESSES
from auth.limits.rates import LIMITS
from tests.support import application
from tests.support.clients import PASSWORD, BearerClient, Network
from tests.support.databases import Databases
from tests.support.processes import Program, clean_environment, free_port, listens, wait_until
from tests.support.redis_server import RedisServer
from tests.support.run import ROOT, OwnedRun, Run
from tests.support.service import Service
from tests.support.smtp_server import SmtpServer

CLIENTS = 16
FAIL_SECONDS = 2.5
LETTERS = 10
# A letter that is sent twice is sent again within this: each host looks for letters about twice a second.
AGAIN_SECONDS = 4
SETTINGS = {
    "SECRET_KEY": secrets.token_urlsafe(48),
    "TRUSTED_PROXIES": 1,
    "WORKERS": 1,
    "LOG_LEVEL": "warning",
}


class Nginx:
    """nginx before the hosts, with the configuration of `deploy/`."""

    def __init__(self, run: Run, hosts: list[Service], port: int) -> None:
        self.folder = run.new_folder("nginx")
        self.port = port
        self.url = _url(port)
        file = self.folder / "nginx.conf"
        file.write_text(self._configuration(hosts))
        command = [_nginx(self.folder), "-p", f"{self.folder}/", "-c", file, "-e", "stderr", "-g", "daemon off;"]
        self.program = Program(command, register=run.register, log=self.folder / "log", env=clean_environment())
        wait_until(lambda: listens(self.port), "nginx listens")

    def _configuration(self, hosts: list[Service]) -> str:
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for number, host in enumerate(hosts, 1):
            text = text.replace(f"gatehouse-{number}:8000", f"127.0.0.1:{host.port}")
        text = text.replace("listen 8080", f"listen 127.0.0.1:{self.port}").replace("/run/nginx.pid", "nginx.pid")
        text = "".join(line for line in text.splitlines(keepends=True) if "ssl" not in line)
        folders = "".join(
            f"    {kind}_temp_path {kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return text.replace("http {\n", f"http {{\n{folders}")


def main() -> int:
    """Run the whole; the exit status for the shell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    chosen = parser.parse_args()
    run = OwnedRun("cluster")
    databases = Databases(run, lambda url: application.migrate(url, run.new_folder("migration")))
    with ExitStack() as ends:
        ends.callback(databases.close)
        database = databases.new("postgresql")
        store = RedisServer(run)
        ends.callback(store.stop)
        post = SmtpServer()
        ends.callback(post.stop)
        port = free_port()
        shared = {**SETTINGS, "REDIS_URL": store.url, "PUBLIC_URL": _url(port), "FRONTEND_URL": _url(port)}
        shared |= {"MAIL_URL": post.url, "RATE_LIMITS": "on"}
        hosts = [Service(run, database, shared) for _ in range(2)]
        for host in hosts:
            ends.callback(host.close)
        nginx = Nginx(run, hosts, port)
        ends.callback(nginx.program.stop)
        _say(_holds_across(nginx, hosts))
        _say(_limits_hold_across(hosts, store))
        _say(_a_lockout_holds_across(hosts))
        _say(_letters_are_sent_once(hosts, post))
        _lift_the_limits(hosts)
        return _rolling_restart(nginx, hosts, chosen.requests)


def _holds_across(nginx: Nginx, hosts: list[Service]) -> str:
    """Sessions, revocations and keys hold on both hosts, whichever answered before."""
    one, other = (Network(host.url) for host in hosts)
    client = BearerClient(Network(nginx.url)).signed_in("ada")
    for wire in (one, other):
        client.wire = wire
        assert client.get("/auth/protected").status == 200
    assert client.refresh().status == 200
    client.wire = one
    assert client.logout().status == 200
    client.wire = other
    assert client.get("/auth/protected").code == "token_revoked"
    assert (
        httpx.get(f"{hosts[0].url}/.well-known/jwks.json").json()
        == httpx.get(f"{hosts[1].url}/.well-known/jwks.json").json()
    )
    return "sessions, revocations and keys hold across both hosts"


def _limits_hold_across(hosts: list[Service], store: RedisServer) -> str:
    """What one address has used up at one host it has used up at the other, because both count in Redis."""
    amount = LIMITS["login"].address.amount
    statuses = [_guess(hosts[number % 2], f"nobody{number}", "198.51.100.1") for number in range(amount)]
    assert set(statuses) == {401}, statuses
    assert [_guess(host, "somebody", "198.51.100.1") for host in hosts] == [429, 429]
    assert [_guess(host, "somebody", "198.51.100.2") for host in hosts] == [401, 401]
    assert redis.Redis.from_url(store.url).dbsize() > 0
    return f"{amount} logins of one address over both hosts are all it has"


def _a_lockout_holds_across(hosts: list[Service]) -> str:
    """Ten guesses over both hosts, from anywhere, are the whole budget of an account."""
    BearerClient(Network(hosts[0].url)).register("bob")
    statuses = [_guess(hosts[number % 2], "bob", f"203.0.113.{number}") for number in range(GUESSES)]
    assert set(statuses) == {401}, statuses
    right = [_guess(host, "bob", "203.0.113.100", PASSWORD) for host in hosts]
    assert right == [429, 429]
    return f"{GUESSES} guesses over both hosts lock an account on both"


def _letters_are_sent_once(hosts: list[Service], post: SmtpServer) -> str:
    """Both hosts send letters, and none of them sends what the other has sent."""
    clients = [BearerClient(Network(host.url)) for host in hosts]
    names = [f"reader{number}" for number in range(LETTERS)]
    for number, name in enumerate(names):
        address = {"X-Forwarded-For": f"192.0.2.{number}"}
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        assert clients[number % 2].post("/auth/register", body, headers=address).status == 201
        forgot = clients[number % 2].post("/auth/password/forgot", {"email": body["email"]}, headers=address)
        assert forgot.status == 202
    wanted = {f"{name}@example.org" for name in names}
    wait_until(lambda: wanted <= {letter["To"] for letter in list(post.letters)}, "everybody has a letter", 60)
    time.sleep(AGAIN_SECONDS)
    sent = Counter((letter["To"], letter["Subject"]) for letter in list(post.letters))
    assert set(sent.values()) == {1}, sent
    return f"{sum(sent.values())} letters of both hosts were sent once each"


def _guess(host: Service, name: str, address: str, password: str = "Wrong-Wombat-41-Pier") -> int:
    """The status of a login that comes from an address, as the proxy tells it."""
    body = {"identifier": name, "password": password}
    return httpx.post(f"{host.url}/auth/login", json=body, headers={"X-Forwarded-For": address}, timeout=30).status_code


def _lift_the_limits(hosts: list[Service]) -> None:
    """All clients of what follows have one address."""
    for host in hosts:
        host.settings["RATE_LIMITS"] = "off"
        host.restart()


def _rolling_restart(nginx: Nginx, hosts: list[Service], requests: int) -> int:
    clients = [BearerClient(Network(nginx.url)) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        client.register(f"person{number}")
        client.login(f"person{number}")
    left, answers, lock, restarts = [requests], Counter[str](), threading.Lock(), 0

    def work(client: BearerClient) -> None:
        while True:
            with lock:
                left[0] -= 1
                if left[0] < 0:
                    return
                number = left[0]
            try:
                answer = (
                    client.refresh()
                    if number % 20 == 0
                    else client.get("/auth/me" if number % 4 else "/auth/protected")
                )
                outcome = str(answer.status)
            except httpx.TransportError as error:
                outcome = type(error).__name__
            with lock:
                answers[outcome] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(work, client) for client in clients]
        while not all(task.done() for task in running):
            hosts[restarts % 2].restart()
            restarts += 1
            # nginx takes a host that has failed for away so long (fail_timeout); the next one is restarted after that.
            time.sleep(FAIL_SECONDS)
    _say(f"{requests} requests during {restarts} restarts: {dict(answers)}")
    if answers != {"200": requests}:
        _say(nginx.program.log[-3000:])
    return 0 if answers == {"200": requests} and restarts >= 2 else 1


def _nginx(folder: Path) -> str:
    """The program: the machine's own, or unpacked from Debian's package, which needs no root."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found:
        return found
    subprocess.run(["apt-get", "-qq", "download", "nginx"], cwd=folder, check=True)
    package = next(folder.glob("nginx_*.deb"))
    subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    return str(folder / "unpacked" / "usr" / "sbin" / "nginx")


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
