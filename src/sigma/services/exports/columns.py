"""The columns of an export: their names, their kinds, and their values out of the raw rows."""

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sigma.documents.tables.columns import Column, ColumnKind
from sigma.domain.accounts.member import Member
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import FINAL_STATUSES, PaymentMethod
from sigma.domain.billing.question import QuestionKind
from sigma.domain.errors import Problem
from sigma.domain.exports.export import AnswerColumn, Export, Kind
from sigma.texts import Translator
from sigma.texts.failures import Reader, payment_failure_text
from sigma.texts.receipt_view import card_label, method_label

Raw = Mapping[str, Any]
ANSWERS = "answers"  # the name that stands for a column for each question
CLIENT = "client"
FEE_COLUMNS = frozenset({"fee", "income"})  # for members who see turnover and fees

_STRINGS = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Scope:
    """What values depend on beside the row. `now_us`: when the export was requested."""

    translator: Translator
    base_url: str
    now_us: int


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column that can be chosen."""

    name: str
    kind: ColumnKind
    value: Callable[[Raw, Scope], Any]


def _raw(name: str, kind: ColumnKind, source: str = "") -> ExportColumn:
    """Return a column whose value is that of a column of the row; empty texts are no values."""
    source = source or name
    return ExportColumn(name, kind, lambda row, _: None if row[source] == "" else row[source])


def _payment_status(row: Raw, scope: Scope) -> str:
    status, refunded = row["status"], row["refunded_minor"]
    if status == "captured" and refunded:
        status = "refunded" if refunded >= row["amount_minor"] else "partly_refunded"
    elif row["is_outcome_unknown"] and status not in FINAL_STATUSES:
        status = "unknown"
    return _text(scope.translator, f"common.payment_status.{status}")


def _invoice_status(row: Raw, scope: Scope) -> str:
    status, expires_at_us = row["status"], row["expires_at_us"]
    is_past = expires_at_us is not None and scope.now_us >= expires_at_us
    effective = InvoiceStatus.EXPIRED if status == InvoiceStatus.OPEN and is_past else status
    return _text(scope.translator, f"common.invoice_status.{effective}")


def _fee(row: Raw, _: Scope) -> int | None:
    income = row["income_minor"]
    return None if income is None else row["amount_minor"] - income


# A million rows have few different texts: each is made once.
@functools.lru_cache(maxsize=1000)
def _text(translator: Translator, key: str) -> str:
    return translator.t(key)


@functools.lru_cache(maxsize=10_000)
def _method_texts(translator: Translator, method_json: str) -> tuple[str | None, str | None]:
    """Return the kind of a payment method and its card, as people read them."""
    method = msgspec.json.decode(method_json, type=PaymentMethod)
    kind = method_label(method.kind, "", "", translator) or method.kind
    return kind or None, card_label(method.mask, method.brand, translator) or None


def _method(row: Raw, scope: Scope) -> str | None:
    return _method_texts(scope.translator, row["method"])[0] if row["method"] else None


def _card(row: Raw, scope: Scope) -> str | None:
    return _method_texts(scope.translator, row["method"])[1] if row["method"] else None


def _failure(row: Raw, scope: Scope) -> str | None:
    code = row["failure"]
    return payment_failure_text(code, Reader.SELLER, scope.translator) if code else None


def _acquirer(row: Raw, scope: Scope) -> str:
    key = f"checkout.provider.{row['provider']}"
    return _text(scope.translator, key) if scope.translator.has(key) else row["provider"]


def _link(row: Raw, scope: Scope) -> str:
    return f"{scope.base_url}/i/{row['token']}"


def _metadata(row: Raw, _: Scope) -> str | None:
    if row["metadata"] == "{}":
        return None
    pairs = _STRINGS.decode(row["metadata"])
    return "; ".join(f"{key}={value}" for key, value in pairs.items()) or None


_SHARED_END = (
    _raw("service", ColumnKind.TEXT),
    # Decrypted, and masked where needed, before columns are read.
    _raw(CLIENT, ColumnKind.TEXT, "client_name"),
)
PAYMENT_COLUMNS = (
    _raw("created_at", ColumnKind.MOMENT, "created_at_us"),
    _raw("captured_at", ColumnKind.MOMENT, "captured_at_us"),
    _raw("invoice_number", ColumnKind.INTEGER, "number"),
    _raw("title", ColumnKind.TEXT),
    ExportColumn("status", ColumnKind.TEXT, _payment_status),
    _raw("amount", ColumnKind.MONEY, "amount_minor"),
    _raw("currency", ColumnKind.TEXT),
    _raw("refunded", ColumnKind.MONEY, "refunded_minor"),
    ExportColumn("fee", ColumnKind.MONEY, _fee),
    _raw("income", ColumnKind.MONEY, "income_minor"),
    ExportColumn("method", ColumnKind.TEXT, _method),
    ExportColumn("card", ColumnKind.TEXT, _card),
    ExportColumn("failure", ColumnKind.TEXT, _failure),
    *_SHARED_END,
    ExportColumn(ANSWERS, ColumnKind.TEXT, lambda *_: None),
    ExportColumn("metadata", ColumnKind.TEXT, _metadata),
    ExportColumn("acquirer", ColumnKind.TEXT, _acquirer),
    _raw("acquirer_id", ColumnKind.TEXT, "provider_id"),
    _raw("payment_id", ColumnKind.TEXT, "id"),
    _raw("invoice_id", ColumnKind.TEXT),
)
INVOICE_COLUMNS = (
    _raw("created_at", ColumnKind.MOMENT, "created_at_us"),
    _raw("number", ColumnKind.INTEGER),
    _raw("title", ColumnKind.TEXT),
    _raw("description", ColumnKind.TEXT),
    ExportColumn("status", ColumnKind.TEXT, _invoice_status),
    _raw("amount", ColumnKind.MONEY, "amount_minor"),
    _raw("currency", ColumnKind.TEXT),
    _raw("paid_count", ColumnKind.INTEGER),
    _raw("max_payments", ColumnKind.INTEGER),
    _raw("expires_at", ColumnKind.MOMENT, "expires_at_us"),
    *_SHARED_END,
    ExportColumn("link", ColumnKind.TEXT, _link),
    ExportColumn("metadata", ColumnKind.TEXT, _metadata),
    _raw("invoice_id", ColumnKind.TEXT, "id"),
)
COLUMNS: Mapping[Kind, tuple[ExportColumn, ...]] = {
    Kind.PAYMENTS: PAYMENT_COLUMNS,
    Kind.INVOICES: INVOICE_COLUMNS,
}
_ANSWER_KINDS = {
    QuestionKind.NUMBER: ColumnKind.NUMBER,
    QuestionKind.DATE: ColumnKind.DATE,
}


def column_names(kind: Kind, member: Member) -> tuple[str, ...]:
    """Return the names of the columns of a list that a member may choose, in their order."""
    names = [column.name for column in COLUMNS[kind]]
    return tuple(name for name in names if member.sees_fees or name not in FEE_COLUMNS)


def check_columns(kind: Kind, columns: Collection[str], member: Member) -> list[Problem]:
    """Return the problems of a choice of columns: unknown ones, and those of another right."""
    known = column_names(kind, member)
    return [
        Problem(f"columns.{n}", "choose") for n, name in enumerate(columns) if name not in known
    ]


def column_title(kind: Kind, name: str, translator: Translator) -> str:
    """Return the header of a column; that of ANSWERS is for the choice of columns."""
    return translator.t(f"exports.{kind}.{name}")


def file_columns(export: Export, translator: Translator) -> tuple[Column, ...]:
    """Return the columns of the file, with one for each question in place of ANSWERS."""
    found: list[Column] = []
    for column in COLUMNS[export.kind]:
        if column.name == ANSWERS and ANSWERS in export.columns:
            found += [_answer_column(one, translator) for one in export.progress.answer_columns]
        elif column.name in export.columns:
            title = column_title(export.kind, column.name, translator)
            found.append(Column(title, column.kind))
    return tuple(found)


def _answer_column(column: AnswerColumn, translator: Translator) -> Column:
    kind = QuestionKind(column.kind)
    label = column.label or translator.t(f"common.question.{kind}")
    return Column(label, _ANSWER_KINDS.get(kind, ColumnKind.TEXT))
