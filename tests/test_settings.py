"""Settings: read from variables and a `.env` file, checked at once, secrets kept out of sight."""

from pathlib import Path

import pytest

from sigma.settings import BadSetting, Settings, known, load, read_dotenv, unknown

KEY = "k" * 32


def bad(**told: str) -> BadSetting:
    """What is said of variables that cannot be used."""
    with pytest.raises(BadSetting) as caught:
        load({f"SIGMA_{name.upper()}": value for name, value in told.items()}, dotenv=None)
    return caught.value


def test_without_any_setting_there_is_a_file_on_this_machine() -> None:
    settings = load({}, dotenv=None)
    assert settings.database_url == "sqlite:///var/sigma.db"
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.runs_worker


def test_variables_come_before_the_file_and_given_ones_before_both(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SIGMA_PORT=1111\nSIGMA_HOST=10.0.0.1\nSIGMA_LOCALE=en\n")
    settings = load({"SIGMA_PORT": "2222", "SIGMA_LOCALE": ""}, dotenv=file)
    assert (settings.port, settings.host, settings.locale) == (2222, "10.0.0.1", "ru")
    assert load({"SIGMA_PORT": "2222"}, dotenv=file, port=3333).port == 3333


def test_a_file_may_have_comments_quotes_and_exports(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# comment\n\nexport A=1\nB = 'two words' \nC=\"#3\"\nD=4 # four\nE=a=b\nF=\n", "utf-8"
    )
    found = dict(read_dotenv(file))
    assert found == {"A": "1", "B": "two words", "C": "#3", "D": "4", "E": "a=b", "F": ""}


def test_no_file_is_no_trouble_and_a_broken_one_is_named_with_its_line(tmp_path: Path) -> None:
    assert list(read_dotenv(tmp_path / ".env")) == []
    file = tmp_path / ".env"
    file.write_text("A=1\nnonsense\n")
    with pytest.raises(BadSetting) as caught:
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
        ("base_url", "pay.example.org", "base_url"),
        ("base_url", "ftp://pay.example.org", "base_url"),
        ("base_url", "https://user@pay.example.org", "base_url"),
        ("smtp_url", "localhost:25", "smtp"),
        ("mail_from", "Sigma", "mail_from"),
        ("mail_from", "a@b\r\nBcc: c@d", "mail_from"),
        ("trusted_proxies", "10.0.0.0/8,nowhere", "networks"),
        ("log_level", "loud", "choice"),
        ("worker_inside", "maybe", "choice"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str, code: str) -> None:
    error = bad(**{name: value})
    assert (error.name, error.code) == (f"SIGMA_{name.upper()}", code)


def test_a_good_setting_is_read_as_what_it_is() -> None:
    settings = load(
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
    assert settings.secure
    assert settings.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")
    assert settings.log_level == "debug"
    assert not settings.runs_worker


def test_without_a_secret_key_nothing_can_be_sealed() -> None:
    with pytest.raises(BadSetting) as caught:
        _ = Settings().secret_keys
    assert caught.value.code == "secret_missing"


def test_secrets_are_not_in_what_is_printed() -> None:
    settings = Settings(
        secret_key=KEY,
        smtp_url="smtp://me:hunter2@mail",
        database_url="postgresql://sigma:hunter2@db/sigma",
        metrics_token="hunter2",
    )
    assert "hunter2" not in repr(settings)
    assert KEY not in repr(settings)
    assert {one.name for one in known() if one.secret} == {
        "SIGMA_DATABASE_URL",
        "SIGMA_SECRET_KEY",
        "SIGMA_SMTP_URL",
        "SIGMA_METRICS_TOKEN",
    }


def test_a_misspelt_variable_is_noticed() -> None:
    assert unknown({"SIGMA_PORT": "1", "SIGMA_BASEURL": "x", "PATH": "y"}) == ["SIGMA_BASEURL"]
