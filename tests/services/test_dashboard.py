"""The home page: figures per currency by the shop's own days, and what is owed."""

from dataclasses import replace
from datetime import datetime

import pytest

from sigma.domain.billing.payment import Payment
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.change import Change
from sigma.domain.figures import Figures
from sigma.domain.local_time import local_date
from sigma.domain.money import Money
from sigma.domain.reports.periods import PeriodName, month_period, recent_period
from sigma.services.accounts import shops
from sigma.services.accounts.shops import Dashboard
from sigma.services.billing import payments
from sigma.services.reports.figures import get_report
from sigma.store import changes
from sigma.store.reports import recount
from tests.services.actions import request_refund
from tests.store.factories import REFUND, plain_payment
from tests.world import World


def utc_us(text: str) -> int:
    """Return a time like "2026-03-28T23:00" (UTC) in microseconds."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000


async def load_dashboard(world: World, now_us: int | None = None) -> Dashboard:
    ctx = world.ctx if now_us is None else replace(world.ctx, now_us=lambda: now_us)
    return await shops.get_dashboard(ctx, world.member)


async def add_captured(world: World, *sums: tuple[int, int, str]) -> list[Payment]:
    """Store captured payments of one invoice: (time of the capture, minor units, currency)."""
    invoice = await world.create_invoice()
    stored = [
        replace(
            plain_payment(number),
            shop_id=world.shop.id,
            invoice_id=invoice.id,
            connection_id=world.connection.id,
            amount=Money(minor, currency),
            status=PaymentStatus.CAPTURED,
            captured_at_us=captured_at_us,
        )
        for number, (captured_at_us, minor, currency) in enumerate(sums)
    ]
    await changes.commit(world.ctx.db, Change(tuple(stored)), world.ctx.now_us())
    await repair_totals(world)
    return stored


async def repair_totals(world: World) -> None:
    async with world.ctx.db.write() as tx:
        if days := await recount.find_days(tx, world.shop.id):
            await recount.repair(tx, world.shop.id, *days)


async def load_figures(world: World, name: PeriodName, now_us: int, tz: str) -> list[Figures]:
    """Return the figures of each currency in a period that ends today."""
    report = await get_report(world.ctx, world.member, recent_period(name, now_us, tz))
    return [one.total for one in report.currencies]


@pytest.mark.parametrize(
    ("tz", "now", "day_start", "month_start"),
    [
        # Here the date differs from that of UTC.
        ("Asia/Vladivostok", "2026-11-28T20:00", "2026-11-28T14:00", "2026-10-31T14:00"),
        ("Asia/Vladivostok", "2026-10-31T20:00", "2026-10-31T14:00", "2026-10-31T14:00"),
        ("America/Havana", "2026-11-02T03:00", "2026-11-01T04:00", "2026-11-01T04:00"),
        ("Europe/Moscow", "2026-11-28T12:00", "2026-11-27T21:00", "2026-10-31T21:00"),
        ("Europe/Kaliningrad", "2026-11-28T12:00", "2026-11-27T22:00", "2026-10-31T22:00"),
        ("Asia/Tashkent", "2026-11-28T12:00", "2026-11-27T19:00", "2026-10-31T19:00"),
        ("Asia/Almaty", "2024-02-29T12:00", "2024-02-28T18:00", "2024-01-31T18:00"),
        ("Asia/Almaty", "2024-03-01T12:00", "2024-02-29T19:00", "2024-02-29T19:00"),
        ("Asia/Almaty", "2024-03-02T12:00", "2024-03-01T19:00", "2024-02-29T19:00"),
        ("Europe/Berlin", "2026-03-29T12:00", "2026-03-28T23:00", "2026-02-28T23:00"),
        ("Europe/Berlin", "2026-03-30T12:00", "2026-03-29T22:00", "2026-02-28T23:00"),
        ("Europe/Berlin", "2026-10-25T12:00", "2026-10-24T22:00", "2026-09-30T22:00"),
        ("Europe/Berlin", "2026-10-26T12:00", "2026-10-25T23:00", "2026-09-30T22:00"),
    ],
)
async def test_today_and_a_month_begin_at_midnight_in_the_zone_of_the_shop(
    world: World, tz: str, now: str, day_start: str, month_start: str
) -> None:
    day_us, month_us, now_us = utc_us(day_start), utc_us(month_start), utc_us(now)
    await add_captured(
        world,
        (day_us - 1, 1, "RUB"),
        (day_us, 10, "RUB"),
        (now_us, 100, "RUB"),
        (month_us - 1, 1000, "RUB"),
        (month_us, 10_000, "RUB"),
    )
    (today,) = await load_figures(world, PeriodName.TODAY, now_us, tz)
    day_is_month = day_us == month_us
    assert today.gross_minor == (10_110 if day_is_month else 110)
    day = local_date(month_us, tz)
    month = month_period(day.year, day.month, tz)
    assert (month.since_us, month.first_day.day) == (month_us, 1)
    report = await get_report(world.ctx, world.member, month)
    assert report.currencies[0].total.gross_minor == (10_110 if day_is_month else 10_111)


async def test_every_currency_has_gross_refunded_and_net(world: World) -> None:
    now_us = world.ctx.now_us()
    sums = ((now_us, 440_000, "RUB"), (now_us, 700, "USD"), (now_us - 90 * 86400 * 10**6, 5, "KZT"))
    stored = await add_captured(world, *sums)
    refunds = [
        replace(
            REFUND,
            id=f"ref_{number}",
            shop_id=world.shop.id,
            invoice_id=payment.invoice_id,
            payment_id=payment.id,
            connection_id=world.connection.id,
            operation_key=f"refund-{number}",
            provider_id=f"refund-{number}",
            amount=Money(minor, payment.amount.currency),
            status=status,
            finished_at_us=now_us if status is RefundStatus.SUCCEEDED else None,
            version=0,
        )
        for number, (payment, minor, status) in enumerate(
            (
                (stored[0], 60_000, RefundStatus.SUCCEEDED),
                (stored[0], 7, RefundStatus.PENDING),
                (stored[0], 9, RefundStatus.FAILED),
                (stored[2], 3, RefundStatus.SUCCEEDED),  # captured months ago
            )
        )
    ]
    await changes.commit(world.ctx.db, Change(tuple(refunds)), now_us)
    await repair_totals(world)
    figures = await load_figures(world, PeriodName.TODAY, now_us, "Europe/Moscow")
    assert [(one.gross_minor, one.refund_minor, one.net_minor) for one in figures] == [
        (440_000, 60_000, 380_000),
        (0, 3, -3),
        (700, 0, 700),
    ]
    assert [one.unknown_fee_gross_minor for one in figures] == [440_000, 0, 700]
    (roubles,) = (await load_dashboard(world)).owed
    assert roubles.refunds_pending == Money(7)


async def test_owed_money_is_named_by_who_owes_it(world: World) -> None:
    assert (await load_dashboard(world)).owed == []
    invoice = await world.create_invoice(150_000)
    await world.create_invoice(20_000)
    await world.create_invoice(900, max_payments=None)  # a link for many is an offer, not a debt
    overdue = await world.create_invoice(5_000, expires_at_us=world.ctx.now_us() + 60_000_000)
    world.clock.advance(hours=1)
    paid, extra = [await world.start_payment(invoice, payer=payer) for payer in ("a", "b")]
    assert overdue.max_payments == 1
    for payment in (paid, extra):
        await world.pay(payment)
        await payments.advance(world.ctx, payment.id)
    home = await load_dashboard(world)
    assert home.open_invoice_count == 2
    (owed,) = home.owed
    assert (owed.by_clients, owed.refunds_due) == (Money(20_000), Money(150_000))
    await request_refund(world, extra, 150_000)
    requested = (await load_dashboard(world)).owed[0]
    assert (requested.refunds_due, requested.refunds_pending) == (Money(0), Money(150_000))
    await world.run_jobs()
    after = await load_dashboard(world)
    assert (after.owed[0].refunds_due, after.owed[0].refunds_pending) == (Money(0), Money(0))
    (today,) = await load_figures(world, PeriodName.TODAY, world.ctx.now_us(), world.shop.tz)
    assert today.gross_minor - today.refund_minor == 150_000


async def test_money_held_on_a_card_is_not_owed_by_the_client(world: World) -> None:
    await add_captured(world)  # an open invoice of 1,500 roubles
    (held,) = await add_captured(world, (0, 150_000, "RUB"))
    authorized = replace(held, status=PaymentStatus.AUTHORIZED, captured_at_us=None, version=1)
    await changes.commit(world.ctx.db, Change((authorized,)), world.ctx.now_us())
    (owed,) = (await load_dashboard(world)).owed
    assert (owed.by_clients, owed.held) == (Money(150_000), Money(150_000))
