"""Render the receipt as a PDF of one narrow page with typst.

Data is passed to the template as JSON and never becomes part of its source.
"""

import dataclasses
import functools
import json
from pathlib import Path

import segno
import typst

from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.texts import Translator
from sigma.texts.receipt_view import ReceiptView, build_receipt_view

TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def _compiler() -> typst.Compiler:
    # Only the fonts built into typst: they contain Cyrillic and are the same on every machine.
    return typst.Compiler(TEMPLATES / "receipt.typ", root=TEMPLATES, ignore_system_fonts=True)


def receipt_pdf(
    receipt: Receipt, refunds: tuple[Refund, ...], translator: Translator, receipt_url: str
) -> bytes:
    """Return the PDF with the refunds so far and a QR code of the receipt page.

    The same input gives the same bytes.
    """
    view = build_receipt_view(receipt, refunds, translator)
    data = {
        "receipt": dataclasses.asdict(view),
        "labels": _labels(view, translator),
        "locale": translator.locale,
        "url": receipt_url,
        "qr": segno.make(receipt_url, error="m", micro=False).svg_inline(scale=4, border=0),
    }
    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    content = _compiler().compile(format="pdf", sys_inputs=inputs, timestamp=0)
    assert isinstance(content, bytes), "typst returns bytes when no output file is given"
    return content


def _labels(view: ReceiptView, translator: Translator) -> dict[str, str]:
    partly_refunded = view.net_amount and not view.is_fully_refunded
    return {
        "title": translator.t("receipt.title"),
        "state": translator.t("receipt.refunded_all" if view.is_fully_refunded else "receipt.paid"),
        "refunded": translator.t("receipt.returned", sum=view.refunded) if partly_refunded else "",
        "total": translator.t("receipt.row.total"),
        "net": translator.t("receipt.row.net"),
        "seller": translator.t("receipt.row.seller"),
        "scan": translator.t("receipt.scan"),
        "small_print": translator.t("receipt.small_print"),
    }
