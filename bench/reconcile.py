"""`python -m bench.reconcile`: the memory and the speed of a reconciliation of many payments.

The acquirer is in this process and makes its pages when they are requested, so only Sigma's memory
is measured: it must not grow with the number of payments.
"""

import argparse
import asyncio
import tempfile
import time
import tracemalloc
from pathlib import Path

from bench.stage import Harness, InstantAcquirer, open_harness
from sigma.domain.billing import payment as domain
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Event, Payment, PaymentReply, Status
from sigma.domain.change import Change
from sigma.domain.ledger import capture_entry
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US, SECOND_US
from sigma.providers.base import ConnectionAccess, PaymentPage, RefundPage, RejectedError
from sigma.services.billing import connections
from sigma.services.ids import min_id
from sigma.services.reconciliation import runs
from sigma.store import changes
from sigma.store.schema.migrate import upgrade

PAGE_SIZE = 100
ROWS_PER_COMMIT = 200
PERIOD_US = 25 * DAY_US
LOST_EVERY = 1000  # the acquirer does not have every thousandth payment
AMOUNT = Money(150_000)


class ListingAcquirer(InstantAcquirer):
    """An acquirer with `count` payments, the first at `first_us`, in equal distances."""

    count = 0
    first_us = 0

    def created_at_us(self, number: int) -> int:
        """Return the creation time of a payment, UTC microseconds."""
        return self.first_us + number * (PERIOD_US // self.count)

    async def fetch_payment(self, access: ConnectionAccess, provider_id: str) -> PaymentReply:
        """Return a payment by its id; a lost one is not found."""
        number = int(provider_id.removeprefix("bank-"))
        if number % LOST_EVERY == 0:
            raise RejectedError("not_found")
        return self._reply(number)

    async def list_payments(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> PaymentPage:
        """Return a page, newest first; the cursor is the number of its first payment."""
        first = int(cursor) if cursor else self.count - 1
        last = max(first - PAGE_SIZE, -1)
        replies = [self._reply(n) for n in range(first, last, -1) if n % LOST_EVERY]
        return PaymentPage(tuple(replies), str(last) if last >= 0 else None)

    async def list_refunds_by_date(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> RefundPage:
        """Return no refunds."""
        return RefundPage(())

    def _reply(self, number: int) -> PaymentReply:
        created_at_us = self.created_at_us(number) + SECOND_US
        return PaymentReply(f"bank-{number}", Event.CAPTURED, AMOUNT, created_at_us=created_at_us)


def _payment(
    harness: Harness, acquirer: ListingAcquirer, invoice: Invoice, connection: Connection, n: int
) -> Change:
    created_at_us = acquirer.created_at_us(n)
    payment = Payment(
        id=f"{min_id('pay', created_at_us)}{invoice.shop_id[15:19]}{n:08d}",
        shop_id=invoice.shop_id,
        invoice_id=invoice.id,
        connection_id=connection.id,
        provider="yookassa",
        operation_key=f"op-{n}",
        token=f"token-{n}",
        amount=AMOUNT,
        status=Status.CAPTURED,
        created_at_us=created_at_us,
        provider_id=f"bank-{n}",
        form_nonce=str(n),
        captured_at_us=created_at_us,
    )
    entry = capture_entry(
        payment_id=payment.id,
        shop_id=payment.shop_id,
        booked_at_us=created_at_us,
        amount=AMOUNT,
        income=None,
        is_refund_due=False,
    )
    event = domain.timeline_event(payment, "captured", created_at_us, harness.ctx.id_factory(""))
    return Change((payment, event), (entry,))


async def measure(count: int, folder: Path) -> None:
    """Write `count` payments to a new SQLite file, reconcile them and print the measurements."""
    url = f"sqlite:///{folder / f'{count}.db'}"
    await asyncio.to_thread(upgrade, url)
    async with open_harness(url, acquirer_type=ListingAcquirer) as harness:
        acquirer = harness.ctx.providers["yookassa"]
        assert isinstance(acquirer, ListingAcquirer)
        acquirer.count, acquirer.first_us = count, harness.ctx.now_us() - PERIOD_US - DAY_US
        invoice = await harness.create_invoice()
        (connection,) = await connections.list_for_shop(harness.ctx, harness.member)
        for start in range(0, count, ROWS_PER_COMMIT):
            numbers = range(start, min(start + ROWS_PER_COMMIT, count))
            made = [_payment(harness, acquirer, invoice, connection, n) for n in numbers]
            await changes.commit(harness.ctx.db, sum(made, Change()), harness.ctx.now_us())
        tracemalloc.start()
        before_bytes, _ = tracemalloc.get_traced_memory()
        start_s = time.perf_counter()
        run = await runs.start(harness.ctx, harness.member, in_background=False)
        while run.is_running:
            run = await runs.step(harness.ctx, run)
        duration_s = time.perf_counter() - start_s
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    expected = -(-count // LOST_EVERY)
    assert (run.payment_count, run.difference_count) == (count, expected), run
    peak_mib = (peak_bytes - before_bytes) / 2**20
    print(f"{count:>10}{duration_s:>10.1f}{count / duration_s:>14.0f}{peak_mib:>12.1f}")


async def _run_all(counts: list[int]) -> None:
    print(f"{'payments':>10}{'s':>10}{'payments/s':>14}{'peak, MiB':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            await measure(count, Path(folder))


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.reconcile", description=__doc__)
    parser.add_argument("counts", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    asyncio.run(_run_all(parser.parse_args().counts))


if __name__ == "__main__":
    main()
