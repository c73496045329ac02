"""The list of payments: every filter and order against a plain comparison of all rows."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.payment import Attention, Payment, PaymentMethod, Status
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.lists.filters import PaymentFilter, parse_payment_filter
from sigma.domain.local_time import local_date
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US, HOUR_US
from sigma.services.lists import payments
from sigma.services.lists.selection import select_payments
from sigma.services.platform.search_tokens import payment_tokens
from sigma.store import changes
from sigma.store.lists import reading
from sigma.store.lists.reading import Windows
from tests.world import World

COUNT = 36
SERVICES = (None, "svc_01hzzzzzzzzzzzzzzzzz", "svc_02hzzzzzzzzzzzzzzzzz")
MEMBERS = ("usr_01hzzzzzzzzzzzzzzzzz", "key_01hzzzzzzzzzzzzzzzzz")
METHODS = (
    PaymentMethod("card", "220000******0004", "mir"),
    PaymentMethod("card", "555555******4477", "mastercard"),
    PaymentMethod("sbp"),
    None,
)


async def store_payments(world: World) -> tuple[dict[str, Payment], dict[str, int], str]:
    """Store payments of one invoice; return them by id, their refunded sums, the invoice's id."""
    choice = random.Random(5)
    ctx, shop_id = world.ctx, world.shop.id
    invoice = await world.create_invoice(title="Педикюр", max_payments=None)
    rows: dict[str, Payment] = {}
    refunded: dict[str, int] = {}
    for number in range(COUNT):
        payment_id = ctx.new_id("pay", shop_id)
        rows[payment_id] = payment = Payment(
            id=payment_id,
            shop_id=shop_id,
            invoice_id=invoice.id,
            connection_id=world.connection.id,
            provider="yookassa",
            operation_key=payment_id,
            token=ctx.new_token(),
            amount=Money(choice.choice((100_000, 150_000, 150_050, 300_000))),
            status=choice.choice((Status.CAPTURED, Status.CAPTURED, Status.FAILED, Status.PENDING)),
            created_at_us=ctx.now_us() - choice.randrange(5) * DAY_US,
            form_nonce=str(number),
            provider_id=f"2c5f{number:04}-000f-5000",
            method=choice.choice(METHODS),
            attention=choice.choice((None, None, None, Attention.LATE)),
            service_id=choice.choice(SERVICES),
            issued_by=choice.choice(MEMBERS),
        )
        found = payment_tokens(ctx.cipher, payment, invoice, {"wish": "без лака"})
        change = Change((payment,), search_tokens=(found,))
        await changes.commit(ctx.db, change, ctx.now_us())
        if payment.status is Status.CAPTURED and choice.random() < 0.5:
            refunded[payment_id] = minor = choice.choice((50_000, payment.amount.minor))
            refund = _refund(world, payment, minor)
            await changes.commit(ctx.db, Change((refund,)), ctx.now_us())
            succeeded = replace(refund, status=RefundStatus.SUCCEEDED, version=1)
            await changes.commit(ctx.db, Change((succeeded,)), ctx.now_us())
    return rows, refunded, invoice.id


def _refund(world: World, payment: Payment, minor: int) -> Refund:
    return Refund(
        id=world.ctx.new_id("ref", world.shop.id),
        shop_id=world.shop.id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        connection_id=payment.connection_id,
        operation_key=world.ctx.new_id("op"),
        amount=Money(minor),
        status=RefundStatus.PENDING,
        created_by=world.member.actor,
        created_at_us=world.ctx.now_us(),
    )


