"""Lists: pages without gaps or repeats, search as people mean it, statuses as time says."""

from dataclasses import replace
from typing import Any

from sigma.domain.billing import invoice as invoice_domain
from sigma.domain.billing import payment as payment_domain
from sigma.domain.billing.payment import Attention
from sigma.store.billing import invoices, payments
from sigma.store.engine.interface import Database
from tests.store.nouns import NOW, SHOP, plain_invoice, plain_payment, save


def flat(walked: list[list[int]]) -> list[int]:
    return [number for page in walked for number in page]


async def pages(db: Database, size: int, **filters: Any) -> list[list[int]]:
    """All pages of the invoice list, as the services walk it."""
    walked, before = [], ""
    while True:
        given: dict[str, Any] = {"status": None, "query": "", "now": NOW} | filters
        async with db.read() as tx:
            found = await invoices.listing(tx, SHOP.id, before=before, limit=size, **given)
        if not found:
            return walked
        walked.append([invoice.number for invoice in found])
        before = found[-1].id


async def test_pages_of_any_size_show_each_invoice_once_newest_first(shop_db: Database) -> None:
    await save(shop_db, *(plain_invoice(n) for n in range(1, 24)))
    for size in (1, 2, 3, 7, 22, 23, 24, 100):
        walked = await pages(shop_db, size)
        assert flat(walked) == list(range(23, 0, -1))
        assert all(len(page) == size for page in walked[:-1])


async def test_what_is_issued_while_pages_are_turned_moves_nothing(shop_db: Database) -> None:
    await save(shop_db, *(plain_invoice(n) for n in range(1, 6)))
    async with shop_db.read() as tx:
        first = await invoices.listing(
            tx, SHOP.id, status=None, query="", before="", limit=2, now=NOW
        )
    await save(shop_db, plain_invoice(6))
    async with shop_db.read() as tx:
        second = await invoices.listing(
            tx, SHOP.id, status=None, query="", before=first[-1].id, limit=9, now=NOW
        )
    assert [i.number for i in (*first, *second)] == [5, 4, 3, 2, 1]


async def test_a_list_is_of_one_shop(shop_db: Database) -> None:
    await save(shop_db, replace(SHOP, id="shp_2", slug=None))
    await save(shop_db, plain_invoice(1), plain_invoice(2, shop_id="shp_2"))
    assert await pages(shop_db, 9) == [[1]]


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


async def test_search_finds_what_a_person_means(shop_db: Database) -> None:
    titles = ["Маникюр с покрытием", "Зелёный МАНИКЮР", "Счёт за март", "Скидка 100%", "a_b"]
    titles += ["обратная \\ черта", "Занятие", "Straße", "axb"]
    await save(shop_db, *(plain_invoice(100 + n, title=t) for n, t in enumerate(titles, 1)))
    found = {}
    for query in SEARCHES:
        walked = flat(await pages(shop_db, 2, query=query))
        found[query] = sorted(number - 100 for number in walked)
    assert found == SEARCHES


async def test_search_looks_into_the_description_too(shop_db: Database) -> None:
    await save(shop_db, plain_invoice(1, description="На улице Гоголя"), plain_invoice(2))
    assert await pages(shop_db, 9, query="гоголя") == [[1]]


STATUSES = {
    (None, NOW): [7, 6, 5, 4, 3, 2, 1],
    ("open", NOW - 1): [7, 2, 1],
    ("open", NOW): [7, 1],  # time is over at the very microsecond
    ("expired", NOW - 1): [6],
    ("expired", NOW): [6, 2],
    ("expired", NOW + 10): [7, 6, 2],
    ("paid", NOW + 10): [4],
    ("void", NOW + 10): [5],
    ("draft", NOW + 10): [3],
}


async def test_expired_is_what_time_says_told_or_not(shop_db: Database) -> None:
    s = invoice_domain.Status
    await save(
        shop_db,
        plain_invoice(1),
        plain_invoice(2, expires_at=NOW),
        plain_invoice(3, status=s.DRAFT, expires_at=NOW),
        plain_invoice(4, status=s.PAID, expires_at=NOW),
        plain_invoice(5, status=s.VOID, expires_at=NOW),
        plain_invoice(6, status=s.EXPIRED, expires_at=NOW),
        plain_invoice(7, expires_at=NOW + 10),
    )
    found = {
        (status, now): flat(await pages(shop_db, 2, status=status, now=now))
        for status, now in STATUSES
    }
    assert found == STATUSES


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [5, 4, 3, 2, 1]),
    ({"invoice_id": "inv_00001"}, [3, 2, 1]),
    ({"status": "captured"}, [4, 2]),
    ({"attention": True}, [3]),
    ({"query": "стрижка"}, [5, 4]),
    ({"query": "0004"}, [2]),
    ({"query": "pay_00003"}, [3]),
    ({"query": "стрижка", "status": "captured", "invoice_id": "inv_00002"}, [4]),
    ({"query": "стрижка", "attention": True}, []),
]


async def test_payments_are_listed_by_every_filter(shop_db: Database) -> None:
    captured = payment_domain.Status.CAPTURED
    card = payment_domain.Method(mask="220000******0004")
    await save(shop_db, plain_invoice(1), plain_invoice(2, title="Стрижка"))
    await save(
        shop_db,
        plain_payment(1),
        plain_payment(2, status=captured, method=card),
        plain_payment(3, attention=Attention.MISMATCH),
        plain_payment(4, status=captured, invoice_id="inv_00002"),
        plain_payment(5, invoice_id="inv_00002"),
    )
    for filters, found in FILTERS:
        assert (filters, await walk_payments(shop_db, **filters)) == (filters, found)


async def walk_payments(db: Database, **filters: Any) -> list[int]:
    walked: list[int] = []
    before = ""
    while True:
        async with db.read() as tx:
            page = await payments.listing(tx, SHOP.id, before=before, limit=2, **filters)
        if not page:
            return walked
        walked += [int(payment.id[4:]) for payment, *_ in page]
        before = page[-1][0].id
