"""List queries: pages without gaps or repeats, search, filters by status and deadline."""

from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.billing import invoice as invoice_domain
from sigma.domain.billing import payment as payment_domain
from sigma.domain.billing.payment import Attention
from sigma.store.billing import invoices, payments
from sigma.store.engine.interface import Database
from tests.store.factories import NOW_US, SHOP, insert_rows, plain_invoice, plain_payment

pytestmark = pytest.mark.both_databases


def flat(pages: list[list[int]]) -> list[int]:
    return [number for page in pages for number in page]


async def read_pages(
    db: Database, size: int, *, status: str | None = None, query: str = "", now_us: int = NOW_US
) -> list[list[int]]:
    """Return the invoice numbers of all pages, read by cursor as the services do."""
    pages_read: list[list[int]] = []
    before = ""
    while True:
        async with db.read() as tx:
            result = await invoices.list_for_shop(
                tx, SHOP.id, status=status, query=query, before_id=before, limit=size, now_us=now_us
            )
        if not result:
            return pages_read
        pages_read.append([invoice.number for invoice in result])
        before = result[-1].id


async def test_pages_of_any_size_contain_each_invoice_once_newest_first(
    db_with_shop: Database,
) -> None:
    await insert_rows(db_with_shop, *(plain_invoice(n) for n in range(1, 24)))
    for size in (1, 2, 3, 7, 22, 23, 24, 100):
        pages_read = await read_pages(db_with_shop, size)
        assert flat(pages_read) == list(range(23, 0, -1))
        assert all(len(page) == size for page in pages_read[:-1])


async def test_new_invoice_does_not_shift_following_pages(db_with_shop: Database) -> None:
    await insert_rows(db_with_shop, *(plain_invoice(n) for n in range(1, 6)))
    async with db_with_shop.read() as tx:
        first = await invoices.list_for_shop(
            tx, SHOP.id, status=None, query="", before_id="", limit=2, now_us=NOW_US
        )
    await insert_rows(db_with_shop, plain_invoice(6))
    async with db_with_shop.read() as tx:
        second = await invoices.list_for_shop(
            tx, SHOP.id, status=None, query="", before_id=first[-1].id, limit=9, now_us=NOW_US
        )
    assert [i.number for i in (*first, *second)] == [5, 4, 3, 2, 1]


async def test_list_contains_only_invoices_of_its_shop(db_with_shop: Database) -> None:
    await insert_rows(db_with_shop, replace(SHOP, id="shp_2", slug=None))
    await insert_rows(db_with_shop, plain_invoice(1), plain_invoice(2, shop_id="shp_2"))
    assert await read_pages(db_with_shop, 9) == [[1]]


SEARCHES = {
    "маникюр": [1, 2],
    "МАНИКЮР": [1, 2],
    "зелёный": [2],
    "зеленый": [2],
    "ЗЕЛЁНЫЙ": [2],
    "счет": [3],
    "  маникюр   с  ": [1],
    "никю": [1, 2],
    "100%": [4],
    "%": [4],
    "_": [5],
    "a_b": [5],
    "\\": [6],
    "107": [7],
    "straße": [8],
    "STRASSE": [8],
    "' OR 1=1 --": [],
    "нет такого": [],
}


async def test_search_ignores_case_and_treats_wildcards_as_text(db_with_shop: Database) -> None:
    titles = ["Маникюр с покрытием", "Зелёный МАНИКЮР", "Счёт за март", "Скидка 100%", "a_b"]
    titles += ["обратная \\ черта", "Занятие", "Straße", "axb"]
    await insert_rows(
        db_with_shop, *(plain_invoice(100 + n, title=t) for n, t in enumerate(titles, 1))
    )
    result = {}
    for query in SEARCHES:
        pages_read = flat(await read_pages(db_with_shop, 2, query=query))
        result[query] = sorted(number - 100 for number in pages_read)
    assert result == SEARCHES


async def test_search_covers_description(db_with_shop: Database) -> None:
    await insert_rows(
        db_with_shop, plain_invoice(1, description="На улице Гоголя"), plain_invoice(2)
    )
    assert await read_pages(db_with_shop, 9, query="гоголя") == [[1]]


STATUSES = {
    (None, NOW_US): [7, 6, 5, 4, 3, 2, 1],
    ("open", NOW_US - 1): [7, 2, 1],
    ("open", NOW_US): [7, 1],  # expired exactly at the deadline
    ("expired", NOW_US - 1): [6],
    ("expired", NOW_US): [6, 2],
    ("expired", NOW_US + 10): [7, 6, 2],
    ("paid", NOW_US + 10): [4],
    ("void", NOW_US + 10): [5],
    ("draft", NOW_US + 10): [3],
}


async def test_expired_filter_follows_deadline_before_and_after_status_change(
    db_with_shop: Database,
) -> None:
    statuses = invoice_domain.Status
    await insert_rows(
        db_with_shop,
        plain_invoice(1),
        plain_invoice(2, expires_at_us=NOW_US),
        plain_invoice(3, status=statuses.DRAFT, expires_at_us=NOW_US),
        plain_invoice(4, status=statuses.PAID, expires_at_us=NOW_US),
        plain_invoice(5, status=statuses.VOID, expires_at_us=NOW_US),
        plain_invoice(6, status=statuses.EXPIRED, expires_at_us=NOW_US),
        plain_invoice(7, expires_at_us=NOW_US + 10),
    )
    result = {
        (status, now_us): flat(await read_pages(db_with_shop, 2, status=status, now_us=now_us))
        for status, now_us in STATUSES
    }
    assert result == STATUSES


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [5, 4, 3, 2, 1]),
    ({"invoice_id": "inv_00001"}, [3, 2, 1]),
    ({"status": "captured"}, [4, 2]),
    ({"needs_attention": True}, [3]),
    ({"query": "стрижка"}, [5, 4]),
    ({"query": "0004"}, [2]),
    ({"query": "pay_00003"}, [3]),
    ({"query": "стрижка", "status": "captured", "invoice_id": "inv_00002"}, [4]),
    ({"query": "стрижка", "needs_attention": True}, []),
]


async def test_payments_are_listed_by_every_filter(db_with_shop: Database) -> None:
    captured = payment_domain.Status.CAPTURED
    card = payment_domain.PaymentMethod(mask="220000******0004")
    await insert_rows(db_with_shop, plain_invoice(1), plain_invoice(2, title="Стрижка"))
    await insert_rows(
        db_with_shop,
        plain_payment(1),
        plain_payment(2, status=captured, method=card),
        plain_payment(3, attention=Attention.MISMATCH),
        plain_payment(4, status=captured, invoice_id="inv_00002"),
        plain_payment(5, invoice_id="inv_00002"),
    )
    for filters, expected in FILTERS:
        assert (filters, await list_payment_numbers(db_with_shop, **filters)) == (filters, expected)


async def list_payment_numbers(db: Database, **filters: Any) -> list[int]:
    pages_read: list[int] = []
    before = ""
    while True:
        async with db.read() as tx:
            page = await payments.list_for_shop(tx, SHOP.id, before_id=before, limit=2, **filters)
        if not page:
            return pages_read
        pages_read += [int(payment.id[4:]) for payment, *_ in page]
        before = page[-1][0].id
