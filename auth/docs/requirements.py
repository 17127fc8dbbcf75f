"""docs/security-map.md: each security requirement with the tests and documents that show it holds.

A test names the requirements it proves in `@pytest.mark.asvs("6.2.8")`; a document in an anchor `<!-- asvs: 6.2.8 -->`.
"""

import ast
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from auth.docs.tables import headed, table

DATA = "docs/requirements.tsv"
OWN = "docs/security-map.md"
# The parts that the service has; what belongs to another part waits for it.
BUILT = ("core", "hostile", "mail", "factors")
_ANCHOR = re.compile(r"<!--\s*asvs:([^>]*?)-->")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One row of docs/requirements.tsv."""

    id: str
    level: str
    part: str
    chapter: str
    shows: str

    @property
    def built(self) -> bool:
        """Whether the service has the part that must show it."""
        return self.part.partition(" ")[0] in BUILT


def requirements(root: Path) -> list[Requirement]:
    """Every requirement, in its order."""
    with (root / DATA).open() as file:
        return [Requirement(*row) for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)][1:]


def proofs(root: Path) -> dict[str, list[str]]:
    """Links, relative to docs/, to what shows each requirement."""
    found: dict[str, list[str]] = {}
    for file in sorted(file for file in (root / "tests").rglob("test_*.py") if "node_modules" not in file.parts):
        where = f"../{file.relative_to(root)}"
        for name, ids in _marked(ast.parse(file.read_text())):
            for one in ids:
                found.setdefault(one, []).append(f"[{_sentence(name)}]({where})")
    for file in sorted([*root.glob("*.md"), *root.glob("docs/**/*.md")]):
        name = str(file.relative_to(root))
        for ids in _ANCHOR.findall(file.read_text()) if name != OWN else []:
            for one in ids.split(","):
                where = name.removeprefix("docs/") if name.startswith("docs/") else f"../{name}"
                found.setdefault(one.strip(), []).append(f"[{name}]({where})")
    return {one: list(dict.fromkeys(links)) for one, links in found.items()}


def unproven(root: Path) -> list[Requirement]:
    """What nothing shows although the service has its part."""
    shown = proofs(root)
    return [row for row in requirements(root) if row.built and row.id not in shown]


def security_map(root: Path) -> str:
    """The document: a table for each chapter, and first what it comes to."""
    rows, shown = requirements(root), proofs(root)
    chapters = dict.fromkeys(row.chapter for row in rows)
    sections = [
        f"\n## {chapter}\n\n" + table(["id", "L", "part", "to show", "shown by"], (
            [row.id, row.level, row.part, row.shows, _state(row, shown)] for row in rows if row.chapter == chapter
        ))
        for chapter in chapters
    ]  # fmt: skip
    return _head(rows, shown) + "".join(sections)


def _head(rows: list[Requirement], shown: dict[str, list[str]]) -> str:
    built = [row for row in rows if row.built]
    proven = sum(row.id in shown for row in built)
    text = f"""What OWASP ASVS 5.0 and the standards ask of this service, in words of our own, and what shows it.

Of {len(built)} requirements whose part is built ({", ".join(BUILT)}), {proven} are shown and {len(built) - proven}
open; {len(rows) - len(built)} belong to parts that are not built yet."""
    return headed("Security map", text).rstrip() + "\n"


def _state(row: Requirement, shown: dict[str, list[str]]) -> str:
    if row.id in shown:
        return "<br>".join(shown[row.id])
    return "open" if row.built else "part not built yet"


def _marked(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """The functions of a test file with the requirements that they, their class or the whole file are marked with."""
    everywhere = [
        one for node in tree.body if isinstance(node, ast.Assign) and "pytestmark" in ast.unparse(node.targets[0])
        for one in _ids(node.value)
    ]  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            ids = [*everywhere, *(one for decorator in node.decorator_list for one in _ids(decorator))]
            yield node.name, list(dict.fromkeys(ids))


def _ids(marker: ast.expr) -> Iterator[str]:
    """The arguments of every `pytest.mark.asvs(...)` inside an expression."""
    for call in ast.walk(marker):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.asvs":
            yield from (str(one.value) for one in call.args if isinstance(one, ast.Constant))


def _sentence(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")
