"""PDFs are drawn outside the event loop, once for each content, and few are cached."""

import asyncio
import threading

import pytest

from sigma.documents.pdf_cache import PdfCache


class Drawing:
    """Counts drawings; while `gate` is closed, they wait in their thread."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, source: str) -> bytes:
        assert self.gate.wait(10)
        self.sources.append(source)
        self.threads.add(threading.get_ident())
        if source == "broken":
            raise ValueError(source)
        return source.encode() * 10


async def test_simultaneous_requests_draw_once_while_the_loop_runs() -> None:
    drawing = Drawing()
    drawing.gate.clear()
    cache = PdfCache(drawing)
    requests = [asyncio.create_task(cache.render("receipt")) for _ in range(30)]
    await asyncio.sleep(0)  # the loop goes on although the drawing waits for its gate
    assert drawing.sources == []
    drawing.gate.set()
    assert await asyncio.gather(*requests) == [b"receipt" * 10] * 30
    assert await cache.render("receipt") == b"receipt" * 10
    assert drawing.sources == ["receipt"]
    assert threading.get_ident() not in drawing.threads


async def test_changed_content_is_drawn_again() -> None:
    drawing = Drawing()
    cache = PdfCache(drawing)
    assert await cache.render("paid") != await cache.render("refunded")
    await cache.render("paid")
    assert drawing.sources == ["paid", "refunded"]


async def test_least_recently_used_pdf_is_dropped() -> None:
    drawing = Drawing()
    cache = PdfCache(drawing, max_bytes=25)
    for source in ("a", "b", "a", "c", "a", "b"):
        await cache.render(source)
    assert drawing.sources == ["a", "b", "c", "b"]


async def test_client_that_leaves_does_not_stop_the_drawing_of_others() -> None:
    drawing = Drawing()
    drawing.gate.clear()
    cache = PdfCache(drawing)
    leaving, staying = (asyncio.create_task(cache.render("receipt")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    drawing.gate.set()
    assert await staying == b"receipt" * 10
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert drawing.sources == ["receipt"]


async def test_failed_drawing_is_raised_and_tried_again() -> None:
    drawing = Drawing()
    cache = PdfCache(drawing)
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await cache.render("broken")
    assert drawing.sources == ["broken", "broken"]


async def test_pdf_is_forgotten_after_its_time() -> None:
    drawn: list[str] = []

    def draw(source: str) -> bytes:
        drawn.append(source)
        return b"pdf"

    cache = PdfCache(draw, max_age_s=0)
    await cache.render("a")
    await asyncio.sleep(0)  # the loop runs what is due
    assert cache._size_bytes == 0
    await cache.render("a")
    assert drawn == ["a", "a"]
