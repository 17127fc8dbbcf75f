"""What the source must not hold, read from its syntax: no shell, no evaluation, no SQL as text, no weak algorithm."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.run import ROOT

FILES = {
    str(file.relative_to(ROOT)): ast.parse(file.read_text())
    for file in sorted([ROOT / "app.py", ROOT / "config.py", ROOT / "models.py", *ROOT.glob("auth/**/*.py")])
}
# What makes the documents of the repository is no part of the service that runs.
SERVED = {name: tree for name, tree in FILES.items() if not name.startswith("auth/docs/")}


def modules(tree: ast.Module) -> set[str]:
    """The modules that a file imports, and the names that it takes from them."""
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return found | {f"{node.module}.{alias.name}" for node in taken for alias in node.names}


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the name of what is called, as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def importers(package: str) -> set[str]:
    """The files that import a package."""
    return {name for name, tree in FILES.items() if any(f"{one}.".startswith(f"{package}.") for one in modules(tree))}


@pytest.mark.asvs("1.2.5", "1.3.2", "1.5.2")
@pytest.mark.parametrize(
    "package",
    ["subprocess", "pty", "pickle", "marshal", "shelve", "dill", "yaml", "ctypes", "code", "runpy", "xml", "lxml"],
)
def test_nothing_starts_a_program_or_reads_what_could_run(package):
    assert importers(package) == set()


@pytest.mark.asvs("1.2.5", "1.3.2")
def test_nothing_is_evaluated_and_no_shell_is_called():
    forbidden = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
    spawning = re.compile(r"os\.(exec|spawn|posix_spawn|fork)")
    found = [
        f"{name}: {called}" for name, tree in SERVED.items() for called, _ in calls(tree)
        if called in forbidden or spawning.match(called)
    ]  # fmt: skip
    assert found == []


@pytest.mark.asvs("1.3.2")
def test_what_is_imported_late_stands_in_the_source_by_its_name():
    late = [
        call.args[0] for tree in SERVED.values() for called, call in calls(tree)
        if called == "importlib.import_module"
    ]  # fmt: skip
    assert all(isinstance(name, ast.Constant) for name in late)


@pytest.mark.asvs("1.2.9")
def test_no_regular_expression_is_made_from_what_comes_in():
    made = [
        (name, call.args[0]) for name, tree in SERVED.items() for called, call in calls(tree)
        if re.fullmatch(r"re\.\w+", called)
    ]  # fmt: skip
    assert made
    assert [name for name, pattern in made if not isinstance(pattern, ast.Constant)] == []


@pytest.mark.asvs("1.2.4")
def test_no_statement_is_made_from_text():
    assert not importers("sqlalchemy.literal_column")
    assert importers("sqlalchemy.text") == {"models.py"}
    texts = [
        (name, call.args[0])
        for name, tree in SERVED.items()
        for called, call in calls(tree)
        if called.endswith(("exec_driver_sql", "cursor.execute"))
    ]
    # Made of constants: what SQLite is told with each connection, and the triggers of the tables.
    assert {name for name, text in texts if not isinstance(text, ast.Constant)} <= {"auth/embedded.py", "models.py"}


# Where cryptography is made, and what each file may make it with; docs/cryptography.md tells what for.
CRYPTOGRAPHY = {
    "hashlib": {"auth/crypto.py", "auth/breaches.py", "auth/answers.py"},
    "hmac": {"auth/crypto.py", "auth/passwords.py"},
    "bcrypt": {"auth/passwords.py"},
    "cryptography": {"auth/crypto.py", "auth/keys.py", "auth/factors/ceremonies.py"},
    "jwt": {"auth/keys.py", "auth/tokens.py", "auth/flows/published.py"},
    "pyotp": {"auth/factors/totp.py"},
    "ssl": {"auth/connectors/post.py"},
}


@pytest.mark.asvs("11.1.3", "11.2.1")
@pytest.mark.parametrize("package", CRYPTOGRAPHY)
def test_cryptography_stands_where_it_belongs(package):
    assert importers(package) <= CRYPTOGRAPHY[package]


@pytest.mark.asvs("11.2.1", "11.3.1")
@pytest.mark.parametrize("package", ["Crypto", "Cryptodome", "nacl", "jose", "passlib", "ecdsa", "rsa", "itsdangerous"])
def test_no_other_cryptography_is_used(package):
    assert importers(package) == set()


@pytest.mark.asvs("11.5.1", "6.5.3", "11.6.1")
def test_chance_comes_from_the_operating_system():
    assert importers("random") == importers("uuid") - {"auth/docs/postman.py"} == set()


@pytest.mark.asvs("11.3.1", "11.4.1")
def test_no_weak_algorithm_is_named():
    """SHA-1 is what the breach service is asked by, and inside pyotp what authenticator apps count with."""
    weak = re.compile(r"md5|\bsha1\b|\bECB\b|\bCBC\b|PKCS1v15|TripleDES|\bRC4\b|ARC4|Blowfish|\bDES\b", re.IGNORECASE)
    named = {name: weak.findall(ast.unparse(tree)) for name, tree in SERVED.items()}
    assert {name: found for name, found in named.items() if found} == {"auth/breaches.py": ["sha1"]}


SECRET = re.compile(r"secret|token|password|\bcode\b|csrf|proof|signature|digest|hash|pepper|\bmac\b", re.IGNORECASE)
# No secret, or no secret that the one who asks does not know.
PUBLIC = {
    "auth/audit.py: (position, previous) != (head.last_position, head.last_hash)",
    "auth/audit.py: row.previous_hash != previous",
    "auth/breaches.py: suffix == digest[PREFIX:]",
    "auth/factors/passkeys.py: account.password_hash == passwords.UNUSABLE",
    "auth/flows/password_change.py: body.new_password == body.current_password",
    "auth/mail/letters.py: last == values.get('code')",
    "auth/tokens.py: base64url_encode(base64url_decode(signature)).decode() != signature",
}


@pytest.mark.asvs("11.2.4")
def test_secrets_are_compared_in_constant_time():
    """A column is compared by the database, and then it is a hash; everything else by `crypto.same` and `proves`."""
    found = {
        f"{name}: {ast.unparse(node)}" for name, tree in SERVED.items() for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and _compares_secrets(node)
    }  # fmt: skip
    assert found - PUBLIC == set()


def _compares_secrets(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    texts = [ast.unparse(side) for side in sides]
    equal = all(isinstance(how, ast.Eq | ast.NotEq) for how in node.ops)
    column = any(re.match(r"[A-Z]\w+\.", text) for text in texts)
    plain = any(isinstance(side, ast.Constant | ast.Compare) or ast.unparse(side).isupper() for side in sides)
    return equal and not column and not plain and any(SECRET.search(text) for text in texts)


@pytest.mark.asvs("1.1.2")
def test_html_comes_from_templates_that_escape():
    environments = [call for tree in SERVED.values() for called, call in calls(tree) if called == "Environment"]
    assert environments
    assert all(any(keyword.arg == "autoescape" for keyword in call.keywords) for call in environments)
    assert importers("markupsafe") == set()
    unescaped = re.compile(r"\|\s*safe\b|autoescape false|Markup")
    templates = [*ROOT.glob("auth/templates/**/*.html"), *ROOT.glob("auth/templates/**/*.txt")]
    assert [str(file) for file in templates if unescaped.search(file.read_text())] == []
    built = re.compile(r"<(a|b|p|div|span|html|body|img|script)[ >]", re.IGNORECASE)
    texts = [node for tree in SERVED.values() for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    assert [ast.unparse(text) for text in texts if built.search(ast.unparse(text))] == []
