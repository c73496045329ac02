"""The receipt as a PDF: one narrow page, set by typst.

Facts go in as JSON, never into the template.
"""

import dataclasses
import functools
import json
from pathlib import Path

import segno
import typst

from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.texts import Words
from sigma.texts.receipt_view import Slip, slip

TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def _compiler() -> typst.Compiler:
    # The fonts built into typst know Cyrillic and print alike on every machine.
    return typst.Compiler(TEMPLATES / "receipt.typ", root=TEMPLATES, ignore_system_fonts=True)


def receipt_pdf(
    receipt: Receipt, refunds: tuple[Refund, ...], words: Words, receipt_url: str
) -> bytes:
    """The receipt with its refunds so far and a QR of its page.

    The same facts give the same bytes.
    """
    shown = slip(receipt, refunds, words)
    data = {
        "slip": dataclasses.asdict(shown),
        "words": _labels(shown, words),
        "locale": words.locale,
        "url": receipt_url,
        "qr": segno.make(receipt_url, error="m", micro=False).svg_inline(scale=4, border=0),
    }
    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    made = _compiler().compile(format="pdf", sys_inputs=inputs, timestamp=0)
    assert isinstance(made, bytes), "one page in memory"
    return made


def _labels(shown: Slip, words: Words) -> dict[str, str]:
    part = shown.net and not shown.fully_refunded
    return {
        "title": words.t("receipt.title"),
        "state": words.t("receipt.refunded_all" if shown.fully_refunded else "receipt.paid"),
        "returned": words.t("receipt.returned", sum=shown.returned) if part else "",
        "total": words.t("receipt.row.total"),
        "net": words.t("receipt.row.net"),
        "seller": words.t("receipt.row.seller"),
        "scan": words.t("receipt.scan"),
        "small_print": words.t("receipt.small_print"),
    }
