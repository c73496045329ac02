"""Browser windows that check every open page: foreign hosts, failed requests, console errors."""

import io
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, Request, Response

from sigma.web.bounded_request import LIST_FIELDS
from tests.browser.waiting import NAVIGATION_TIMEOUT_MS, TIMEOUT_MS

PAGE_CHECKS_JS = (Path(__file__).parent / "page_checks.js").read_text()
OWN_HOSTS = {"127.0.0.1", "localhost"}
LATEST_REQUESTS = 20
MAX_SCREENSHOT_BYTES = 150 * 1024  # the largest image allowed in the documentation

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 780},
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}

STUB_PAGE = "<!doctype html><html lang='ru'><title>Студия</title><h1>Студия</h1></html>"


async def save_screenshot(page: Page, path: Path) -> None:
    """Write a screenshot of the visible part; fails if it is too large for the documentation."""
    _write(path, await page.screenshot(animations="disabled", scale="css"))


def _write(path: Path, shot: bytes) -> None:
    # A palette of 256 colours needs a third of the bytes.
    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    assert size <= MAX_SCREENSHOT_BYTES, f"{path.name} has {size} bytes"


@dataclass
class Window:
    """A browser of one user. `problems` collects all problems of the pages it opened, `requests`
    what became of its requests.

    `screenshots_dir` is the folder of test screenshots; `docs_images_dir` the folder of
    documentation images, or None when none are made.
    """

    page: Page
    screenshots_dir: Path
    name: str
    problems: list[str] = field(default_factory=list)
    docs_images_dir: Path | None = None
    requests: dict[Request, str] = field(default_factory=dict)

    def for_page(self, page: Page) -> "Window":
        """Return a window on another page of the same user, such as one that a link opened."""
        return replace(self, page=page)

    def describe(self) -> str:
        """Return what a failed test needs: the page's address, its problems, the last requests."""
        latest = [
            f"{outcome}: {request.method} {request.url}"
            for request, outcome in list(self.requests.items())[-LATEST_REQUESTS:]
        ]
        return "\n".join([f"window {self.name!r} at {self.page.url}", *self.problems, *latest])

    async def check_page(self, name: str) -> None:
        """Check the page as it is now (layout, accessibility) and take a screenshot of it."""
        await self.page.wait_for_load_state("load")
        problems = await self.page.evaluate(PAGE_CHECKS_JS, sorted(LIST_FIELDS))
        self.problems += [f"{name}: {problem}" for problem in problems]
        await self.page.evaluate("scrollTo(0, 0)")
        await self.page.screenshot(
            path=self.screenshots_dir / f"{self.name}-{name}.png",
            full_page=True,
            animations="disabled",
            caret="initial",  # hiding the caret leaves styles in the page
            scale="css",
        )

    async def save_docs_image(self, name: str, selector: str = "") -> None:
        """Take an image for the documentation, if wanted; scroll to `selector` first."""
        if self.docs_images_dir is None:
            return
        await self.page.wait_for_load_state("load")
        await self.page.evaluate("document.activeElement.blur()")
        scroll = (
            f"document.querySelector({selector!r}).scrollIntoView()"
            if selector
            else "scrollTo(0, 0)"
        )
        await self.page.evaluate(scroll)
        await save_screenshot(self.page, self.docs_images_dir / f"{name}.png")


@asynccontextmanager
async def open_window(
    browser: Browser,
    screenshots_dir: Path,
    name: str,
    size: Mapping[str, Any] = PHONE,
    *,
    shops: Iterable[str] = (),
    docs_images_dir: Path | None = None,
    expected_statuses: Set[int] = frozenset(),
    **options: Any,
) -> AsyncIterator[Window]:
    """Open a fresh browser of a user in Moscow; fail at the end if a page had a problem.

    `shops` are hosts of sellers that links may lead to; a stub page is served for them.
    `expected_statuses`: error statuses of pages that are no problem here, beside 422.
    """
    options = {"locale": "ru-RU", "timezone_id": "Europe/Moscow", **size, **options}
    context = await browser.new_context(**options)
    context.set_default_timeout(TIMEOUT_MS)
    context.set_default_navigation_timeout(NAVIGATION_TIMEOUT_MS)
    try:
        opened = Window(
            await context.new_page(), screenshots_dir, name, docs_images_dir=docs_images_dir
        )
        _watch(context, opened.problems, OWN_HOSTS | set(shops), {422, *expected_statuses})
        _note_requests(context, opened.requests)
        for host in shops:
            await context.route(re.compile(rf"^https?://{re.escape(host)}/"), _serve_stub)
        try:
            yield opened
        except Exception as error:
            error.add_note(opened.describe())
            raise
    finally:
        await context.close()
    assert not opened.problems, "\n".join(opened.problems)


async def _serve_stub(route: Any) -> None:
    await route.fulfill(status=200, content_type="text/html; charset=utf-8", body=STUB_PAGE)


def _note_requests(context: BrowserContext, outcomes: dict[Request, str]) -> None:
    """Note what becomes of each request: a test that waits in vain tells who did not answer."""
    context.on("request", lambda request: outcomes.update({request: "no response"}))
    context.on("response", lambda response: outcomes.update({response.request: "unfinished"}))
    context.on("requestfinished", lambda request: outcomes.update({request: "finished"}))
    context.on("requestfailed", lambda request: outcomes.update({request: "failed"}))


def _watch(
    context: BrowserContext, problems: list[str], hosts: set[str], page_statuses: Set[int]
) -> None:
    def check_host(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme in ("http", "https") and url.hostname not in hosts:
            problems.append(f"request to another host: {request.url}")

    def check_failure(request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # leaving a page aborts its requests
            problems.append(f"failed: {request.method} {request.url}: {request.failure}")

    def check_status(response: Response) -> None:
        is_page = response.request.is_navigation_request()
        is_form_error = response.status in page_statuses and is_page
        if response.status >= 400 and not is_form_error:
            problems.append(f"{response.status}: {response.request.method} {response.url}")

    def check_console(message: Any) -> None:
        # Responses with an error status are reported above, with their URL.
        if message.type in ("error", "warning") and "Failed to load" not in message.text:
            where = f"{message.location['url']}:{message.location['lineNumber']}"
            problems.append(f"console: {message.text[:200]} (at {where})")

    context.on("request", check_host)
    context.on("requestfailed", check_failure)
    context.on("response", check_status)
    context.on("console", check_console)
    context.on("weberror", lambda error: problems.append(f"script: {error.error}"))
