"""Commands for operators, under `flask`."""

import click
from flask import Flask
from flask.cli import AppGroup

from auth import database, events, keys

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


def init_app(app: Flask) -> None:
    """Register the commands."""
    app.cli.add_command(keys_group)
