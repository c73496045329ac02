"""`python -m bench.price_list`: seconds to preview 10,000 rows in each format.

The goal is a preview of 10,000 rows in less than 5 s: read, recognise, plan.
"""

import time
from typing import Any

from sigma.domain.catalogue.price_list import ChangeKind, count_by_kind, plan
from sigma.domain.catalogue.service import Service
from sigma.services.catalogue.price_list_files import read_book
from sigma.services.catalogue.price_list_import import ImportChoices, parse_book
from tests.price_lists import ods, xls, xlsx, xml_book

ROW_COUNT = 10_000
HEADER = ["Код", "Раздел", "Наименование услуги", "Описание", "Цена, руб.", "Ед. изм.", "Фото"]
PRICES: tuple[Any, ...] = (1500, "от 1 500", "1 500,00 ?", "1500–2000 руб/час", "бесплатно")


def price_rows() -> list[list[Any]]:
    """Return the header and 10,000 different services with prices in several spellings."""
    return [
        HEADER,
        *(
            [
                f"{n:05}",
                f"Раздел {n % 40}",
                f"Услуга номер {n}",
                "<p>Снятие, форма<br>и покрытие</p>",
                n + 1 if n % 2 else PRICES[n % len(PRICES)],
                "шт",
                f"https://example.org/{n}.jpg",
            ]
            for n in range(ROW_COUNT)
        ),
    ]


def measure(name: str, data: bytes) -> None:
    """Print the seconds of each step."""
    start = time.perf_counter()
    book = read_book(data)
    read_at = time.perf_counter()
    found = parse_book(book, ImportChoices())
    parsed_at = time.perf_counter()
    planned = plan([], found.rows, lambda n: Service(f"svc_{n}", "shp_1", "", 0, position=n))
    planned_at = time.perf_counter()
    assert count_by_kind(planned)[ChangeKind.ADD] == ROW_COUNT
    steps = (read_at - start, parsed_at - read_at, planned_at - parsed_at, planned_at - start)
    print(f"{name:<6}{len(data) / 1e6:>8.1f}" + "".join(f"{step:>10.2f}" for step in steps))


def main() -> None:
    """Print a table of seconds."""
    rows = price_rows()
    print(f"{'':<6}{'MB':>8}{'read':>10}{'recognise':>10}{'plan':>10}{'preview':>10}")
    text = "\r\n".join(";".join(map(str, row)) for row in rows)
    measure("csv", text.encode("cp1251"))
    for name, make in (("xlsx", xlsx), ("xls", xls), ("ods", ods), ("xml", xml_book)):
        measure(name, make(rows))


if __name__ == "__main__":
    main()
