"""The house keeps its order: who may import whom, where a transaction is committed, how large a part may grow.

A new file under `auth/` gets a place in ROWS; a folder stands for the file of the same name that outgrew itself.
"""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median
from typing import Any

from tests.support.run import ROOT

# From the roof to the ground: a file imports only what stands in a lower row.
ROWS = (
    ("app",),
    ("commands", "docs", "server"),
    ("flows",),
    ("openapi", "worker", "schema"),
    ("endpoint",),
    ("refusals",),
    ("answers",),
    ("transport",),
    ("headers", "logs", "parsing", "paging", "proxies"),
    ("sessions", "access"),
    ("factors", "notices", "session_rows"),
    ("connectors", "links"),
    ("passwords", "one_time", "tokens"),
    ("limits", "mail"),
    ("breaches", "hashing", "keys", "revocations", "users"),
    ("audit", "devices", "events"),
    ("crypto", "database", "fields", "framework", "provider", "useragent"),
    ("embedded", "lookalikes", "patience", "problems"),
    ("outages",),
    ("metrics",),
    ("models",),
    ("config",),
    ("guessable",),
)
ROW_OF = {part: number for number, row in enumerate(ROWS) for part in row}

# Lines a file may have. A flow tells one story; the lists of problems, tables and settings are read by looking up.
LONGEST_FILE = {"app.py": 120, "models.py": 400, "config.py": 360, "auth/problems.py": 400}
LONGEST_FLOW = 250
LONGEST_KERNEL = 250
LONGEST_FUNCTION = 40
VAGUE = re.compile(
    r"Manager|Service|Helper|Util|Factory|Handler|(^|_)(helpers?|utils?|misc|common|manager|service)(_|$)"
)

FILES = sorted([*ROOT.glob("*.py"), *ROOT.glob("auth/**/*.py")])
MODULES = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def name_of(file: Path) -> str:
    return next(name for name, known in MODULES.items() if known == file)


def part_of(module: str) -> str:
    """The part of the house a module belongs to: `auth.flows.login` belongs to `flows`."""
    return module.removeprefix("auth.").partition(".")[0]


def imported(file: Path) -> Iterator[str]:
    """The modules of ours that a file imports, at once or late."""
    for node in ast.walk(tree(file)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            names = [name.value for name in node.args if isinstance(name, ast.Constant)]
        for name in names:
            if found := name if name in MODULES else name.rpartition(".")[0]:
                yield from [found] if found in MODULES and found != "auth" else []


def functions(file: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def found(check: Callable[[Path], Any]) -> dict[str, Any]:
    """What a check finds wrong, by file."""
    return {str(file.relative_to(ROOT)): wrong for file in FILES if (wrong := check(file))}


def test_every_file_has_its_place():
    unknown = [name for name in MODULES if name != "auth" and part_of(name) not in ROW_OF]
    assert unknown == [], "say in ROWS where they stand"


def test_a_file_imports_only_what_stands_lower():
    def upward(file):
        own = part_of(name_of(file))
        return [name for name in imported(file) if part_of(name) != own and ROW_OF[part_of(name)] <= ROW_OF[own]]

    assert found(upward) == {}


def test_a_flow_imports_no_flow():
    def other_flows(file):
        is_flow = file.parent.name == "flows" and file.name != "__init__.py"
        return [name for name in imported(file) if is_flow and part_of(name) == "flows"]

    assert found(other_flows) == {}


def test_imports_make_no_circle():
    TopologicalSorter({name: set(imported(file)) for name, file in MODULES.items()}).prepare()


def test_imports_stand_at_the_top_and_are_absolute():
    def elsewhere(file):
        top = {id(node) for node in tree(file).body}
        everywhere = [node for node in ast.walk(tree(file)) if isinstance(node, ast.Import | ast.ImportFrom)]
        return [node.lineno for node in everywhere if id(node) not in top or getattr(node, "level", 0)]

    assert found(elsewhere) == {}


def test_only_the_door_commits_and_the_transaction_apart():
    def commits(file):
        calls = [node.func for node in ast.walk(tree(file)) if isinstance(node, ast.Call)]
        return [call.lineno for call in calls if isinstance(call, ast.Attribute) and call.attr == "commit"]

    assert {file: len(lines) for file, lines in found(commits).items()} == {
        "auth/endpoint.py": 1,
        "auth/database.py": 1,
    }


def test_a_file_is_small_enough_to_be_read_at_once():
    def too_long(file):
        relative = str(file.relative_to(ROOT))
        usual = LONGEST_FLOW if relative.startswith("auth/flows/") else LONGEST_KERNEL
        lines = len(file.read_text().splitlines())
        return lines if lines > LONGEST_FILE.get(relative, usual) else None

    assert found(too_long) == {}


def test_a_function_is_short():
    assert found(lambda file: [node.name for node in functions(file) if length(node) > LONGEST_FUNCTION]) == {}


def test_most_functions_are_very_short():
    assert median(length(function) for file in FILES for function in functions(file)) <= 10


def test_names_say_what_a_thing_is():
    def vague(file):
        defined = [node.name for node in ast.walk(tree(file)) if isinstance(node, ast.ClassDef)]
        names = [file.stem, *defined, *(function.name for function in functions(file))]
        return [name for name in names if VAGUE.search(name)]

    assert found(vague) == {}


def test_whatever_is_public_says_what_it_does():
    def silent(file):
        members = [node for node in ast.walk(tree(file)) if isinstance(node, ast.ClassDef)]
        inside = [outer for outer in members if outer.name.startswith("_")] + functions(file)
        nested = {id(inner) for outer in inside for inner in ast.walk(outer) if inner is not outer}
        public = [
            node for node in [*members, *functions(file)] if not node.name.startswith("_") and id(node) not in nested
        ]
        return [node.name for node in public if not ast.get_docstring(node)]

    assert found(silent) == {}
    assert found(lambda file: not ast.get_docstring(tree(file))) == {}


def test_nothing_is_left_for_later():
    assert found(lambda file: re.findall(r"TODO|FIXME|XXX|HACK", file.read_text())) == {}
