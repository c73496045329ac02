"""Measure receipts as PDF: `python -m bench.receipts`.

Draws many different receipts at once while a ticker measures how late the event loop wakes up.
"""

import asyncio
import time
from dataclasses import replace

from sigma.documents.pdf import receipt_source
from sigma.documents.pdf_cache import PdfCache
from tests.documents.test_receipts import INVOICE, LINK, RU, receipt

RECEIPTS = 30
TICK_S = 0.001


async def _worst_lag_s(stopped: asyncio.Event) -> float:
    """Return how late the loop woke up at worst, in seconds."""
    worst_s = 0.0
    while not stopped.is_set():
        before = time.perf_counter()
        await asyncio.sleep(TICK_S)
        worst_s = max(worst_s, time.perf_counter() - before - TICK_S)
    return worst_s


async def main() -> None:
    """Print milliseconds per receipt, new and cached, and the worst lag of the loop."""
    cache = PdfCache()
    await cache.render(receipt_source(receipt(), (), RU, LINK))  # load the fonts
    sources = [
        receipt_source(receipt(replace(INVOICE, number=n)), (), RU, LINK) for n in range(RECEIPTS)
    ]
    stopped = asyncio.Event()
    ticker = asyncio.create_task(_worst_lag_s(stopped))
    await asyncio.sleep(0)
    for name in ("drawn", "cached"):
        before = time.perf_counter()
        await asyncio.gather(*(cache.render(source) for source in sources))
        print(f"{name:<8}{(time.perf_counter() - before) / RECEIPTS * 1000:>8.2f} ms a receipt")
    stopped.set()
    print(f"{'loop':<8}{await ticker * 1000:>8.2f} ms late at worst")


if __name__ == "__main__":
    asyncio.run(main())