def expected_rows(
    rows: dict[str, Payment], refunded: dict[str, int], invoice_id: str, now_us: int
) -> Iterator[tuple[dict[str, str], Callable[[Payment], bool]]]:
    """Yield parameters of a URL and the same condition as Python."""
    yield {}, lambda _: True
    yield {"status": "failed"}, lambda p: p.status is Status.FAILED
    yield {"method": "sbp"}, lambda p: p.method is not None and p.method.kind == "sbp"
    yield {"service": str(SERVICES[1])}, lambda p: p.service_id == SERVICES[1]
    yield {"member": MEMBERS[0]}, lambda p: p.issued_by == MEMBERS[0]
    yield {"amount_from": "1500", "amount_to": "1500,50"}, lambda p: p.amount.minor // 100 == 1500
    yield {"attention": "yes"}, lambda p: p.attention is not None
    yield {"invoice": invoice_id}, lambda p: p.invoice_id == invoice_id
    yield {"refunded": "any"}, lambda p: p.id in refunded
    yield {"refunded": "none"}, lambda p: p.id not in refunded
    yield {"refunded": "full"}, lambda p: refunded.get(p.id, 0) >= p.amount.minor
    yield {"refunded": "part"}, lambda p: 0 < refunded.get(p.id, 0) < p.amount.minor
    yield {"empty": "phone"}, lambda _: True
    yield {"empty": "wish"}, lambda _: False
    yield {"q": "педикюр"}, lambda _: True
    yield {"q": "лаком педикюра"}, lambda _: False
    yield {"q": "без лака"}, lambda _: True
    yield {"q": "1 500,00"}, lambda p: p.amount.minor == 150_000
    yield {"q": "1.500"}, lambda p: p.amount.minor == 150_000
    yield {"q": "4477"}, lambda p: p.method is METHODS[1]
    yield {"q": "2c5f0007-000f-5000"}, lambda p: p.provider_id == "2c5f0007-000f-5000"
    yield (
        {"q": "4477", "status": "captured", "amount_from": "1000"},
        lambda p: p.method is METHODS[1] and p.status is Status.CAPTURED,
    )
    yield (
        {"service": str(SERVICES[2]), "method": "card", "refunded": "any"},
        lambda p: p.service_id == SERVICES[2] and p.method in METHODS[:2] and p.id in refunded,
    )
    yesterday = now_us - DAY_US - HOUR_US
    day = f"{payments_day(yesterday)}"
    yield (
        {"created_from": day, "created_to": day},
        lambda p: payments_day(p.created_at_us) == day,
    )


def payments_day(at_us: int) -> str:
    """Return the date of a time in Moscow."""
    return local_date(at_us, "Europe/Moscow").isoformat()


async def walk(
    world: World, wanted: PaymentFilter, *, limit: int, windows: Windows
) -> tuple[list[str], reading.Totals]:
    """Return the ids of all pages, and the totals."""
    async with world.ctx.db.read() as tx:
        selection = await select_payments(world.ctx, tx, world.member, world.shop, wanted)
        selection = replace(selection, windows=windows)
        ids: list[str] = []
        cursor: str | None = None
        for _ in range(10 * COUNT):
            page = await reading.list_ids(tx, selection, cursor=cursor, limit=limit)
            assert page is not None
            assert len(page.ids) <= limit
            ids += page.ids
            cursor = page.next_cursor
            if cursor is None:
                break
        return ids, await reading.totals(tx, selection)


SORT_KEYS: dict[str, tuple[Callable[[Payment], Any], bool]] = {
    "": (lambda p: (p.created_at_us, p.id), True),
    "created": (lambda p: (p.created_at_us, p.id), False),
    "-amount": (lambda p: (p.amount.minor, p.created_at_us, p.id), True),
    "amount": (lambda p: (p.amount.minor, p.created_at_us, p.id), False),
}


@pytest.mark.both_databases
async def test_every_filter_and_order_lists_exactly_the_rows_that_match(world: World) -> None:
    rows, refunded, invoice_id = await store_payments(world)
    now_us = world.ctx.now_us()
    for values, matches in expected_rows(rows, refunded, invoice_id, now_us):
        found = [p for p in rows.values() if matches(p)]
        for sort, (key, is_descending) in SORT_KEYS.items():
            given = {name: [value] for name, value in values.items()} | {"sort": [sort]}
            wanted, problems = parse_payment_filter(given)
            assert not problems
            expected = [p.id for p in sorted(found, key=key, reverse=is_descending)]
            ids, totals = await walk(world, wanted, limit=13, windows=Windows())
            assert ids == expected, given
            assert totals.is_exact
            assert totals.count == len(expected), given
            one = totals.sums.get("RUB", reading.Sum(0, 0, 0))
            assert one.minor == sum(p.amount.minor for p in found)
            paid = [p.amount.minor for p in found if p.status is Status.CAPTURED]
            assert one.paid_minor == sum(paid), given


