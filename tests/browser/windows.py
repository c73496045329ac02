"""Browser windows that complain: what no page may ever do is noticed in every page that is open."""

import io
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, Request, Response

LOOK = (Path(__file__).parent / "look.js").read_text()
OURS = {"127.0.0.1"}
MAX_SHOT = 150 * 1024  # bytes that a page of documentation can bear
PATIENCE_MS = 30_000  # the machine may be busy with other tests

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 780},
    "is_mobile": True,
    "has_touch": True,
}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}

SHOP_PAGE = "<!doctype html><html lang='ru'><title>Студия</title><h1>Студия</h1></html>"


async def picture(page: Page, path: Path) -> None:
    """Writes what is seen of a page, no larger than a page of documentation can bear."""
    _write(path, await page.screenshot(animations="disabled", scale="css"))


def _write(path: Path, shot: bytes) -> None:
    with Image.open(io.BytesIO(shot)) as image:  # 256 colours are a third of the bytes
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    assert size <= MAX_SHOT, f"{path.name} has {size} bytes"


@dataclass
class Window:
    """A browser of one person. `complaints` is all that was wrong with what it showed.

    `shots` is where pictures for the documentation go, when they are wanted.
    """

    page: Page
    pictures: Path
    name: str
    complaints: list[str] = field(default_factory=list)
    shots: Path | None = None

    def at(self, page: Page) -> "Window":
        """The same person's other page, such as one that a link has opened."""
        return replace(self, page=page)

    async def look(self, name: str) -> None:
        """Looks the page over as it is now, and takes its picture."""
        await self.page.wait_for_load_state("load")
        found = await self.page.evaluate(LOOK)
        self.complaints += [f"{name}: {what}" for what in found]
        await self.page.evaluate("scrollTo(0, 0)")
        await self.page.screenshot(
            path=self.pictures / f"{self.name}-{name}.png",
            full_page=True,
            animations="disabled",
            caret="initial",  # hiding it would leave styles behind in the page
            scale="css",
        )

    async def shoot(self, name: str, at: str = "") -> None:
        """Takes a picture of what is seen now for the documentation; `at` is scrolled to first."""
        if self.shots is None:
            return
        await self.page.wait_for_load_state("load")
        await self.page.evaluate("document.activeElement.blur()")
        place = f"document.querySelector({at!r}).scrollIntoView()" if at else "scrollTo(0, 0)"
        await self.page.evaluate(place)
        await picture(self.page, self.shots / f"{name}.png")


@asynccontextmanager
async def window(
    browser: Browser,
    pictures: Path,
    name: str,
    size: dict[str, Any] = PHONE,
    *,
    shops: Iterable[str] = (),
    shots: Path | None = None,
    **options: Any,
) -> AsyncIterator[Window]:
    """A fresh browser of a person in Moscow; leaving it fails when a page misbehaved.

    `shops` are hosts of sellers where links may lead; a page of ours stands there for them.
    """
    options = {"locale": "ru-RU", "timezone_id": "Europe/Moscow", **size, **options}
    context = await browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    try:
        opened = Window(await context.new_page(), pictures, name, shots=shots)
        _listen(context, opened.complaints, OURS | set(shops))
        for host in shops:
            await context.route(re.compile(rf"^https?://{re.escape(host)}/"), _shop)
        yield opened
    finally:
        await context.close()
    assert not opened.complaints, "\n".join(opened.complaints)


async def _shop(route: Any) -> None:
    await route.fulfill(status=200, content_type="text/html; charset=utf-8", body=SHOP_PAGE)


def _listen(context: BrowserContext, complaints: list[str], hosts: set[str]) -> None:
    def asked(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https") and address.hostname not in hosts:
            complaints.append(f"asks another host: {request.url}")

    def failed(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that is left drops what it loads
            complaints.append(f"failed: {request.method} {request.url}: {request.failure}")

    def answered(response: Response) -> None:
        form_again = response.status == 422 and response.request.is_navigation_request()
        if response.status >= 400 and not form_again:
            complaints.append(f"{response.status}: {response.request.method} {response.url}")

    def said(message: Any) -> None:
        # What was answered with an error is told above, by its address.
        if message.type in ("error", "warning") and "Failed to load" not in message.text:
            at = f"{message.location['url']}:{message.location['lineNumber']}"
            complaints.append(f"console: {message.text[:200]} (at {at})")

    context.on("request", asked)
    context.on("requestfailed", failed)
    context.on("response", answered)
    context.on("console", said)
    context.on("weberror", lambda error: complaints.append(f"script: {error.error}"))
