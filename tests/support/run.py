"""The test run: one folder and one guardian, shared by every process that takes part in it."""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Run:
    """A view on the run's folder; `worker` is the name of this process (`gw0`, or `main` without parallel workers)."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.folder = folder
        self.worker = worker
        self.register = folder / "programs"
        self._counter = 0

    def name(self, kind: str) -> str:
        """A name that no other process of the run uses."""
        self._counter += 1
        return f"{kind}_{self.worker}_{self._counter}"

    def new_folder(self, kind: str) -> Path:
        """A new empty folder of the run."""
        folder = self.folder / self.name(kind)
        folder.mkdir()
        return folder

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returns, made by the first process that asks and read by all others."""
        result = self.folder / f"{name}.json"
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not result.exists():
                result.write_text(json.dumps(make()))
        return json.loads(result.read_text())


class OwnedRun(Run):
    """The run as its controller holds it: when this process ends, even killed, the guardian clears up."""

    def __init__(self, worker: str) -> None:
        super().__init__(Path(tempfile.mkdtemp(prefix="gatehouse-tests-")), worker)
        # The database server runs as another user and has to reach its own folder inside.
        self.folder.chmod(0o711)
        self.register.mkdir()
        self._alive = (self.folder / "alive").open("w")
        fcntl.flock(self._alive, fcntl.LOCK_EX)
        self._guardian = subprocess.Popen(
            [sys.executable, "-m", "tests.support.guardian", str(self.folder)],
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": ""},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """Let the guardian end every program and remove the folder, and wait for it."""
        self._alive.close()
        self._guardian.wait(60)
