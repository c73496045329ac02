"""Settings: read from variables and a `.env` file, validated when loaded, secrets not printed."""

import secrets
import string
from pathlib import Path

import pytest

from sigma.settings import (
    SettingError,
    Settings,
    list_settings,
    load_settings,
    read_dotenv,
    unknown_variables,
)

KEY = "m2VhK8s1QxTz7LpR4cNd9WbY3fGj6UaE"  # pragma: allowlist secret


def load_error(**variables: str) -> SettingError:
    """Return the error of loading these variables, given without the SIGMA_ prefix."""
    with pytest.raises(SettingError) as caught:
        load_settings(
            {f"SIGMA_{name.upper()}": value for name, value in variables.items()}, dotenv=None
        )
    return caught.value


def test_defaults_use_a_local_sqlite_file() -> None:
    settings = load_settings({}, dotenv=None)
    assert settings.database_url == "sqlite:///var/sigma.db"
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.should_run_worker


def test_overrides_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SIGMA_PORT=1111\nSIGMA_HOST=10.0.0.1\nSIGMA_LOCALE=en\n")
    settings = load_settings({"SIGMA_PORT": "2222", "SIGMA_LOCALE": ""}, dotenv=file)
    assert (settings.port, settings.host, settings.locale) == (2222, "10.0.0.1", "ru")
    assert load_settings({"SIGMA_PORT": "2222"}, dotenv=file, port=3333).port == 3333


def test_dotenv_supports_comments_quotes_and_export(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# comment\n\nexport A=1\nB = 'two words' \nC=\"#3\"\nD=4 # four\nE=a=b\nF=\n", "utf-8"
    )
    values = dict(read_dotenv(file))
    assert values == {"A": "1", "B": "two words", "C": "#3", "D": "4", "E": "a=b", "F": ""}


def test_missing_dotenv_is_accepted_and_broken_line_is_reported_by_number(tmp_path: Path) -> None:
    assert list(read_dotenv(tmp_path / ".env")) == []
    file = tmp_path / ".env"
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(SettingError) as caught:
        list(read_dotenv(file))
    assert caught.value.params == {"line": 2}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("port", "0", "number"),
        ("port", "http", "number"),
        ("port", "٣٣", "number"),
        ("session_days", "366", "number"),
        ("database_url", "mysql://localhost/x", "database"),
        ("database_url", "postgresql://localhost", "database"),
        ("database_url", "postgresql://localhost:x/db", "database"),
        ("database_url", "sqlite://", "database"),
        ("secret_key", "short", "secret_short"),
        ("secret_key", KEY + ",short", "secret_short"),
        ("secret_key", "k" * 32, "secret_weak"),
        ("secret_key", "0123456789abcdef" * 2, "secret_weak"),
        ("secret_key", "password" * 5, "secret_weak"),
        ("secret_key", string.ascii_lowercase + string.digits, "secret_weak"),
        ("secret_key", "aaaabbbbccccddddeeeeffffgggghhhhiiii", "secret_weak"),
        ("secret_key", "1212112212112121211221211212112121", "secret_weak"),
        ("secret_key", f"{'k' * 32},{KEY}", "secret_weak"),
        ("secret_key", "correct horse battery staple river", "secret_weak"),
        ("secret_key", "Correct-Horse-Battery-Staple-River", "secret_weak"),
        ("secret_key", "съешь ещё этих мягких французских булок", "secret_weak"),
        ("base_url", "pay.example.org", "base_url"),
        ("base_url", "ftp://pay.example.org", "base_url"),
        ("base_url", "https://user@pay.example.org", "base_url"),
        ("base_url", "https://example.org/pay", "base_url_path"),
        ("base_url", "https://example.org//pay/", "base_url_path"),
        ("smtp_url", "localhost:25", "smtp"),
        ("smtp_url", "smtp://mail.ru:99999", "smtp"),
        ("smtp_url", "smtp://[::1", "smtp"),
        ("base_url", "https://pay.example.ru:99999", "base_url"),
        ("vk_api_url", "http://127.1", "base_url"),
        ("outbound_allow", "127.0.0.1,10.0.0.1/8", "outbound_allow"),
        ("outbound_allow", "*", "outbound_allow"),
        ("outbound_proxy", "https://proxy.example.ru", "outbound_proxy"),
        ("outbound_proxy", "http://me:secret@proxy.example.ru", "outbound_proxy"),
        ("mail_from", "Sigma", "mail_from"),
        ("mail_from", "a@b\r\nBcc: c@d", "mail_from"),
        ("trusted_proxies", "10.0.0.0/8,nowhere", "networks"),
        ("log_level", "loud", "choice"),
        ("worker_inside", "maybe", "choice"),
    ],
)
def test_invalid_setting_error_has_name_and_code(name: str, value: str, code: str) -> None:
    error = load_error(**{name: value})
    assert (error.name, error.code) == (f"SIGMA_{name.upper()}", code)


def test_valid_settings_are_parsed() -> None:
    settings = load_settings(
        {
            "SIGMA_SECRET_KEY": f"{KEY}, {'o' * 40}",
            "SIGMA_BASE_URL": "https://pay.example.org/",
            "SIGMA_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8",
            "SIGMA_DATABASE_URL": "postgresql://sigma:pw@db/sigma",
            "SIGMA_LOG_LEVEL": "DEBUG",
        },
        dotenv=None,
    )
    assert settings.secret_keys == (KEY, "o" * 40)
    assert settings.base_url == "https://pay.example.org"
    assert settings.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")
    assert settings.log_level == "debug"
    assert not settings.should_run_worker


def test_random_secrets_are_accepted_and_an_old_weak_one_decrypts() -> None:
    for make in (secrets.token_urlsafe, secrets.token_hex):
        for _ in range(500):
            assert Settings(secret_key=make(24)).secret_keys
    weak = "k" * 32
    settings = load_settings({"SIGMA_SECRET_KEY": f"{KEY},{weak}"}, dotenv=None)
    assert settings.secret_keys == (KEY, weak)


def test_missing_secret_key_raises_when_it_is_read() -> None:
    with pytest.raises(SettingError) as caught:
        _ = Settings().secret_keys
    assert caught.value.code == "secret_missing"


def test_secrets_are_not_in_repr() -> None:
    settings = Settings(
        secret_key=KEY,
        smtp_url="smtp://me:hunter2@mail",
        database_url="postgresql://sigma:hunter2@db/sigma",
        metrics_token="hunter2",
    )
    assert "hunter2" not in repr(settings)
    assert KEY not in repr(settings)
    assert {setting.name for setting in list_settings() if setting.is_secret} == {
        "SIGMA_DATABASE_URL",
        "SIGMA_SECRET_KEY",
        "SIGMA_SMTP_URL",
        "SIGMA_METRICS_TOKEN",
    }


def test_misspelt_variable_is_reported() -> None:
    assert unknown_variables({"SIGMA_PORT": "1", "SIGMA_BASEURL": "x", "PATH": "y"}) == [
        "SIGMA_BASEURL"
    ]


def test_exemptions_are_parsed_once_and_are_empty_by_default() -> None:
    assert load_settings({}, dotenv=None).exemptions == ()
    allowed = "127.0.0.1:8001, bank.internal,10.1.0.0/16"
    settings = load_settings({"SIGMA_OUTBOUND_ALLOW": allowed}, dotenv=None)
    assert settings.outbound_allow == ("127.0.0.1:8001", "bank.internal", "10.1.0.0/16")
    assert [one.port for one in settings.exemptions] == [8001, None, None]
