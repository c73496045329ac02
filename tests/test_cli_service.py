"""`sigma service import`: the JSON contract, the dry run, refused files."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.price_lists import xlsx
from tests.test_cli import error_line, shop, sigma

__all__ = ["shop"]

CSV = "Наименование услуги;Цена, руб.;Фото\r\nМАНИКЮР;;\r\nКлассика;1 500,00 ?;a.jpg\r\n"
CSV += "Гель;1500-2000 руб/час;b.jpg\r\nДизайн;сто;\r\n"


def imported(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def test_dry_run_prints_columns_and_rows_as_json_and_writes_nothing(
    shop: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "прайс.csv"
    file.write_bytes(CSV.encode("cp1251"))
    document = imported(sigma("service", "import", str(file), "--dry-run", "--json", **shop))
    assert document["columns"] == {
        "Наименование услуги": "title",
        "Цена, руб.": "price",
        "Фото": None,
    }
    price = {"kind": "fixed", "value": "1500.00", "currency": "RUB", "max": None, "unit": None}
    in_range = price | {"kind": "range", "max": "2000.00", "unit": "час"}
    rows = document["rows"]
    assert isinstance(rows, list)
    brief = [{name: row[name] for name in ("title", "price", "category", "change")} for row in rows]
    assert brief == [
        {"title": "Классика", "price": price, "category": "МАНИКЮР", "change": "add"},
        {"title": "Гель", "price": in_range, "category": "МАНИКЮР", "change": "add"},
        {"title": "Дизайн", "price": None, "category": "МАНИКЮР", "change": "invalid"},
    ]
    assert [bool(row["error"]) for row in rows] == [False, False, True]
    assert document["left_out"] == {
        "columns": {"Фото": "Left out: pictures and links"},
        "rows": [{"row": 2, "text": "МАНИКЮР", "reason": "category"}],
        "sheets": [],
    }
    repeated = imported(sigma("service", "import", str(file), "--dry-run", "--json", **shop))
    assert repeated == document


def test_import_applies_rows_and_a_second_import_changes_nothing(
    shop: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "price.xlsx"
    file.write_bytes(xlsx([["Код", "Услуга", "Опт", "Цена"], ["1", "Маникюр", 1000, 1500]]))
    result = sigma("service", "import", str(file), **shop)
    assert result.exit_code == 0, result.output
    assert "To add: 1. To change: 0." in result.output
    document = imported(sigma("service", "import", str(file), "--dry-run", "--json", **shop))
    assert document["counts"] == {"add": 0, "change": 0, "unchanged": 1, "invalid": 0}
    args = ("service", "import", str(file), "--dry-run", "--json")
    document = imported(sigma(*args, "--column", "Опт=price", **shop))
    rows = document["rows"]
    assert isinstance(rows, list)
    assert (rows[0]["change"], rows[0]["changed"]) == ("change", ["price"])
    assert rows[0]["price"]["value"] == "1000.00"
    line = error_line(sigma(*args, "--column", "Оптом=price", **shop))
    assert "Код, Услуга, Опт, Цена" in line


@pytest.mark.parametrize(
    ("name", "data"), [("a.csv", b""), ("b.xlsx", b"PK\x03\x04"), ("c.pdf", b"%PDF-1.4")]
)
def test_unreadable_file_is_an_error_line_and_json_says_why(
    shop: dict[str, str], tmp_path: Path, name: str, data: bytes
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    line = error_line(sigma("service", "import", str(file), "--dry-run", **shop))
    assert name in line
    result = sigma("service", "import", str(file), "--dry-run", "--json", **shop)
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert (document["columns"], document["rows"]) == ({}, [])
    assert document["error"] in line


def test_missing_file_is_an_error_line(shop: dict[str, str], tmp_path: Path) -> None:
    assert "nowhere.csv" in error_line(
        sigma("service", "import", str(tmp_path / "nowhere.csv"), **shop)
    )