@pytest.mark.both_databases
async def test_pages_that_end_at_a_window_miss_and_repeat_nothing(world: World) -> None:
    rows, refunded, invoice_id = await store_payments(world)
    now_us = world.ctx.now_us()
    tiny = Windows(index=5, table=COUNT + 1, counted=3)
    for values, matches in expected_rows(rows, refunded, invoice_id, now_us):
        wanted, _ = parse_payment_filter({name: [value] for name, value in values.items()})
        key, _ = SORT_KEYS[""]
        expected = [p.id for p in sorted(rows.values(), key=key, reverse=True) if matches(p)]
        ids, totals = await walk(world, wanted, limit=4, windows=tiny)
        assert ids == expected, values
        assert totals.count <= len(expected)
        assert not totals.is_exact or totals.count == len(expected), values


@pytest.mark.both_databases
async def test_refunded_sum_of_a_payment_grows_with_each_refund(world: World) -> None:
    rows, _, _ = await store_payments(world)
    payment = next(p for p in rows.values() if p.status is Status.FAILED)
    for minor in (10_000, 20_000):
        refund = _refund(world, payment, minor)
        await changes.commit(world.ctx.db, Change((refund,)), 0)
        done = replace(refund, status=RefundStatus.SUCCEEDED, version=1)
        await changes.commit(world.ctx.db, Change((done,)), 0)
    wanted, _ = parse_payment_filter({"q": [payment.id]})
    (row,) = (await payments.list_page(world.ctx, world.member, wanted)).data
    assert row.refunded == Money(30_000)


async def test_payment_of_a_form_is_found_by_all_that_the_client_typed(world: World) -> None:
    invoice = await world.create_invoice(title="Стрижка", metadata={"order": "ORD-7/2026"})
    payment = await world.start_payment(invoice, wish="Окно во двор", phone="8 (916) 765-43-21")
    await world.start_payment(payer="browser-2", email="other@example.net", phone="")
    for text in (
        f"№ {invoice.number}",
        f"№{invoice.number}",
        "стрижки",
        "CLIENT@example.net",
        "+7 916 765 43 21",
        "89167654321",
        "9167654321",
        "окно двор",
        "ord-7/2026",
        "order=ORD-7/2026",
        payment.id,
        str(payment.provider_id),
    ):
        wanted, _ = parse_payment_filter({"q": [text]})
        page = await payments.list_page(world.ctx, world.member, wanted)
        assert [row.payment.id for row in page.data] == [payment.id], text
        assert page.data[0].client.contact == "client@example.net"
    for values in (
        {"email": "Client@example.net"},
        {"phone": "8 916 765-43-21"},
        {"metadata[order]": "ORD-7/2026"},
    ):
        wanted, problems = parse_payment_filter({name: [value] for name, value in values.items()})
        assert not problems
        page = await payments.list_page(world.ctx, world.member, wanted)
        assert [row.payment.id for row in page.data] == [payment.id], values


async def test_search_tells_nothing_about_answers_to_a_role_that_may_not_read_them(
    world: World,
) -> None:
    payment = await world.start_payment(wish="Окно во двор")
    viewer = replace(world.member, role=Role.VIEWER)
    for text in ("client@example.net", "89167654321", "окно", "client"):
        wanted, _ = parse_payment_filter({"q": [text]})
        assert (await payments.list_page(world.ctx, viewer, wanted)).data == [], text
        assert (await payments.totals(world.ctx, viewer, wanted)).count == 0
    wanted, _ = parse_payment_filter({"q": ["маникюр"]})
    (row,) = (await payments.list_page(world.ctx, viewer, wanted)).data
    assert row.payment.id == payment.id
    assert row.client.contact == "c***@example.net"
    for values in ({"email": ["client@example.net"]}, {"phone": ["89167654321"]}):
        wanted, _ = parse_payment_filter(values)
        with pytest.raises(RefusedError) as refused:
            await payments.list_page(world.ctx, viewer, wanted)
        assert refused.value.code == "forbidden"


async def test_changed_answers_of_an_unfinished_payment_replace_the_former_ones(
    world: World,
) -> None:
    invoice = await world.create_invoice()
    first = await world.start_payment(invoice, wish="красный лак")
    again = await world.start_payment(invoice, wish="синий лак")
    assert again.id == first.id
    for text, count in (("красный", 0), ("синий", 1), ("маникюр", 1)):
        wanted, _ = parse_payment_filter({"q": [text]})
        page = await payments.list_page(world.ctx, world.member, wanted)
        assert len(page.data) == count, text
