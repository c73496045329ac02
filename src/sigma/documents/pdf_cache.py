"""Draw PDFs outside the event loop, each content once."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable

from sigma.documents.pdf import draw_pdf

MAX_CACHED_BYTES = 16_000_000  # about 400 receipts
MAX_AGE_S = 600.0  # a receipt names the seller's client: it does not stay in memory for days


class PdfCache:
    """The PDFs drawn last, by the hash of their source.

    A source (`receipt_source`) contains everything that the PDF shows, so a new refund, an erased
    answer or another language is another source, and nothing needs to be invalidated. At most
    `max_bytes` are cached; what was used least recently is dropped, and everything `max_age_s`
    after it was drawn.
    """

    def __init__(
        self,
        draw: Callable[[str], bytes] = draw_pdf,
        *,
        max_bytes: int = MAX_CACHED_BYTES,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        self._draw = draw
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._pdfs: OrderedDict[bytes, bytes] = OrderedDict()
        self._in_progress: dict[bytes, asyncio.Task[bytes]] = {}
        self._turn = asyncio.Lock()

    async def render(self, source: str) -> bytes:
        """Return the PDF of a source. Simultaneous calls with the same source draw once.

        Sources are drawn in one thread at a time, so that many new ones leave the other threads
        (passwords, photos) free.
        """
        key = hashlib.sha256(source.encode("utf-8", "surrogatepass")).digest()
        if (pdf := self._pdfs.get(key)) is not None:
            self._pdfs.move_to_end(key)
            return pdf
        task = self._in_progress.get(key)
        if task is None:
            task = self._in_progress[key] = asyncio.create_task(self._draw_once(key, source))
            task.add_done_callback(lambda done: self._finish(key, done))
        # Shielded: a client that leaves must not cancel the drawing others wait for.
        return await asyncio.shield(task)

    async def _draw_once(self, key: bytes, source: str) -> bytes:
        async with self._turn:
            pdf = await asyncio.to_thread(self._draw, source)
        self._pdfs[key] = pdf
        self._size_bytes += len(pdf)
        asyncio.get_running_loop().call_later(self._max_age_s, self._drop, key)
        while self._size_bytes > self._max_bytes:
            _, dropped = self._pdfs.popitem(last=False)
            self._size_bytes -= len(dropped)
        return pdf

    def _drop(self, key: bytes) -> None:
        """Forget a PDF, unless it was dropped for its size before."""
        pdf = self._pdfs.pop(key, b"")
        self._size_bytes -= len(pdf)

    def _finish(self, key: bytes, task: asyncio.Task[bytes]) -> None:
        del self._in_progress[key]
        if not task.cancelled():
            task.exception()  # marks it as retrieved, in case every caller was cancelled
