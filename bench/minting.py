"""Access tokens by the thousand that the service under measurement has never seen.

They are signed with its own key, by a process of its own that reads the same database with the same settings, and that
has nothing else in common with it: what a worker remembers of tokens, it can only remember once it was shown them.
"""

import os
import subprocess
import sys

from sqlalchemy import func, select

from app import create_app
from auth import crypto, database, tokens
from bench.competitors import ROOT, Session
from bench.servers import Server
from config import load
from models import User, now


def mint(server: Server, many: int, people: int = 1000) -> list[Session]:
    """So many new tokens, the people in turn: as many accounts as asked for, spread over all that there are."""
    command = [sys.executable, "-m", "bench.minting", str(many), str(people)]
    done = subprocess.run(command, env={**os.environ, **server.environ}, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"Tokens could not be minted:\n{done.stderr[-4000:]}")
    return [Session(token) for token in done.stdout.split()]


def accounts(people: int) -> list[tuple[int, str]]:
    """Accounts at even distances, by id and name."""
    step = max(1, database.execute(select(func.count()).select_from(User)).scalar_one() // people)
    spread = select(User.id, User.username).where(User.id % step == 0).order_by(User.id).limit(people)
    return [(row.id, row.username) for row in database.execute(spread).all()]


def main() -> None:
    many, people = int(sys.argv[1]), int(sys.argv[2])
    chosen = load()
    with create_app(chosen).app_context():
        owners, time = accounts(people), int(now().timestamp())
        for number in range(many):
            user_id, name = owners[number % len(owners)]
            claims = {"jti": crypto.random_id(), "sid": f"crowd{user_id}", "auth_time": time, "amr": ["pwd"]}
            claims |= {"acr": "aal1", "preferred_username": name, "roles": ["user"]}
            print(tokens.mint(tokens.ACCESS, user_id, chosen.access_token_seconds, claims))


if __name__ == "__main__":
    main()
