"""An environment of its own for each peer, with pinned versions, under bench/.envs; made once, kept while pins stay."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
ENVS = HERE / ".envs"


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a command to its end; what it printed is shown only when it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def python(name: str) -> Path:
    """The interpreter of the Python peer `name`."""
    env = ENVS / name
    if is_new(env, PEERS / name / "requirements.txt"):
        run(sys.executable, "-m", "venv", "--clear", env)
        run(env / "bin/python", "-m", "pip", "install", "--no-deps", "-r", PEERS / name / "requirements.txt")
        keep(env, PEERS / name / "requirements.txt")
    return env / "bin/python"


def node(name: str) -> Path:
    """The server file of the Node peer `name`, copied beside its packages because Node looks for them there."""
    env, lock = ENVS / name, PEERS / name / "package-lock.json"
    if is_new(env, lock):
        shutil.rmtree(env, ignore_errors=True)
        shutil.copytree(PEERS / name, env)
        run("npm", "ci", "--no-audit", "--no-fund", cwd=env)
        keep(env, lock)
    return Path(shutil.copy(PEERS / name / "server.mjs", env))


def is_new(env: Path, pins: Path) -> bool:
    stamp = env / "pins"
    if stamp.exists() and stamp.read_text() == digest(pins):
        return False
    print(f"Making the environment of {env.name} (once) ...", flush=True)
    return True


def keep(env: Path, pins: Path) -> None:
    (env / "pins").write_text(digest(pins))


def digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes()).hexdigest()
