"""Accounts and sessions by the thousand or the million, written straight into the service's database."""

import sqlite3
from pathlib import Path

import psycopg

# Everybody has the password of the first account; the statements are the same on both databases.
USERS = """
INSERT INTO users (username, username_key, username_skeleton, email, email_key, password_hash)
WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {many})
SELECT 'crowd' || i, 'crowd' || i, 'crowd' || i, 'crowd' || i || '@example.com', 'crowd' || i || '@example.com',
       first.password_hash
FROM numbers, (SELECT password_hash FROM users ORDER BY id LIMIT 1) AS first
"""
SESSIONS = """
INSERT INTO sessions (id, user_id, generation, enrol_only, rotated_at, amr, acr, auth_time, ip, user_agent,
                      created_at, last_used_at, idle_expires_at, expires_at)
SELECT 'crowd' || id, id, 0, false, created_at, 'pwd', 'aal1', created_at, '127.0.0.1', 'crowd',
       created_at, created_at, '2099-01-01 00:00:00', '2099-01-01 00:00:00'
FROM users WHERE username LIKE 'crowd%'
"""


def gather(url: str, many: int, named: int | None = None) -> list[dict[str, str]]:
    """Write `many` accounts with a session each; at least one account must exist already.

    Gives the names of all, or of so many at even distances.
    """
    execute(url, USERS.format(many=many), SESSIONS, "ANALYZE")
    numbers = range(1, many + 1, many // named if named else 1)[:named]
    return [{"username": f"crowd{number}", "email": f"crowd{number}@example.com"} for number in numbers]


def execute(url: str, *statements: str) -> None:
    """Run statements on either database, each by itself."""
    if url.startswith("sqlite"):
        file = sqlite3.connect(Path(url.removeprefix("sqlite:///")), timeout=30, isolation_level=None)
        for statement in statements:
            file.execute(statement)
        file.close()
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())
