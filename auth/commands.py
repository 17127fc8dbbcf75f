"""Commands for operators, under `flask`."""

import click
from flask import Flask
from flask.cli import AppGroup

from auth import audit, database, events, keys

keys_group = AppGroup("keys", help="The keys that sign tokens.")


@keys_group.command("rotate")
def rotate() -> None:
    """Sign with a new key from now on; tokens of the old one stay valid until they expire."""
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


@audit_group.command("verify")
def verify_audit() -> None:
    """Find any change or gap in the audit trail; exit 1 when there is one."""
    audit.seal()
    faults = list(audit.verify())
    for fault in faults:
        click.echo(fault)
    if faults:
        raise SystemExit(1)
    click.echo("the audit trail is whole")


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.cli.add_command(keys_group)
    app.cli.add_command(audit_group)
