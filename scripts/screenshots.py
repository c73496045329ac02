"""Takes the pictures of the documentation: `make screenshots`.

Starts `sigma demo` on free ports with data of its own, makes a believable day of invoices by the
API, walks it with Chromium and writes docs/images/*.png.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PHONE = {"width": 360, "height": 900}
DESK = {"width": 1280, "height": 800}
START_S = 60
MAX_BYTES = 200 * 1024
PAID, DECLINED = "2202474301322987", "5555555555554600"

ASK = [
    {"key": "email", "required": True},
    {"key": "phone", "required": True},
    {"key": "wish", "kind": "text", "label": "Пожелания"},
]
ANSWERS = {"email": "irina@example.ru", "phone": "8 916 765-43-21", "wish": "Без лака, форма овал"}
DAY: list[tuple[str, str, str]] = [  # title, sum, what becomes of it
    ("Консультация по уходу", "900.00", "void"),
    ("Окрашивание", "6400.00", "paid"),
    ("Подарочный сертификат", "3000.00", "open"),
    ("Стрижка и укладка", "2700.00", "declined"),
    ("Педикюр", "2200.00", "paid"),
    ("Маникюр с покрытием", "1500.00", "shown"),
]


class Demo:
    """A running demo: its addresses, its API."""

    def __init__(self, told: dict[str, str]) -> None:
        self.told = told
        self.app = told["app_url"]
        self.bank = told["sandbox_url"] + "/bank"

    def api(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.told['api_key']}"}
        if method == "POST":
            headers["Idempotency-Key"] = f"{path}-{time.monotonic_ns()}"
        return _json(method, f"{self.app}/api/v1{path}", body, headers)

    def issue(self, title: str, value: str, **more: Any) -> Any:
        amount = {"value": value, "currency": "RUB"}
        return self.api("POST", "/invoices", {"title": title, "amount": amount, "ask": ASK, **more})

    def pay(self, at_bank: str, card: str) -> None:
        url = f"{self.bank}/test/payments/{at_bank.rsplit('/', 1)[-1]}/pay"
        _json("POST", url, {"card": card}, {})


def _json(method: str, url: str, body: Any, headers: dict[str, str]) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@contextmanager
def demo() -> Iterator[Demo]:
    """Starts `sigma demo` and ends it."""
    with tempfile.TemporaryDirectory(prefix="sigma-pictures-") as folder:
        sigma = Path(sys.executable).with_name("sigma")
        command = [sigma, "demo", "--port", str(_free_port()), "--data", folder]
        log = Path(folder) / "demo.log"
        with log.open("w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
            try:
                yield Demo(_wait(Path(folder) / "demo.json", process, log))
            finally:
                process.terminate()
                process.wait(15)


def _wait(told: Path, process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if told.exists():
            found: dict[str, str] = json.loads(told.read_text())
            return found
        time.sleep(0.1)
    raise SystemExit(f"sigma demo did not start:\n{log.read_text()}")


def _free_port() -> int:
    """A port with two free ones beside it: for the sandbox, and for mail."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 65_000 and all(_is_free(port + n) for n in (1, 25)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def shoot(page: Page, name: str) -> None:
    """One picture, no larger than a page of documentation can bear."""
    page.wait_for_load_state("networkidle")
    IMAGES.mkdir(parents=True, exist_ok=True)
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled", caret="hide")
    size = path.stat().st_size
    assert size <= MAX_BYTES, f"{path.name} has {size} bytes"
    sys.stdout.write(f"{path.relative_to(ROOT)}  {size // 1024} KB\n")


def open_page(browser: Browser, size: dict[str, int]) -> Page:
    """A fresh browser of a Russian client or seller."""
    context = browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        locale="ru-RU",
        timezone_id="Europe/Moscow",
        color_scheme="light",
        is_mobile=size is PHONE,
        has_touch=size is PHONE,
    )
    return context.new_page()


def client(browser: Browser, sigma: Demo, invoice: Any, card: str, *, pictures: bool) -> None:
    """A client opens the link, answers, pays."""
    page = open_page(browser, PHONE)
    page.goto(invoice["url"])
    for key, value in ANSWERS.items():
        page.fill(f"[name={key}]", value)
    if pictures:
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        shoot(page, "payment-360")
    page.check("[name=consent]")
    page.click("button[type=submit]")
    page.wait_for_url(f"{sigma.bank}/checkout/**")
    if pictures:
        shoot(page, "bank-360")
    sigma.pay(page.url.split("?")[0], card)
    if card == PAID:
        _wait_for(sigma, invoice["id"], "captured")
    if pictures:
        page.goto(invoice["url"])
        page.wait_for_url(f"{sigma.app}/**")
        (payment,) = sigma.api("GET", f"/payments?invoice_id={invoice['id']}")["data"]
        page.goto(payment["receipt_url"])
        shoot(page, "receipt-360")
    page.context.close()


def _wait_for(sigma: Demo, invoice_id: str, status: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = sigma.api("GET", f"/payments?invoice_id={invoice_id}")["data"]
        if found and found[0]["status"] == status:
            return
        time.sleep(0.2)
    raise SystemExit(f"the payment is not {status}")


def day(browser: Browser, sigma: Demo) -> Any:
    """A believable day; returns the invoice that the pictures show."""
    shown: Any = None
    for title, value, fate in DAY:
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT20:59:59Z")
        more = {"expires_at": tomorrow} if fate == "open" else {}
        if fate == "shown":
            more["description"] = "Классический маникюр и покрытие гель-лаком, 1 час 30 минут"
        invoice = sigma.issue(title, value, **more)
        if fate == "void":
            sigma.api("POST", f"/invoices/{invoice['id']}/void")
        elif fate != "open":
            card = DECLINED if fate == "declined" else PAID
            client(browser, sigma, invoice, card, pictures=fate == "shown")
        shown = invoice
    return shown


def seller(browser: Browser, sigma: Demo, invoice: Any) -> None:
    """The seller signs in and looks around."""
    page = open_page(browser, DESK)
    page.goto(f"{sigma.app}/sign-in")
    page.fill("[name=login]", sigma.told["login"])
    page.fill("[name=password]", sigma.told["password"])
    page.click("form button.primary")
    page.wait_for_url(f"{sigma.app}/")
    page.goto(f"{sigma.app}/invoices")
    shoot(page, "invoices-1280")
    (payment,) = sigma.api("GET", f"/payments?invoice_id={invoice['id']}")["data"]
    page.goto(f"{sigma.app}/payments/{payment['id']}")
    shoot(page, "payment-details-1280")
    page.goto(f"{sigma.app}/invoices/new")
    page.fill("[name=title]", "Маникюр с покрытием")
    page.fill("[name=amount]", "1500")
    page.wait_for_timeout(1500)  # the preview follows the form
    shoot(page, "new-invoice-1280")
    page.context.close()


def main() -> None:
    """Takes every picture anew."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with demo() as sigma, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        seller(browser, sigma, day(browser, sigma))
        browser.close()


if __name__ == "__main__":
    main()
