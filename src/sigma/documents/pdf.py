"""Render the receipt as a PDF of one narrow page with typst.

Data is passed to the template as JSON and never becomes part of its source. Drawing takes about
10 ms and is not for the event loop: `sigma.documents.pdf_cache` draws in a thread.
"""

import dataclasses
import functools
import json
import threading
from pathlib import Path
from typing import Any

import segno
import typst

from sigma.documents.fonts import font_folders, printable
from sigma.domain.billing.answers import Answer
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.texts import Translator
from sigma.texts.receipt_view import ReceiptView, build_receipt_view

TEMPLATES = Path(__file__).parent / "templates"
_DRAWING = threading.Lock()  # a typst compiler serves one thread at a time


@functools.cache
def _compiler() -> typst.Compiler:
    # No system fonts: the same receipt looks the same on every machine.
    return typst.Compiler(
        TEMPLATES / "receipt.typ",
        root=TEMPLATES,
        ignore_system_fonts=True,
        font_paths=font_folders(),
    )


def receipt_pdf(
    receipt: Receipt,
    refunds: tuple[Refund, ...],
    translator: Translator,
    receipt_url: str,
    answers: tuple[Answer, ...] = (),
) -> bytes:
    """Return the PDF with the refunds so far and a QR code of the receipt page.

    The same input gives the same bytes.
    """
    return draw_pdf(receipt_source(receipt, refunds, translator, receipt_url, answers))


def receipt_source(
    receipt: Receipt,
    refunds: tuple[Refund, ...],
    translator: Translator,
    receipt_url: str,
    answers: tuple[Answer, ...] = (),
) -> str:
    """Return everything that the PDF shows as JSON: the input of `draw_pdf`."""
    view = build_receipt_view(receipt, refunds, translator, answers)
    data = {
        "receipt": dataclasses.asdict(view),
        "labels": _labels(view, translator),
        "locale": translator.locale,
        "url": receipt_url,
    }
    return json.dumps(data, ensure_ascii=False)


def draw_pdf(source: str) -> bytes:
    """Draw a receipt from its source (see `receipt_source`). Blocks; any thread may call it."""
    data = _printable(json.loads(source))
    data["qr"] = segno.make(data["url"], error="m", micro=False).svg_inline(scale=4, border=0)
    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    with _DRAWING:
        content = _compiler().compile(format="pdf", sys_inputs=inputs, timestamp=0)
    assert isinstance(content, bytes), "typst returns bytes when no output file is given"
    return content


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def _labels(view: ReceiptView, translator: Translator) -> dict[str, str]:
    partly_refunded = view.net_amount and not view.is_fully_refunded
    return {
        "title": translator.t("receipt.title"),
        "state": translator.t("receipt.refunded_all" if view.is_fully_refunded else "receipt.paid"),
        "refunded": translator.t("receipt.returned", sum=view.refunded) if partly_refunded else "",
        "total": translator.t("receipt.row.total"),
        "net": translator.t("receipt.row.net"),
        "answers": translator.t("receipt.row.answers"),
        "seller": translator.t("receipt.row.seller"),
        "scan": translator.t("receipt.scan"),
        "small_print": translator.t("receipt.small_print"),
    }
