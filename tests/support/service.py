"""The service as it runs in production: `python app.py`, a real process of the production server with its workers."""

import sys
from typing import Any

import httpx

from tests.support.clients import KINDS, Client, Network
from tests.support.databases import Database
from tests.support.processes import Program, clean_environment, free_port, wait_until
from tests.support.run import ROOT, Run


class Service:
    """One running service on its own port; `url` is its address and `database` what it stores in."""

    def __init__(self, run: Run, database: Database, settings: dict[str, Any]) -> None:
        self._run = run
        self.database = database
        self.folder = run.new_folder("service")
        self.port = settings.get("PORT") or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "APP_ENV": "development",
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "WORKERS": 2,
            "DATABASE_URL": database.url,
            "INSTANCE_PATH": self.folder / "instance",
            "PUBLIC_URL": self.url,
            "FRONTEND_URL": self.url,
            "BCRYPT_ROUNDS": 4,
            "RATE_LIMITS": "off",
            **settings,
        }
        self._wire = Network(self.url)
        self.start()

    @property
    def log(self) -> str:
        """What the service has written so far."""
        return self.program.log

    def client(self, kind: str = "bearer") -> Client:
        """A client of this service over the network."""
        return KINDS[kind](self._wire)

    def start(self) -> None:
        """Start it and wait until it is ready; raises RuntimeError with its log when it ends instead."""
        self.program = Program(
            [sys.executable, ROOT / "app.py"],
            register=self._run.register,
            log=self.folder / "log",
            env=clean_environment(PYTHONUNBUFFERED=1, **self.settings),
            cwd=self.folder,
        )
        try:
            wait_until(self.ready, "the service is ready", 60)
        except TimeoutError as error:
            self.kill()
            raise TimeoutError(f"{error}\n{self.log}") from None

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        if not self.program.running:
            raise RuntimeError(f"the service did not start:\n{self.log}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """End it by SIGTERM, and by force when that does not help; returns the exit status."""
        return self.program.stop()

    def kill(self) -> None:
        """End it and its workers as `kill -9` does."""
        self.program.kill()

    def restart(self) -> None:
        """Stop it and start it again on the same port and database."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and close the connections of its clients."""
        self.stop()
        self._wire.close()
