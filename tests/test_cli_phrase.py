"""`sigma invoice parse`: its JSON, its exit codes, and that it needs no database."""

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sigma.cli import main

UNREACHABLE = "postgresql://sigma:hunter2@127.0.0.1:1/sigma"  # nothing listens on port 1
TODAY = ("--today", "2026-11-24")


def parse(text: str, *options: str, lang: str = "C") -> Result:
    """Run the command with settings of a database that does not exist."""
    environ = {"LANG": lang, "LC_ALL": "", "SIGMA_DATABASE_URL": UNREACHABLE}
    args = ["invoice", "parse", text, *TODAY, *options]
    return CliRunner().invoke(main, args, env=environ, catch_exceptions=False)


def parse_json(text: str, *options: str) -> dict[str, Any]:
    result = parse(text, "--json", *options)
    assert result.stderr == ""
    content: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (1 if "error" in content else 0)
    return content


def test_phrase_is_printed_as_json() -> None:
    assert parse_json("2 тысячи маникюр") == {
        "amount": "2000.00",
        "currency": "RUB",
        "title": "Маникюр",
        "items": [],
        "until": None,
        "ask": [],
    }


def test_items_and_deadline_are_printed_as_json() -> None:
    content = parse_json("маникюр 1500 + дизайн 2 шт по 250 до пятницы")
    assert content["items"] == [
        {"name": "Маникюр", "quantity": "1", "price": "1500.00", "amount": "1500.00"},
        {"name": "Дизайн", "quantity": "2", "price": "250.00", "amount": "500.00"},
    ]
    assert (content["amount"], content["until"]) == ("2000.00", "2026-11-27T23:59:59+03:00")


def test_deadline_is_in_the_time_zone() -> None:
    content = parse_json("2500 маникюр до завтра 18:00", "--tz", "Asia/Vladivostok")
    assert content["until"] == "2026-11-25T18:00:00+10:00"


def test_question_is_printed_with_its_choices() -> None:
    content = parse_json("маникюр 1.500 завтра")
    assert (content["amount"], content["currency"]) == (None, "RUB")
    assert content["ask"] == ["amount_format", "visit_or_deadline"]
    assert content["choices"] == ["1500.00", "1.50"]


@pytest.mark.parametrize(
    ("text", "visit"),
    [
        ("2500 маникюр завтра в 15", "2026-11-25T15:00:00+03:00"),
        ("2500 маникюр завтра утром", "2026-11-25"),
        ("2500 маникюр в 15:00", "15:00"),
    ],
)
def test_visit_is_a_date_a_time_or_both(text: str, visit: str) -> None:
    assert parse_json(text)["visit"] == visit


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("маникюр", {"error": "no_amount"}),
        ("2500", {"error": "no_title"}),
        ("", {"error": "no_amount"}),
        ("25 евро маникюр", {"error": "currency_not_accepted", "currency": "EUR"}),
        ("а" * 301, {"error": "too_long"}),
    ],
)
def test_refused_phrase_is_an_error_with_exit_code_1(text: str, content: dict[str, str]) -> None:
    assert parse_json(text) == content


def test_refused_phrase_is_explained_in_the_language_of_the_terminal() -> None:
    result = parse("2500 тенге маникюр", lang="ru_RU.UTF-8")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "казахский тенге" in result.stderr
    assert "российский рубль" in result.stderr
    assert "conventional units" in parse("50 у.е. маникюр").stderr


def test_accepted_currency_is_an_option() -> None:
    content = parse_json("25 евро маникюр", "--currency", "EUR", "--currency", "rub")
    assert (content["amount"], content["currency"]) == ("25.00", "EUR")


def test_text_output_has_one_line_for_each_field() -> None:
    result = parse("маникюр 1500 до пятницы")
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.stdout.splitlines()]
    assert names == ["amount", "currency", "title", "items", "until", "ask"]


@pytest.mark.parametrize("price", ["1500.00", {"value": "1500.00", "currency": "RUB"}])
def test_services_file_gives_the_price(tmp_path: Path, price: object) -> None:
    path = tmp_path / "services.json"
    path.write_text(json.dumps({"data": [{"title": "Маникюр", "price": price}]}))
    content = parse_json("маникюр", "--services", str(path))
    assert (content["amount"], content["service"]) == ("1500.00", "Маникюр")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--services", "no-such-file.json"], "no-such-file.json"),
        (["--services", __file__], "--services"),
    ],
)
def test_bad_option_gives_one_error_line(options: list[str], error: str) -> None:
    result = parse("2500 маникюр", *options)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert error in line


def test_unknown_time_zone_gives_one_error_line() -> None:
    no_options: tuple[str, ...] = ()
    for options in (no_options, TODAY):
        result = CliRunner().invoke(
            main, ["invoice", "parse", "2500 маникюр", "--tz", "No/Such", *options]
        )
        assert result.exit_code == 2
        assert "No/Such" in result.stderr


def test_command_imports_neither_the_web_application_nor_the_database() -> None:
    code = (
        "import sys\n"
        "from sigma.cli import main\n"
        "main(['invoice', 'parse', '2500 x'], standalone_mode=False)\n"
        "print(sorted({'litestar', 'sqlalchemy', 'httpx'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_shop_option_takes_services_and_time_zone_of_the_shop(sqlite_database_url: str) -> None:
    environ = {
        "LANG": "C",
        "LC_ALL": "",
        "SIGMA_SECRET_KEY": secrets.token_urlsafe(30),
        "SIGMA_DATABASE_URL": sqlite_database_url,
    }
    runner = CliRunner(env=environ)
    created = runner.invoke(
        main,
        ["user", "create", "--login", "owner@example.org", "--shop-name", "Студия"],
        input="a long password\na long password\n",
    )
    shop_id = next(w for w in created.stdout.split() if w.startswith("shp_"))
    args = ["invoice", "parse", "2500 маникюр до завтра", "--json", *TODAY, "--shop", shop_id]
    result = runner.invoke(main, args, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["until"] == "2026-11-25T23:59:59+03:00"
