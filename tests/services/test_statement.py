"""A month's statement agrees to the kopeck with the ledger, lists, exports, the API and the bank.

One story is told once for each database: payments at the midnights of three zones, on both sides
of a change of the clocks, refunds in the next month, partial and refused refunds, a chargeback. The
sums come from sources that share no code with the statement.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise

import pytest

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.payment import Payment
from sigma.domain.errors import RefusedError
from sigma.domain.figures import Figures, sum_figures
from sigma.domain.lists.filters import PaymentFilter
from sigma.domain.money import Money
from sigma.domain.reports.periods import Period, constant_offsets, month_period
from sigma.domain.reports.statement import AgreementStatus, OperationKind
from sigma.services.billing import payment_views, refunds
from sigma.services.billing.refund_sync import sync_refunds
from sigma.services.clock import clock as system_clock
from sigma.services.lists import payments as payment_lists
from sigma.services.reconciliation import runs
from sigma.services.reports import totals_check
from sigma.services.reports.figures import get_report
from sigma.services.reports.statement import get_statement
from sigma.store.reports import recount, totals
from sigma.store.schema.tables import ledger
from tests.reconciliation import fetch_rows, find_mismatches
from tests.services.other_figures import exported_payments, payments_of_the_api, workbook_sums
from tests.world import World

ZONES = ("Europe/Moscow", "Asia/Vladivostok", "Europe/Berlin")
# Midnights of these zones at both ends of March 2027, and the clocks of Berlin: 28 March, 01:00.
MOMENTS = (
    "2027-02-28T13:59:30",  # Vladivostok: the last minute of February
    "2027-02-28T14:00:00",
    "2027-02-28T20:59:30",  # Moscow
    "2027-02-28T21:00:00",
    "2027-02-28T22:59:30",  # Berlin, UTC+1
    "2027-02-28T23:00:00",
    "2027-03-27T22:59:30",  # Berlin: the day of 23 hours begins
    "2027-03-27T23:00:00",
    "2027-03-28T00:59:30",
    "2027-03-28T01:00:00",
    "2027-03-28T21:59:30",
    "2027-03-28T22:00:00",
    "2027-03-31T13:59:30",
    "2027-03-31T14:00:00",
    "2027-03-31T20:59:30",
    "2027-03-31T21:00:00",
    "2027-03-31T21:59:30",  # Berlin, UTC+2
    "2027-03-31T22:00:00",
)


def utc_us(text: str) -> int:
    """Return "2027-03-28T23:00:00" (UTC) in microseconds."""
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000


@dataclass
class Story:
    """The payments of a story, in order."""

    world: World
    paid: list[Payment] = field(default_factory=list)

    async def move_to(self, moment: str) -> None:
        """Move the clocks of Sigma and of the bank."""
        clock, at_us = self.world.clock, utc_us(moment)
        assert clock.stopped_at_us is not None
        clock.offset_us = at_us - clock.stopped_at_us

        offset_s = -(-(at_us - system_clock()) // 1_000_000)  # never before the moment
        await self.world.inject_faults(clock_offset_s=offset_s)

    async def pay(self, moment: str, amount_minor: int) -> None:
        await self.move_to(moment)
        invoice = await self.world.create_invoice(amount_minor)
        self.paid.append(await self.world.complete_payment(invoice))

    async def refund(self, moment: str, number: int, amount_minor: int) -> None:
        await self.move_to(moment)
        world = self.world
        refund = await refunds.request(
            world.ctx, world.member, self.paid[number].id, Money(amount_minor), "нет"
        )
        await refunds.advance(world.ctx, refund.id)


async def seed_payments(world: World) -> Story:
    world.clock.stop()
    story = Story(world)
    for number, moment in enumerate(MOMENTS):
        await story.pay(moment, 100_003 + 1_117 * number)
    await story.refund("2027-03-31T22:30:00", 3, 40_001)
    await world.inject_faults(refund_decline="insufficient_funds")
    await story.refund("2027-03-31T22:40:00", 4, 5_000)
    await world.inject_faults(refund_decline=None)
    await story.refund("2027-04-01T00:10:00", 5, story.paid[5].amount.minor)
    await story.move_to("2027-04-01T00:20:00")
    await world.charge_back(story.paid[6], 77_700)
    await world.refund_at_bank(story.paid[7], 1_234)
    for number in (6, 7):
        await sync_refunds(world.ctx, story.paid[number].id, reads_list=True)
    await world.run_jobs()
    return story


async def ledger_figures(world: World, period: Period) -> tuple[int, int, int]:
    """Return gross, refunds and fees that the ledger booked in a period."""
    gross = refunded = fees = 0
    for posting in await fetch_rows(world.ctx.db, ledger, world.shop.id):
        if not period.since_us <= posting["booked_at_us"] < period.until_us:
            continue
        amount, account = posting["amount_minor"], posting["account"]
        if account == "fees":
            fees += amount
        elif posting["kind"] == "capture" and account in ("sales", "refunds_due"):
            gross -= amount
        elif posting["kind"] == "refund" and account == "acquirer":
            refunded -= amount
    return gross, refunded, fees


async def list_figures(world: World, period: Period) -> tuple[int, int, int]:
    """Return gross, refunds and fees of the payments that the API lists."""
    gross = refunded = fees = 0
    cursor = None
    while True:
        page = await payment_lists.list_ids(
            world.ctx, world.member, PaymentFilter(status="captured"), limit=7, cursor=cursor
        )
        for view in await payment_views.list_by_ids(world.ctx, world.member, page.ids):
            payment = view.payment
            if period.since_us <= (payment.captured_at_us or 0) < period.until_us:
                assert payment.income is not None
                gross += payment.amount.minor
                fees += payment.amount.minor - payment.income.minor
            refunded += sum(
                refund.amount.minor
                for refund in view.refunds
                if refund.status == "succeeded"
                and period.since_us <= (refund.finished_at_us or 0) < period.until_us
            )
        if (cursor := page.next_cursor) is None:
            return gross, refunded, fees


async def bank_figures(world: World, period: Period) -> tuple[int, int, int]:
    """Return gross, refunds and fees as the bank has them.

    A chargeback is in no list of the bank: it is what a refunded total has more than the refunds,
    and belongs to the time when Sigma found it.
    """

    def minor(amount: dict[str, str]) -> int:
        return Money.parse(amount["value"]).minor

    def is_in_period(time: str) -> bool:
        at_us = int(datetime.fromisoformat(time).timestamp() * 1_000_000)
        return period.since_us <= at_us < period.until_us

    gross = refunded = fees = 0
    listed = await world.list_at_bank("refunds")
    for payment in await world.list_at_bank("payments"):
        if payment["status"] != "succeeded":
            continue
        if is_in_period(payment["captured_at"]):
            gross += minor(payment["amount"])
            fees += minor(payment["amount"]) - minor(payment["income_amount"])
        known = sum(
            minor(refund["amount"])
            for refund in listed
            if refund["payment_id"] == payment["id"] and refund["status"] == "succeeded"
        )
        charged_back = minor(payment["refunded_amount"]) - known
        if charged_back and is_in_period("2027-04-01T00:20:00+00:00"):
            refunded += charged_back
    refunded += sum(
        minor(refund["amount"])
        for refund in listed
        if refund["status"] == "succeeded" and is_in_period(refund["created_at"])
    )
    return gross, refunded, fees


@pytest.mark.both_databases
async def test_statement_agrees_with_every_other_source_in_three_zones_over_a_clock_change(
    world: World,
) -> None:
    story = await seed_payments(world)
    assert await find_mismatches(world) == []
    exported, of_api = await exported_payments(world), await payments_of_the_api(world)
    for tz in ZONES:
        closing = Figures()
        for month in (2, 3, 4):
            period = month_period(2027, month, tz)
            statement = await get_statement(world.ctx, world.member, period)
            (of_currency,) = statement.currencies
            figures = of_currency.total
            sums = (figures.gross_minor, figures.refund_minor, figures.fee_minor)
            assert sums == await ledger_figures(world, period), (tz, month)
            assert sums == await list_figures(world, period), (tz, month)
            assert sums == await bank_figures(world, period), (tz, month)
            assert (*sums, figures.net_minor) == await workbook_sums(world, period), (tz, month)
            for captures in (exported, of_api):
                inside = [one for one in captures if period.since_us <= one[0] < period.until_us]
                assert sum(one[1] for one in inside) == figures.gross_minor, (tz, month)
                fees = sum(one[2] for one in inside)
                assert fees == (figures.fee_minor if captures is exported else 0), (tz, month)
            assert figures.unknown_fee_count == 0
            assert figures.net_minor == sums[0] - sums[1] - sums[2]
            assert of_currency.opening.net_minor == closing.net_minor, (tz, month)
            closing = of_currency.closing
            assert sum_figures([day for _, day in of_currency.days]) == figures
            assert sum_figures([kind for _, kind in of_currency.kinds]) == figures
            report = await get_report(world.ctx, world.member, period)
            at_home = report.currencies[0]
            days = tuple(day for day in at_home.days if day[1].payment_count or day[1].refund_count)
            assert money_of(at_home.total) == money_of(figures), (tz, month)
            assert [(day, money_of(f)) for day, f in days] == [
                (day, money_of(f)) for day, f in of_currency.days
            ], (tz, month)
            for parts in (at_home.by_service, at_home.by_issuer, at_home.by_source):
                assert sum_figures([part.figures for part in parts]) == at_home.total
        assert closing.payment_count == len(MOMENTS)
        for captures in (exported, of_api):
            assert sum(one[3] for one in captures) == closing.refund_minor, tz
        assert closing.refund_count == 4
        assert closing.chargeback_minor == 77_700
    first_and_last = {
        "Asia/Vladivostok": (1, 12),
        "Europe/Moscow": (3, 14),
        "Europe/Berlin": (5, 16),
    }
    for tz, (first, last) in first_and_last.items():
        statement = await get_statement(world.ctx, world.member, month_period(2027, 3, tz))
        captured = [o.id for o in statement.operations if o.kind is OperationKind.PAYMENT]
        assert captured == [payment.id for payment in story.paid[first : last + 1]]
    april = await get_statement(world.ctx, world.member, month_period(2027, 4, "Europe/Moscow"))
    refunded = [o for o in april.operations if o.kind is not OperationKind.PAYMENT]
    assert [o.kind for o in refunded].count(OperationKind.CHARGEBACK) == 1
    assert all(o.paid_at_us is not None and o.paid_at_us < o.at_us for o in refunded)


def money_of(figures: Figures) -> tuple[int, ...]:
    """Return the figures of money, without openings of invoices."""
    return (figures.payment_count, figures.gross_minor, figures.fee_minor, figures.refund_minor)


async def test_statement_says_whether_the_acquirer_agrees(world: World) -> None:
    world.clock.stop()
    story = Story(world)
    for moment in ("2027-03-02T10:00:00", "2027-03-28T10:00:00", "2027-04-01T10:00:00"):
        await story.pay(moment, 100_000)
    period = month_period(2027, 3, "Europe/Moscow")
    statement = await get_statement(world.ctx, world.member, period)
    assert statement.agreement.status is AgreementStatus.UNCHECKED
    run = await runs.start(world.ctx, world.member, period.since_us, period.until_us)
    await world.run_jobs()
    statement = await get_statement(world.ctx, world.member, period)
    assert statement.agreement.status is AgreementStatus.AGREES
    assert statement.agreement.as_of_us is not None
    assert statement.agreement.as_of_us >= run.created_at_us
    at_bank = await world.list_at_bank("payments")
    lost = next(p for p in at_bank if p["captured_at"].startswith("2027-03-28"))
    url = f"{world.sandbox.base_url}/control/objects"
    edit = {"shop": world.account, "lose": [lost["id"]]}
    response = await world.http.post(url, json=edit)
    assert response.status_code == 200, response.text
    world.clock.advance(minutes=1)
    await runs.start(world.ctx, world.member, period.since_us, period.until_us)
    await world.run_jobs()
    statement = await get_statement(world.ctx, world.member, period)
    assert statement.agreement.status is AgreementStatus.DIFFERS
    assert [one.provider_id for one in statement.agreement.differences] == [lost["id"]]


async def test_clients_are_masked_for_an_accountant_and_an_operator_sees_no_statement(
    world: World,
) -> None:
    world.clock.stop()
    await Story(world).pay("2027-03-10T10:00:00", 100_000)
    period = month_period(2027, 3, "Europe/Moscow")
    client_by_role = {}
    for role in Role:
        member = Member("usr_x", world.shop.id, role)
        if role is Role.OPERATOR:
            with pytest.raises(RefusedError, match="forbidden"):
                await get_statement(world.ctx, member, period)
            continue
        statement = await get_statement(world.ctx, member, period)
        client_by_role[role] = statement.operations[0].client
    assert client_by_role == {
        Role.OWNER: "client@example.net",
        Role.ADMIN: "client@example.net",
        Role.ACCOUNTANT: "c***@example.net",
        Role.VIEWER: "c***@example.net",
    }


@pytest.mark.both_databases
async def test_totals_are_repaired_from_the_rows(world: World) -> None:
    world.clock.stop()
    story = Story(world)
    for moment in MOMENTS[:3]:
        await story.pay(moment, 100_000)
    await story.refund(MOMENTS[4], 0, 40_000)
    shop_id = world.shop.id
    async with world.ctx.db.read() as tx:
        days = await recount.find_days(tx, shop_id)
        assert days is not None
        stored = await recount.read_totals(tx, shop_id, *days)
        assert stored == {k: f for k, f in (await recount.count(tx, shop_id, *days)).items() if f}
    async with world.ctx.db.write() as tx:
        key, figures = next(iter(stored.items()))
        await tx.write_all([totals.insert_op(key, Figures(gross_minor=1))])
    async with world.ctx.db.read() as tx:
        wrong = await recount.read_totals(tx, shop_id, *days)
    assert wrong[key].gross_minor == figures.gross_minor + 1
    repaired = [d async for d in totals_check.check(world.ctx, shop_id, repairs=True)]
    assert sum(day.wrong_count for day in repaired) == 1
    async with world.ctx.db.read() as tx:
        assert await recount.read_totals(tx, shop_id, *days) == stored


@pytest.mark.parametrize(
    ("tz", "first_day", "last_day", "offsets_h"),
    [
        ("Europe/Moscow", date(2027, 3, 1), date(2027, 3, 31), [3]),
        ("Europe/Berlin", date(2027, 3, 1), date(2027, 3, 31), [1, 2]),
        ("Europe/Berlin", date(2027, 3, 28), date(2027, 3, 28), [1, 2]),
        ("Europe/Berlin", date(2027, 3, 29), date(2027, 10, 30), [2]),
        ("Europe/Berlin", date(2027, 1, 1), date(2027, 12, 31), [1, 2, 1]),
        ("America/Havana", date(2026, 11, 1), date(2026, 11, 2), [-4, -5]),
        ("Asia/Kathmandu", date(2027, 3, 1), date(2027, 3, 31), [5.75]),
        ("Australia/Lord_Howe", date(2027, 1, 1), date(2027, 12, 31), [11, 10.5, 11]),
    ],
)
def test_period_is_divided_where_the_clocks_change(
    tz: str, first_day: date, last_day: date, offsets_h: list[float]
) -> None:
    period = Period(first_day, last_day, tz)
    parts = constant_offsets(period)
    assert [offset_us / 3_600_000_000 for _, _, offset_us in parts] == offsets_h
    assert (parts[0][0], parts[-1][1]) == (period.since_us, period.until_us)
    assert all(left[1] == right[0] for left, right in pairwise(parts))
    assert all(since_us % 900_000_000 == 0 for since_us, _, _ in parts)
