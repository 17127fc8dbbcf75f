"""The parts of README.md that are made from the code: the table of settings, and the map of the house."""

import ast
import re
from pathlib import Path

from auth.docs import tables
from config import ROOT

# What stands beside the code, in the order of the map.
BESIDE = {
    "requirements.txt": "what runs, pinned; requirements-dev.txt: what tests, checks and measures",
    ".env.example": "every setting with its default",
    "Makefile": "four verbs: run, test, check, bench, and a few more",
    "instance/": "the embedded database, development keys and mail; not in the repository",
    "migrations/": "the tables, step by step (Alembic)",
    "clients/": "packages for other services: verify tokens offline, in Python and in Node",
    "tests/": "conftest.py tells how they are written; flows/ through HTTP, contract/, support/",
    "bench/": "how fast it is, beside others",
    "docs/": "decisions (adr/), tables made from the code, the API document, the Postman collection",
}
LISTED = ("app.py", "config.py", "models.py", "auth/*.py", "auth/*/__init__.py", "auth/flows/*.py")


def renewed(text: str) -> str:
    """The README with its generated parts as they are now."""
    for name, made in {"settings": tables.settings(), "map": _map()}.items():
        inside = re.compile(rf"(<!-- {name}: made by `make docs` -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text = inside.sub(lambda found, made=made: f"{found[1]}{made}{found[2]}", text)  # type: ignore[misc]
    return text


def _map() -> str:
    """A line for each file of the house: its name and the first sentence of what it says of itself."""
    files = dict.fromkeys(file for pattern in LISTED for file in sorted(ROOT.glob(pattern)))
    told = {str(file.relative_to(ROOT)).removesuffix("__init__.py"): _first_sentence(file) for file in files} | BESIDE
    width = max(map(len, told)) + 2
    return "```\n" + "".join(f"{name:{width}}{text}\n" for name, text in told.items()) + "```\n"


def _first_sentence(file: Path) -> str:
    line = (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]
    return re.split(r"\.\s", line, maxsplit=1)[0].rstrip(".")
