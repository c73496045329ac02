"""The month's statement as a PDF, drawn with typst. Data goes in as JSON, never as markup.

Drawing takes seconds for a thousand operations (`python -m bench.reports`) and is not for the event
loop. Above MAX_PDF_OPERATIONS the PDF has the totals only: hundreds of pages are no document, and
time and memory grow with them. The XLSX file has all rows.
"""

import functools
import json
import threading
from typing import Any

import typst

from sigma.documents.fonts import font_folders, printable
from sigma.documents.pdf import TEMPLATES
from sigma.domain.reports.statement import MAX_PDF_OPERATIONS
from sigma.texts import Translator
from sigma.texts.statement_view import (
    CurrencyRows,
    OperationRow,
    StatementView,
    SumsRow,
    decimal_text,
    operation_headers,
)

_DRAWING = threading.Lock()  # a typst compiler serves one thread at a time
_SUM_COLUMNS = ("payment_count", "refund_count", "gross", "refund", "fee", "net")


@functools.cache
def _compiler() -> typst.Compiler:
    # No system fonts: the same statement looks the same on every machine.
    return typst.Compiler(
        TEMPLATES / "statement.typ",
        root=TEMPLATES,
        ignore_system_fonts=True,
        font_paths=font_folders(),
    )


def statement_pdf(view: StatementView, translator: Translator) -> bytes:
    """Return the PDF. The same input gives the same bytes."""
    data = json.dumps(_data(view, translator), ensure_ascii=False)
    with _DRAWING:
        content = _compiler().compile(format="pdf", sys_inputs={"data": data}, timestamp=0)
        _compiler().compile(format="pdf", sys_inputs={"data": _EMPTY}, timestamp=0)  # frees memory
    assert isinstance(content, bytes), "typst returns bytes when no output file is given"
    return content


def _data(view: StatementView, translator: Translator) -> dict[str, Any]:
    has_all = len(view.operations) <= MAX_PDF_OPERATIONS
    remark = translator.t(
        "statement.operations_in_xlsx",
        n=translator.number(str(len(view.operations))),
        max=translator.number(str(MAX_PDF_OPERATIONS)),
    )
    data = {
        "locale": translator.locale,
        "title": view.title,
        "seller": view.seller,
        "period": view.period,
        "made": view.made,
        "agreement": view.agreement,
        "tone": view.agreement_tone,
        "differences": view.differences,
        "currencies": [_currency(one, translator) for one in view.currencies],
        "sum_headers": [translator.t(f"statement.column.{name}") for name in _SUM_COLUMNS],
        "operations_title": translator.t("statement.operations"),
        "operation_headers": operation_headers(translator),
        "operations": [_operation(one, translator) for one in view.operations] if has_all else [],
        "remark": "" if has_all else remark,
        "empty": "" if view.operations else translator.t("statement.empty"),
        "notes": view.notes,
        "page": translator.raw("statement.page"),
    }
    return {name: _printable(value) for name, value in data.items()}


_EMPTY = json.dumps({"is_empty": True})


def _currency(one: CurrencyRows, translator: Translator) -> dict[str, Any]:
    return {
        "name": one.currency,
        "sums": [_sums(sums, translator) for sums in (one.opening, one.total, one.closing)],
        "remarks": [one.total.unknown_fee] if one.total.unknown_fee else [],
        "kinds_title": translator.t("statement.kinds"),
        "kinds": [_sums(sums, translator) for sums in one.kinds],
        "days_title": translator.t("statement.days"),
        "days": [_sums(sums, translator) for sums in one.days],
    }


def _sums(sums: SumsRow, translator: Translator) -> list[str]:
    amounts = (sums.gross, sums.refunds, sums.fee, sums.net)
    return [
        sums.label,
        str(sums.payment_count),
        str(sums.refund_count),
        *(decimal_text(amount, translator) for amount in amounts),
    ]


def _operation(one: OperationRow, translator: Translator) -> list[str]:
    amounts = (one.gross, one.refund, one.fee, one.net)
    texts = (one.at, one.kind, one.number, one.title, one.client, one.provider_id)
    return [*texts, *(decimal_text(amount, translator) for amount in amounts), one.note]


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list | tuple) else value
