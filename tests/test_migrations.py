"""The migrations end in exactly the tables of models.py, on both databases, and lead back."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import UniqueConstraint, create_engine, inspect, text

from auth import schema
from models import Base
from tests.support import application

FOLDER = str(schema.FOLDER)
TRIGGERS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname, pg_get_triggerdef(tg.oid) || pg_get_functiondef(tgfoid) FROM pg_trigger tg"
    " WHERE NOT tgisinternal",
}
COLUMNS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
    "postgresql": "SELECT table_name || '.' || column_name, concat_ws(' ', data_type, character_maximum_length,"
    " is_nullable, column_default, is_identity) FROM information_schema.columns WHERE table_schema = 'public'",
}


class Blank:
    """A database without tables, and an application on it."""

    def __init__(self, kind, url, folder):
        self.kind = kind
        self.app = application.build(url, folder)
        self.engine = create_engine(self.app.config["SQLALCHEMY_DATABASE_URI"])

    def migrate(self, command):
        with self.app.app_context():
            command(directory=FOLDER)

    def asked(self, statements):
        with self.engine.connect() as connection:
            rows = connection.execute(text(statements[self.kind])).all()
        return {name: " ".join(sql.split()) for name, sql in rows if not name.startswith("alembic")}

    def tables(self):
        return set(inspect(self.engine).get_table_names()) - {"alembic_version"}

    def close(self):
        self.engine.dispose()
        application.close(self.app)


@pytest.fixture
def make_blank(database_kind, databases, run):
    made = []

    def make():
        made.append(Blank(database_kind, databases.blank_url(database_kind), run.new_folder("instance")))
        return made[-1]

    yield make
    for blank in made:
        blank.close()


@pytest.fixture
def migrated(make_blank):
    blank = make_blank()
    blank.migrate(upgrade)
    return blank


def test_alembic_finds_no_difference_to_the_tables_of_the_code(migrated):
    # PostgreSQL cannot compare the defaults of JSON columns; the next test compares them as text.
    options = {"compare_type": True, "compare_server_default": migrated.kind == "sqlite"}
    with migrated.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def words(sql):
    """A statement of SQLite without what may differ: quotes, blanks, and in which order constraints stand."""
    return sorted(sql.replace('"', "").replace("(", " ( ").replace(")", " ) ").replace(",", " , ").split())


def test_tables_and_triggers_are_those_that_the_code_would_create(migrated, make_blank):
    created = make_blank()
    Base.metadata.create_all(created.engine)
    assert migrated.tables() == created.tables()
    assert migrated.asked(TRIGGERS) == created.asked(TRIGGERS)
    columns = migrated.asked(COLUMNS), created.asked(COLUMNS)
    assert columns[0].keys() == columns[1].keys()
    assert [name for name in columns[0] if words(columns[0][name]) != words(columns[1][name])] == []


def test_indexes_and_constraints_have_the_names_of_the_code(migrated):
    found = inspect(migrated.engine)
    for table in Base.metadata.sorted_tables:
        expected = {str(index.name) for index in table.indexes}
        unique = {one["name"] for one in found.get_unique_constraints(table.name)}
        assert {index["name"] for index in found.get_indexes(table.name)} - unique == expected
        assert unique == {one.name for one in table.constraints if isinstance(one, UniqueConstraint)}


def test_the_database_is_then_at_the_newest_revision(migrated):
    with migrated.app.app_context():
        assert schema.revision() == schema.newest()


def test_a_second_upgrade_changes_nothing(migrated):
    before = migrated.asked(COLUMNS)
    migrated.migrate(upgrade)
    assert migrated.asked(COLUMNS) == before


def test_the_way_back_leaves_nothing_and_can_be_gone_again(migrated):
    with migrated.app.app_context():
        downgrade(directory=FOLDER, revision="base")
    assert migrated.tables() == set()
    migrated.migrate(upgrade)
    assert migrated.tables() == {table.name for table in Base.metadata.sorted_tables}


def test_preparing_an_empty_database_migrates_and_makes_a_key_once(make_blank):
    blank = make_blank()
    for _ in range(2):
        with blank.app.app_context():
            schema.prepare()
    with blank.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM signing_keys")).scalar_one() == 1


INSERT = (
    "INSERT INTO users (username, email, password_hash, username_key, username_skeleton, email_key)"
    " VALUES ('ada', 'ada@example.org', 'x', 'ada', 'ada', 'ada@example.org')"
)
MOMENTS = "SELECT created_at, updated_at FROM users"


def touched(engine, statement):
    """`created_at` and `updated_at` of a row before and after a statement; the row was made an hour ago."""
    long_ago = "2020-01-01 00:00:00+00" if engine.dialect.name == "postgresql" else "2020-01-01 00:00:00.000000"
    with engine.begin() as connection:
        connection.execute(text(INSERT))
        connection.execute(text("UPDATE users SET updated_at = :then, created_at = :then"), {"then": long_ago})
        before = connection.execute(text(MOMENTS)).one()
        connection.execute(text(statement))
        return before, connection.execute(text(MOMENTS)).one()


def test_the_database_itself_dates_a_new_row(migrated):
    with migrated.engine.begin() as connection:
        connection.execute(text(INSERT))
        created, updated = connection.execute(text(MOMENTS)).one()
    assert created
    assert updated


def test_the_database_itself_keeps_updated_at_whatever_program_changes_a_row(migrated):
    before, after = touched(migrated.engine, "UPDATE users SET locale = 'de'")
    assert after.created_at == before.created_at
    assert after.updated_at > before.updated_at


def test_a_program_that_says_when_it_was_updated_is_believed(migrated):
    _, after = touched(migrated.engine, "UPDATE users SET updated_at = '2021-01-01 00:00:00.000000+00'")
    assert str(after.updated_at).startswith("2021-01-01")
