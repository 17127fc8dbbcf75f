"""Programs that a test starts. Each is written down, so that none outlives the run, whatever becomes of the test."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

STOP_SECONDS = 15


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    """Whether something accepts connections on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """Wait until the condition gives something true, and return it; raises TimeoutError that says what was awaited."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return result


class Program:
    """A running program with its log; `register` is the folder where the guardian finds what it has to end."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        register: Path,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
        end_with: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.log_file = log
        self.end_with = end_with
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
                **({} if user is None else {"user": user, "group": user, "extra_groups": []}),
            )
        self._entry = register / str(self.process.pid)
        try:
            self._entry.write_text(f"{psutil.Process(self.process.pid).create_time()} {int(end_with)}")
        except FileNotFoundError:
            self.process.kill()
            raise

    @property
    def log(self) -> str:
        """What the program has written so far."""
        return self.log_file.read_text(errors="replace")

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def family(self) -> list[psutil.Process]:
        """The program and every process it has started."""
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def send_to_family(self, number: signal.Signals) -> None:
        """Send a signal to the program and to every process it has started."""
        for member in self.family():
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self.send_to_family(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.send_to_family(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as `kill -9` does, together with what it has started."""
        self.send_to_family(signal.SIGKILL)
        self._reap()

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Ask it to end and wait; after the given seconds it is killed. Returns the exit status."""
        family = self.family()
        self.resume()
        if self.running:
            self.process.send_signal(self.end_with)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        for left in family:
            with suppress(psutil.NoSuchProcess):
                left.kill()
        return self._reap()

    def disown(self) -> None:
        """Leave it to the guardian: it serves the whole run and ends with it."""
        self.process.returncode = 0

    def _reap(self) -> int:
        status = self.process.wait(STOP_SECONDS)
        self._entry.unlink(missing_ok=True)
        return status


class Faulty:
    """A server that tests stop, freeze and kill; whoever derives from it starts `program`."""

    program: Program

    def stop(self) -> None:
        """Stop it politely; what it keeps on disk stays."""
        self.program.stop()

    def kill(self) -> None:
        """End it and its processes as `kill -9` does."""
        self.program.kill()

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self.program.pause()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.program.resume()


def end_all(register: Path) -> None:
    """End every program that is still written down in the register."""
    for entry in register.iterdir():
        created, number = entry.read_text().split() or ("0", "15")
        with suppress(psutil.NoSuchProcess, ValueError):
            found = psutil.Process(int(entry.name))
            if found.create_time() == float(created):
                _end(found, int(number))
        entry.unlink(missing_ok=True)


def _end(found: psutil.Process, number: int) -> None:
    family = [found, *found.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGCONT)
    found.send_signal(number)
    with suppress(TimeoutError):
        wait_until(lambda: not any(map(_lives, family)), "the programs end", STOP_SECONDS)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()


def _lives(member: psutil.Process) -> bool:
    """Whether it still runs; one that has ended and that nobody has asked for its status yet does not."""
    try:
        return member.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def clean_environment(**values: object) -> dict[str, str]:
    """An environment with the given variables and nothing of this machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
    return {**kept, **{name: str(value) for name, value in values.items()}}
