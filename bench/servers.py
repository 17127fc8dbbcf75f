"""Servers under measurement: started on cores of their own, waited for, weighed, and ended by their own ids."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

START_SECONDS = 60.0


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def cores() -> list[int]:
    """The cores this run may use."""
    return sorted(os.sched_getaffinity(0))


def server_cores() -> set[int]:
    """The first core: one worker on one core is what the competitors are compared on."""
    return {cores()[0]}


def generator_cores(taken: set[int]) -> set[int]:
    """Every core but the server's; when there is no other, the server's own."""
    return set(cores()) - taken or set(cores())


@dataclass
class Server:
    """A running server and what its process tree uses."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    environ: dict[str, str]

    @property
    def database(self) -> str:
        return self.environ.get("DATABASE_URL", "")

    def tree(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def megabytes(self, everything: bool = False) -> float:
        """Resident memory of the largest process, which is a worker, or of all processes together."""
        weights = [process.memory_info().rss for process in self.tree()]
        return float(sum(weights) if everything else max(weights)) / 1e6

    def wait(self, path: str) -> None:
        """Until `path` answers anything but an error of the server; exits with its log when it does not."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5).close()
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    return
            except OSError:
                pass
            else:
                return
            time.sleep(0.05)
        raise SystemExit(f"The server on port {self.port} did not start:\n{self.log.read_text()[-4000:]}")

    def stop(self) -> None:
        """End the server and what it started: politely, then at once."""
        tree = self.tree() if self.process.poll() is None else []
        for process in tree[:1]:
            process.terminate()
        _, left = psutil.wait_procs(tree, timeout=10)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()


@dataclass
class Servers:
    """All servers of one run and their scratch folder; leaving the block ends them, on Ctrl-C as well."""

    folder: Path
    running: list[Server] = field(default_factory=list)

    def start(
        self, command: list[str], environ: dict[str, str], port: int, ready: str, on: set[int], cwd: Path | None = None
    ) -> Server:
        """Start `command` on the cores `on` and wait until `ready` answers."""
        pinned = ["taskset", "--cpu-list", ",".join(map(str, on)), *command]
        log = self.folder / f"{port}.log"
        with log.open("wb") as output:
            # A session of its own: a Ctrl-C in the terminal reaches this program only, which then ends the server.
            process = subprocess.Popen(
                pinned, env={**os.environ, **environ}, stdout=output, stderr=output, cwd=cwd, start_new_session=True
            )
        server = Server(port, process, log, environ)
        self.running.append(server)
        server.wait(ready)
        return server

    def stop(self) -> None:
        """End all that still run, the last one first."""
        while self.running:
            self.running.pop().stop()


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """A block whose servers end with it, whatever ends it."""
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(143)))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        # PostgreSQL runs as another user and keeps its files below.
        Path(folder).chmod(0o755)
        house = Servers(Path(folder))
        try:
            yield house
        finally:
            house.stop()
