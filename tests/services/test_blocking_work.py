"""Slow work is done outside the event loop: in threads and processes.

Each service runs while every call of the loop's thread is recorded. What must not be called there
is named, so the test does not depend on how fast a machine is.
"""

import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from sigma.documents.pdf import receipt_source
from sigma.documents.pdf_cache import PdfCache
from sigma.outbound.guard import Outbound
from sigma.services.catalogue import image_processing, price_list_import
from sigma.services.passwords import PasswordHashing
from sigma.web.cabinet.qr_codes import qr_response
from tests.documents.test_receipts import LINK, RU, receipt
from tests.outbound.servers import make_authority
from tests.photos import make_photo
from tests.price_lists import xlsx

# Packages and standard modules whose functions take long, and built-in functions that block.
BLOCKING_PACKAGES = ("PIL", "argon2", "fontTools", "openpyxl", "python_calamine", "segno", "typst")
BLOCKING_MODULES = {"zipfile.py", "subprocess.py"}
BLOCKING_BUILTINS = {
    *("load_verify_locations", "load_default_certs", "set_default_verify_paths", "getaddrinfo"),
    *("open", "compile", "hash_secret", "fork_exec", "decompress", "sleep"),
}


@contextmanager
def blocking_calls() -> Iterator[set[str]]:
    """Record the blocking calls of this thread, which runs the event loop."""
    found: set[str] = set()

    def record(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            path = Path(frame.f_code.co_filename)
            _, _, in_packages = frame.f_code.co_filename.partition("/site-packages/")
            if path.name in BLOCKING_MODULES or in_packages.partition("/")[0] in BLOCKING_PACKAGES:
                found.add(f"{path.name}:{frame.f_code.co_name}")
        elif event == "c_call":
            name = getattr(argument, "__name__", "")
            module = getattr(argument, "__module__", None) or ""
            if name in BLOCKING_BUILTINS and module not in ("re", "_sre"):
                found.add(f"{module}.{name}")

    sys.setprofile(record)
    try:
        yield found
    finally:
        sys.setprofile(None)


async def _pdf() -> object:
    return await PdfCache().render(RECEIPT_SOURCE)


async def _qr_svg() -> object:
    return await qr_response("https://a.ru/i/1", "svg", "a.svg")


async def _qr_png() -> object:
    return await qr_response("https://a.ru/i/1", "png", "a.png")


async def _photo() -> object:
    return await image_processing.reencode(PHOTO)


async def _spreadsheet() -> object:
    return await price_list_import.parse(await price_list_import.read(PRICE_LIST))


async def _tls() -> object:
    return await Outbound().tls_context()


async def _pasted_tls() -> object:
    return await Outbound().tls_context(CERTIFICATE)


async def _host_name() -> object:
    try:
        return await Outbound().connect("localhost.example", 443, "https", is_encrypted=True)
    except OSError:
        return None


async def _password() -> object:
    return await PASSWORDS.verify(await PASSWORDS.hash("correct horse"), "correct horse")


PHOTO, PRICE_LIST = make_photo(), xlsx([["Услуга", "Цена"], ["Маникюр", 1500]])
CERTIFICATE, PASSWORDS = make_authority().pem, PasswordHashing()
RECEIPT_SOURCE = receipt_source(receipt(), (), RU, LINK)


@pytest.mark.parametrize(
    "work",
    [_pdf, _qr_svg, _qr_png, _photo, _spreadsheet, _tls, _pasted_tls, _host_name, _password],
)
async def test_slow_work_is_done_outside_the_event_loop(
    work: Callable[[], Awaitable[object]],
) -> None:
    assert threading.current_thread() is threading.main_thread()
    with blocking_calls() as found:
        await work()
    assert found == set()


def test_blocking_call_is_found() -> None:
    with blocking_calls() as found:
        Path(__file__).read_bytes()
        make_photo(10, 10)
    assert found
