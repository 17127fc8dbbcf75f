"""Commands for operators, under `flask`."""

import importlib
import logging
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, ScriptInfo

from auth import audit, database, events, keys, revocations, sessions, users, worker
from auth.factors import enrolled
from auth.users import Account
from models import now

log = logging.getLogger("gatehouse")

# They stand in every access token, which is to fit a cookie, and in a header, separated by commas.
ROLE = re.compile(r"[A-Za-z0-9_.:-]{1,32}")
MOST_ROLES = 20
SEEN = re.compile("[0-9]{1,18}:[0-9a-f]{64}")


@contextmanager
def _account_of(user: str) -> Iterator[Account]:
    """The account that USER names, in one transaction; what was revoked in it is seen by every worker afterwards."""
    with revocations.apart():
        account = users.find(user)
        if account is None:
            raise click.ClickException(f"there is no account {user}")
        yield account


keys_group = AppGroup("keys", help="The keys that sign tokens.")


@keys_group.command("rotate")
def rotate() -> None:
    """Publish a new key, which signs within a minute; tokens of the old one stay valid until they expire."""
    kid = keys.rotate()
    with database.apart():
        events.record("keys.rotated", kid=kid)
    click.echo(kid)


@keys_group.command("list")
def list_keys() -> None:
    """The keys in force, the signing one marked."""
    found = keys.current()
    for key in found.verifying.values():
        click.echo(f"{'*' if key is found.signing else ' '} {key.algorithm:6} {key.kid}")


audit_group = AppGroup("audit", help="The audit trail.")


def _seen(_context: click.Context, _parameter: click.Parameter, given: str | None) -> audit.Seen | None:
    """The row that an earlier run has seen."""
    if given is None:
        return None
    if not SEEN.fullmatch(given):
        raise click.BadParameter("POSITION:HASH, as an earlier run has printed it")
    position, _, known = given.partition(":")
    return audit.Seen(int(position), known)


@audit_group.command("verify")
@click.option(
    "--seen", metavar="POSITION:HASH", callback=_seen, help="What an earlier run has printed, kept elsewhere."
)
def verify_audit(seen: audit.Seen | None) -> None:
    """Find any change or gap in the audit trail; exit 1 when there is one.

    A trail that was put back to an earlier state is found by what was printed since: give it with --seen.
    """
    audit.seal()
    # Asked first, and then verified: what is printed is what the chain was found to hold.
    end = audit.end()
    faults = audit.verify(end, *([seen] if seen else []))
    for fault in faults:
        click.echo(fault)
    if faults:
        raise SystemExit(1)
    click.echo("the audit trail is whole")
    if seen and audit.is_purged(seen):
        click.echo(f"row {seen.position} was purged since it was seen")
    click.echo(f"seen {end.position}:{end.hash}")
    log.info("audit.verified", extra={"position": end.position, "hash": end.hash})


mail_group = AppGroup("mail", help="Letters.")


@mail_group.command("deliver")
@click.option("--once", is_flag=True, help="End as soon as nothing is due.")
@click.pass_obj
def deliver(info: ScriptInfo, once: bool) -> None:
    """Be the background worker, in a process of its own, until SIGTERM or Ctrl-C."""
    background = worker.Worker(info.load_app())
    if once:
        background.finish()
        return
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    background.run(lambda: not asked.is_set())


factors_group = AppGroup("factors", help="Second factors and passkeys.")


@factors_group.command("reset")
@click.argument("user")
def reset_factors(user: str) -> None:
    """Take every second factor and passkey from USER (a username or an address), who lost them; every session ends."""
    with _account_of(user) as account:
        removed = enrolled.reset(account.id)
        users.forget_devices(account.id)
        ended = sessions.revoke_all(account.id, "factors reset")
    click.echo(f"factors removed: {removed}, sessions ended: {ended}")


users_group = AppGroup("users", help="Accounts.")


@users_group.command("disable")
@click.argument("user")
def disable(user: str) -> None:
    """Let USER (a username or an address) in no more, by no way; every session ends."""
    with _account_of(user) as account:
        users.change(account.id, disabled_at=account.disabled_at or now())
        users.forget_devices(account.id)
        ended = sessions.revoke_all(account.id, "disabled")
        events.record("account.disabled", account.id)
    click.echo(f"disabled, sessions ended: {ended}")


@users_group.command("enable")
@click.argument("user")
def enable(user: str) -> None:
    """Let USER (a username or an address) sign in again."""
    with _account_of(user) as account:
        users.change(account.id, disabled_at=None)
        events.record("account.enabled", account.id)
    click.echo("enabled")


def _roles(_context: click.Context, _parameter: click.Parameter, given: str) -> list[str]:
    """The roles, each once; refuses what would not fit a header or a cookie."""
    roles = list(dict.fromkeys(name for name in map(str.strip, given.split(",")) if name))
    if len(roles) > MOST_ROLES or not all(ROLE.fullmatch(name) for name in roles):
        raise click.BadParameter(f"at most {MOST_ROLES}, each of at most 32 letters, digits and _ . : -")
    return roles


@users_group.command("roles")
@click.argument("user")
@click.argument("roles", callback=_roles)
def set_roles(user: str, roles: list[str]) -> None:
    """Give USER (a username or an address) exactly ROLES, separated by commas ("" for none); every session ends."""
    with _account_of(user) as account:
        users.change(account.id, roles=roles)
        users.forget_devices(account.id)
        ended = sessions.revoke_all(account.id, "roles changed")
        events.record("roles.changed", account.id, roles=roles)
    click.echo(f"roles: {', '.join(roles) or 'none'}, sessions ended: {ended}")


class Migrations:
    """What `flask db` finds among the extensions; the process that migrates loads what it stands for, and no other."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("auth.schema").configured(), name)


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.extensions["migrate"] = Migrations()
    app.cli.add_command(mail_group)
    app.cli.add_command(keys_group)
    app.cli.add_command(audit_group)
    app.cli.add_command(factors_group)
    app.cli.add_command(users_group)
