"""The documents of the repository that are made from the code: `flask docs` writes them, a test keeps them current."""

from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from auth import openapi
from auth.docs import limits, postman, readme, requirements, tables
from config import ROOT

COLLECTION = "docs/gatehouse.postman_collection.json"


def texts(app: Flask) -> dict[str, str]:
    """Every generated document, by its path in the repository."""
    api = openapi.document(app, tables.DEFAULT_URL)
    return {
        "docs/openapi.json": postman.pretty(api),
        COLLECTION: postman.pretty(postman.collection(api)),
        "docs/events.md": tables.events(),
        "docs/problems.md": tables.problems(openapi.routes(app)),
        "docs/limits.md": limits.limits(openapi.routes(app)),
        "docs/fields.md": tables.fields(api),
        "docs/security-map.md": requirements.security_map(ROOT),
        ".env.example": tables.example_settings(),
        "README.md": readme.renewed((ROOT / "README.md").read_text()),
    }


def write(app: Flask, folder: Path) -> list[str]:
    """Write the documents that have changed; their paths."""
    changed = []
    for name, text in texts(app).items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            changed.append(name)
    return changed


@click.command("docs", help="Write the generated documents anew.")
@with_appcontext
def command() -> None:
    """Write them and say which have changed."""
    changed = write(current_app, ROOT)
    click.echo("\n".join(changed) or "Every document is current.")


def init_app(app: Flask) -> None:
    """Register the command."""
    app.cli.add_command(command)
