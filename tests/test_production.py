"""A real deployment starts with safe settings or not at all, and hears of every unsafe one in the same message."""

import secrets
import subprocess
import sys

import pytest

from config import SettingsError, load
from tests.support.processes import clean_environment
from tests.support.run import ROOT

SAFE = {
    "APP_ENV": "production",
    "SECRET_KEY": "Vd8-kq2XwLzP5tRf7YbNc3HmJ9sGa4Ue",
    "PUBLIC_URL": "https://auth.example.org",
    "FRONTEND_URL": "https://app.example.org",
    "MAIL_URL": "smtps://user:hidden@mail.example.org",
    "RATE_LIMITS": "on",
    "CORS_ORIGINS": "https://app.example.org",
    "METRICS_TOKEN": "f4-9Qx7LzP5tRf7Y",
}
UNSAFE = {
    "SECRET_KEY": "secret",
    "PUBLIC_URL": "http://auth.example.org",
    "FRONTEND_URL": "http://app.example.org",
    "MAIL_URL": "file:///var/mail",
    "RATE_LIMITS": "off",
    "CORS_ORIGINS": "*",
    "BCRYPT_ROUNDS": "4",
    "METRICS_TOKEN": "short",
    "SECRET_KEY_FALLBACKS": "change-me",
    "PASSWORD_PEPPER": "x",
    "BREACH_CHECK_URL": "http://breaches.example.org/range",
}


def refusal(**given):
    """The message with which these settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load(given)
    return str(caught.value)


def test_safe_settings_are_taken():
    assert load(SAFE).production


@pytest.mark.asvs("11.2.3", "13.2.3")
@pytest.mark.parametrize("name", UNSAFE)
def test_each_unsafe_setting_is_refused_by_name(name):
    assert name in refusal(**{**SAFE, name: UNSAFE[name]})


WEAK = [
    "abcdefghijklmnopqrstuvwxyzabcdef",
    "ZYXWVUTSRQPONMLKJIHGFEDCBA987654",
    "qwertyuiopasdfghjklzxcvbnm123456",
    "aabbccddeeffgghhiijjkkllmmnnoopp",
    "change-me-9Qx7LzP5tRf7YbNc3HmJ9sGa",
    "Vd8-kq2Vd8-kq2Vd8-kq2Vd8-kq2Vd8-",
]


@pytest.mark.asvs("11.2.3", "13.2.3")
@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "PASSWORD_PEPPER"])
@pytest.mark.parametrize("secret", WEAK)
def test_every_secret_is_held_to_the_same_test(name, secret):
    message = refusal(**{**SAFE, name: secret})
    assert f"{name} must be at least 32 random bytes" in message
    assert secret not in message


def test_one_weak_key_among_the_earlier_ones_is_enough():
    assert "SECRET_KEY_FALLBACKS" in refusal(**{**SAFE, "SECRET_KEY_FALLBACKS": f"{SAFE['SECRET_KEY']},{WEAK[0]}"})


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex])
def test_random_secrets_are_taken(make):
    for _ in range(300):
        given = {"SECRET_KEY": make(32), "SECRET_KEY_FALLBACKS": make(32), "PASSWORD_PEPPER": make(32)}
        assert load({**SAFE, **given, "METRICS_TOKEN": make(16)}).production


@pytest.mark.asvs("13.2.3")
def test_one_message_names_all_of_them_and_what_cannot_be_read_as_well():
    message = refusal(**{**SAFE, **UNSAFE, "PORT": "http", "UNHEARD_OF": "1"})
    missing = [name for name in (*UNSAFE, "PORT", "UNHEARD_OF") if name not in message]
    assert missing == []


@pytest.mark.parametrize("name", ["SECRET_KEY", "METRICS_TOKEN"])
def test_no_message_shows_a_secret(name):
    assert "Sesame-Open" not in refusal(**{**SAFE, **UNSAFE, name: "Sesame-Open"})


def test_cookies_of_a_safe_deployment_are_secure():
    assert load(SAFE).secure_cookies


@pytest.mark.asvs("13.2.3")
def test_the_server_does_not_start_and_says_why(tmp_path):
    environment = clean_environment(APP_ENV="production", INSTANCE_PATH=tmp_path, **UNSAFE)
    ended = subprocess.run(
        [sys.executable, ROOT / "app.py"], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode != 0
    assert [name for name in UNSAFE if name not in ended.stderr] == []
