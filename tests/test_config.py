"""The settings, and every way in which the service is started."""

import os
import socket
import stat
import subprocess
import sys

import httpx
import jwt
import pytest

import config
from auth import schema
from config import Settings, SettingsError, load
from tests.support.marks import one_database
from tests.support.processes import Program, clean_environment, free_port, wait_until
from tests.support.run import ROOT

SECRET = "Vd8-kq2XwLzP5tRf7YbNc3HmJ9sGa4Ue"
SAFE = {
    "APP_ENV": "production",
    "SECRET_KEY": SECRET,
    "PUBLIC_URL": "https://auth.example.org",
    "FRONTEND_URL": "https://app.example.org",
    "MAIL_URL": "smtps://user:hidden@mail.example.org",
}


def refusal(**given):
    """The message with which these settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load(given)
    return str(caught.value)


# What is refused


def test_a_setting_that_does_not_exist_stops_the_start():
    assert "BCRYPT_ROUND: is not a setting" in refusal(BCRYPT_ROUND=12)


def test_an_unknown_line_in_the_settings_file_stops_the_start(tmp_path):
    file = tmp_path / ".env"
    file.write_text("BCRYPT_ROUND=12\n")
    with pytest.raises(ValueError, match="bcrypt_round"):
        Settings(_env_file=file)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"), ("PORT", 70000), ("WORKERS", 0), ("BCRYPT_ROUNDS", 3), ("BCRYPT_ROUNDS", 40),
        ("APP_ENV", "prod"), ("RATE_LIMITS", "perhaps"), ("JWT_ALGORITHM", "none"), ("JWT_ALGORITHM", "HS512"),
        ("PUBLIC_URL", "auth.example.org"), ("PUBLIC_URL", "ftp://auth.example.org"),
        ("CORS_ORIGINS", "*"), ("CORS_ORIGINS", "https://*.example.org"),
        ("CORS_ORIGINS", "https://app.example.org/"), ("ACCESS_TOKEN_SECONDS", 0), ("PASSWORD_MIN_LENGTH", 4),
        ("REGISTRATION", "ajar"), ("REFRESH_GRACE_SECONDS", -1), ("LOG_LEVEL", "loud"), ("TRUSTED_PROXIES", -1),
    ],
)  # fmt: skip
def test_a_malformed_setting_is_refused_by_name(name, value):
    assert f"{name}: " in refusal(**{name: value})


def test_every_malformed_setting_is_named_at_once():
    message = refusal(PORT="x", BCRYPT_ROUNDS="y", UNKNOWN="z")
    assert all(f"{name}: " in message for name in ("PORT", "BCRYPT_ROUNDS", "UNKNOWN"))


def test_a_refusal_never_shows_a_value():
    message = refusal(PORT=SECRET, UNKNOWN=SECRET, SECRET_KEY=["x" + SECRET])
    assert SECRET not in message


def test_production_without_settings_names_everything_that_is_unsafe():
    message = refusal(APP_ENV="production", RATE_LIMITS=False, BCRYPT_ROUNDS=4, CORS_ORIGINS="http://app.example.org")
    for name in (
        "PUBLIC_URL",
        "FRONTEND_URL",
        "SECRET_KEY",
        "RATE_LIMITS",
        "BCRYPT_ROUNDS",
        "MAIL_URL",
        "CORS_ORIGINS",
    ):
        assert name in message


@pytest.mark.asvs("11.2.3", "13.2.3")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""), ("SECRET_KEY", SECRET[:31]), ("SECRET_KEY", "a" * 40), ("SECRET_KEY", "change-me" + SECRET),
        ("SECRET_KEY", "0123456789" * 4), ("PUBLIC_URL", "http://auth.example.org"), ("RATE_LIMITS", "off"),
        ("FRONTEND_URL", "http://app.example.org"), ("BCRYPT_ROUNDS", 9), ("MAIL_URL", "file:///var/mail"),
        ("CORS_ORIGINS", "http://app.example.org"),
    ],
)  # fmt: skip
def test_production_refuses_one_unsafe_value_and_names_it(name, value):
    assert name in refusal(**SAFE | {name: value})


def test_production_starts_with_safe_values():
    settings = load(SAFE)
    assert settings.production
    assert settings.secure_cookies


# Where settings come from


def test_the_environment_and_the_file_are_read_when_nothing_is_given(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("JWT_AUDIENCE=from-file\nSERVICE_NAME=from-file\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setenv("SERVICE_NAME", "from-environment")
    monkeypatch.setenv("INSTANCE_PATH", str(tmp_path))
    settings = load()
    assert (settings.jwt_audience, settings.service_name) == ("from-file", "from-environment")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"PORT": 8977}, "http://127.0.0.1:8977"),
        ({"HOST": "0.0.0.0", "PORT": "9000"}, "http://127.0.0.1:9000"),  # noqa: S104 (nothing listens here)
        ({"HOST": "::"}, "http://[::1]:8000"),
        ({"HOST": "auth.internal"}, "http://auth.internal:8000"),
    ],
)
def test_a_service_is_where_it_listens_unless_it_is_told_otherwise(tmp_path, given, url):
    settings = load({"INSTANCE_PATH": tmp_path} | given)
    assert (settings.public_url, settings.frontend_url) == (url, url)
    told = load({"INSTANCE_PATH": tmp_path, "PUBLIC_URL": "https://auth.example.org"} | given)
    assert (told.public_url, told.frontend_url) == ("https://auth.example.org", url)


def test_a_port_that_is_none_is_the_only_fault():
    assert "_URL" not in refusal(PORT="x", HOST="127.0.0.1")


def test_what_is_given_is_all_there_is(monkeypatch, tmp_path):
    monkeypatch.setenv("JWT_AUDIENCE", "from-environment")
    assert load({"INSTANCE_PATH": tmp_path}).jwt_audience == "gatehouse"


def test_a_development_makes_its_secret_once_and_keeps_it_to_itself(tmp_path):
    first, second = load({"INSTANCE_PATH": tmp_path}), load({"INSTANCE_PATH": tmp_path})
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) >= 32
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_driver_of_the_database_need_not_be_named(scheme):
    settings = load({"DATABASE_URL": f"{scheme}://db.example.org/auth", "SECRET_KEY": SECRET})
    assert settings.sqlalchemy_url == "postgresql+psycopg://db.example.org/auth"


def test_settings_cannot_be_changed_while_they_are_in_force():
    with pytest.raises(ValueError, match="frozen"):
        load(SAFE).port = 1


# How the service is started


def in_a_process(code, tmp_path, **environment):
    """What a fresh process prints that runs this code beside the service."""
    env = clean_environment(PYTHONPATH=ROOT, PYTHONWARNINGS="error", INSTANCE_PATH=tmp_path / "instance", **environment)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True).stdout


def test_importing_builds_nothing_and_reads_no_environment(tmp_path):
    code = "import app, models, config; from app import create_app; print(sorted(vars(app)))"
    assert "'app'" not in in_a_process(code, tmp_path, APP_ENV="nonsense", DATABASE_URL="nonsense")
    assert os.listdir(tmp_path) == []


def test_a_service_on_sqlite_alone_loads_nothing_that_only_others_need(tmp_path):
    """docs/adr/0014: each of these is megabytes in every worker."""
    late = ["alembic", "psycopg", "redis", "rich", "segno", "sqlalchemy.dialects.postgresql", "webauthn", "zxcvbn"]
    code = f"import sys, app; app.create_app(); print([name for name in {late} if name in sys.modules])"
    assert in_a_process(code, tmp_path).strip() == "[]"


def test_the_factory_takes_settings_or_reads_them(tmp_path):
    code = "from app import create_app; print(create_app().name, create_app({'INSTANCE_PATH': 'here'}).name)"
    assert in_a_process(code, tmp_path) == "gatehouse gatehouse\n"
    assert sorted(os.listdir(tmp_path)) == ["here", "instance"]


def test_the_application_is_built_when_a_server_asks_for_it_and_once(tmp_path):
    code = "import app; print(app.app is app.app, app.app.name, hasattr(app, 'nonsense'))"
    assert in_a_process(code, tmp_path) == "True gatehouse False\n"


@pytest.fixture
def started(run, tmp_path):
    """Starts the service by a command of its own and waits until it is ready; returns a client of it."""
    programs, clients = [], []

    def start(*command):
        port = free_port()
        env = clean_environment(
            PORT=port, WORKERS=1, INSTANCE_PATH=tmp_path / "instance", FLASK_APP="app", BCRYPT_ROUNDS=4, PYTHONPATH=ROOT
        )
        arguments = [sys.executable, *(str(part).format(port=port) for part in command)]
        programs.append(Program(arguments, register=run.register, log=tmp_path / "log", env=env, cwd=ROOT))
        clients.append(httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10))
        wait_until(lambda: ready(programs[-1], clients[-1]), "the service is ready", 60)
        return clients[-1]

    yield start
    for client in clients:
        client.close()
    for program in programs:
        program.stop()


def ready(program, client):
    assert program.running, program.log
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    "command",
    [
        ["app.py"],
        ["-m", "flask", "run", "--port", "{port}"],
        ["-m", "granian", "--interface", "wsgi", "--port", "{port}", "app:app"],
    ],
    ids=["python app.py", "flask run", "app:app"],
)
def test_every_way_of_starting_serves_on_an_empty_folder(started, command):
    client = started(*command)
    person = {"username": "ada", "email": "ada@example.org", "password": "Tulip-Anvil-Crater-59"}
    assert client.post("/auth/register", json=person).status_code == 201
    assert client.get("/.well-known/jwks.json").json()["keys"]
    tokens = client.post("/auth/login", json={"identifier": "ada", "password": person["password"]}).json()
    assert jwt.decode(tokens["access_token"], options={"verify_signature": False})["iss"] == str(client.base_url)


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1", "Address already in use"), ("no such host", "not known")])
def test_an_address_that_cannot_be_listened_on_ends_the_start_with_one_line(tmp_path, host, reason):
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        env = clean_environment(HOST=host, PORT=other.getsockname()[1], INSTANCE_PATH=tmp_path)
        arguments = [sys.executable, ROOT / "app.py"]
        done = subprocess.run(arguments, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("HOST, PORT: cannot listen on ")
    assert done.stderr.endswith(f"{reason}\n")
    assert done.stderr.count("\n") == 1


@one_database
def test_a_second_start_finds_everything_in_its_place(app, statements):
    with app.app_context():
        schema.prepare()
    app.extensions["gatehouse.keys"].reset()
    with app.app_context(), statements() as seen:
        schema.prepare()
    assert len(seen) <= 3
    assert all(statement.startswith(("SELECT", "PRAGMA")) for statement in seen)


def test_unsafe_production_settings_end_the_start_with_one_line_that_names_them(tmp_path):
    env = clean_environment(APP_ENV="production", INSTANCE_PATH=tmp_path)
    done = subprocess.run(
        [sys.executable, ROOT / "app.py"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "SECRET_KEY" in done.stderr
    assert "PUBLIC_URL" in done.stderr
    assert not (tmp_path / "secret_key").exists()


def test_the_folder_of_the_service_is_where_config_stands():
    assert config.ROOT == ROOT
