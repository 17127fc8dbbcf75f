"""The documents say what is: the generated ones are current, the written ones link to what exists."""

import re

import pytest

from auth import docs
from auth.docs import requirements
from config import Settings
from tests.support.run import ROOT

WRITTEN = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("clients/*/*.md")])


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.asvs("2.1.1")
def test_every_generated_document_is_current(app):
    stale = [name for name, text in docs.texts(app).items() if (ROOT / name).read_text() != text]
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_make_docs_writes_what_has_changed(app, tmp_path):
    for name in docs.texts(app):
        (tmp_path / name).parent.mkdir(exist_ok=True)
    assert sorted(docs.write(app, tmp_path)) == sorted(docs.texts(app))
    assert docs.write(app, tmp_path) == []


def test_the_example_settings_are_the_defaults():
    example = Settings(_env_file=ROOT / ".env.example")
    assert example == Settings(_env_file=None)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_what_it_is_for(name):
    assert Settings.model_fields[name].description
    assert f"| `{name.upper()}` |" in (ROOT / "README.md").read_text()


def test_the_map_of_the_house_shows_every_file():
    readme = (ROOT / "README.md").read_text()
    files = [
        file
        for file in ROOT.glob("auth/**/*.py")
        if file.parent.name in ("auth", "flows") or file.name == "__init__.py"
    ]
    names = [str(file.relative_to(ROOT)).removesuffix("__init__.py") for file in files]
    assert [name for name in names if f"\n{name} " not in readme] == []


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", file.read_text())
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in local if not (file.parent / link).exists()] == []


def test_every_mark_names_a_requirement():
    known = {row.id for row in requirements.requirements(ROOT)}
    assert set(requirements.proofs(ROOT)) - known == set()


def test_every_requirement_of_what_is_built_is_shown():
    assert [row.id for row in requirements.unproven(ROOT)] == []
