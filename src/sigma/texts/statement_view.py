"""A month's statement as texts: for the page, the PDF and the XLSX file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sigma.domain.accounts.shop import Shop
from sigma.domain.figures import Figures
from sigma.domain.local_time import local_time
from sigma.domain.money import CURRENCY_EXPONENTS, Money
from sigma.domain.reconciliation.difference import Difference
from sigma.domain.reports.statement import (
    AgreementStatus,
    CurrencyStatement,
    MonthlyStatement,
    Operation,
    OperationKind,
)
from sigma.texts import formats
from sigma.texts.reconciliation_view import difference_text
from sigma.texts.translator import Translator


@dataclass(frozen=True, slots=True)
class SumsRow:
    """One row of totals: counts and amounts of one currency."""

    label: str
    payment_count: int
    refund_count: int
    gross: Money
    refunds: Money
    fee: Money
    net: Money
    unknown_fee: str = ""  # what is not in `fee`, as a sentence


@dataclass(frozen=True, slots=True)
class OperationRow:
    """One operation. `gross`, `refund` and `fee` are None where they do not apply.

    `fee` None with `gross`: unknown. `net`: what the operation changes in the shop's money.
    """

    at: str
    kind: str
    number: str
    title: str
    client: str
    provider_id: str
    gross: Money | None
    refund: Money | None
    fee: Money | None
    net: Money
    note: str


@dataclass(frozen=True, slots=True)
class CurrencyRows:
    """The totals of one currency."""

    currency: str
    opening: SumsRow
    total: SumsRow
    closing: SumsRow
    days: tuple[SumsRow, ...]
    kinds: tuple[SumsRow, ...]


@dataclass(frozen=True, slots=True)
class StatementView:
    """The texts of a statement. `agreement_tone`: good, wait or bad."""

    title: str
    period: str
    seller: tuple[str, ...]
    made: str
    agreement: str
    agreement_tone: str
    differences: tuple[str, ...]
    currencies: tuple[CurrencyRows, ...]
    operations: tuple[OperationRow, ...]
    notes: tuple[str, ...]


def month_title(day: date, translator: Translator) -> str:
    """Return «март 2027» for a day of that month."""
    return translator.t(f"statement.month_{day.month}", year=day.year)


def build_statement_view(
    statement: MonthlyStatement, shop: Shop, translator: Translator, now_us: int
) -> StatementView:
    """Return the texts of a statement that is made at `now_us` (UTC microseconds)."""
    t = translator.t
    month = month_title(statement.period.first_day, translator)
    zone = formats.time_zone_name(statement.period.since_us, translator.locale, translator.tz)
    is_over = statement.until_us >= statement.period.until_us
    return StatementView(
        title=t("statement.heading", month=month),
        period=t(
            "statement.period",
            days=translator.date_range(statement.period.first_day, statement.period.last_day),
            zone=zone,
        )
        + ("" if is_over else f". {t('statement.unfinished')}"),
        seller=_seller(shop, translator),
        made=t("statement.made", at=translator.datetime(now_us)),
        agreement=_agreement(statement, translator),
        agreement_tone=_TONES[statement.agreement.status],
        differences=tuple(_difference(one, translator) for one in statement.agreement.differences),
        currencies=tuple(_currency_rows(one, translator) for one in statement.currencies),
        operations=tuple(_operation(one, translator) for one in statement.operations),
        notes=(t("statement.note_counts"), t("statement.note_fees"), t("statement.note_payouts")),
    )


_TONES = {
    AgreementStatus.AGREES: "good",
    AgreementStatus.DIFFERS: "bad",
    AgreementStatus.PARTLY_CHECKED: "wait",
    AgreementStatus.UNCHECKED: "wait",
}


def _seller(shop: Shop, translator: Translator) -> tuple[str, ...]:
    seller = shop.seller
    return tuple(
        text
        for text in (
            seller.full_name or shop.name,
            translator.t("statement.inn", inn=seller.inn) if seller.inn else "",
            translator.t("statement.ogrn", ogrn=seller.ogrn) if seller.ogrn else "",
        )
        if text
    )


def _agreement(statement: MonthlyStatement, translator: Translator) -> str:
    agreed = statement.agreement
    if agreed.as_of_us is None:
        return translator.t("statement.agreement.unchecked")
    at = translator.datetime(agreed.as_of_us)
    if agreed.status is AgreementStatus.DIFFERS:
        return translator.plural(len(agreed.differences), "statement.agreement.differs", at=at)
    return translator.t(f"statement.agreement.{agreed.status}", at=at)


def _difference(one: Difference, translator: Translator) -> str:
    text = difference_text(translator, one)
    return f"{text.title}. {text.ours}; {text.theirs}. {text.ids}"


def _sums(label: str, figures: Figures, currency: str, translator: Translator) -> SumsRow:
    unknown = ""
    if figures.unknown_fee_count:
        unknown = translator.plural(
            figures.unknown_fee_count,
            "reports.fee_unknown",
            gross=Money(figures.unknown_fee_gross_minor, currency),
        )
    return SumsRow(
        label,
        figures.payment_count,
        figures.refund_count,
        Money(figures.gross_minor, currency),
        Money(figures.refund_minor, currency),
        Money(figures.fee_minor, currency),
        Money(figures.net_minor, currency),
        unknown,
    )


def _currency_rows(one: CurrencyStatement, translator: Translator) -> CurrencyRows:
    t, currency = translator.t, one.currency

    def sums(label: str, figures: Figures) -> SumsRow:
        return _sums(label, figures, currency, translator)

    return CurrencyRows(
        currency,
        sums(t("statement.opening"), one.opening),
        sums(t("statement.total"), one.total),
        sums(t("statement.closing"), one.closing),
        tuple(sums(str(translator.format_value(day)), figures) for day, figures in one.days),
        tuple(
            sums(t(f"statement.kind_many.{kind}"), figures)
            for kind, figures in one.kinds
            if figures or kind is OperationKind.PAYMENT
        ),
    )


def _operation(one: Operation, translator: Translator) -> OperationRow:
    is_payment = one.kind is OperationKind.PAYMENT
    net = Money(one.figures.net_minor, one.amount.currency)
    return OperationRow(
        at=f"{local_time(one.at_us, translator.tz):%d.%m.%Y %H:%M:%S}",
        kind=translator.t(f"statement.kind.{one.kind}"),
        number=translator.t("statement.number", number=one.invoice_number),
        title=one.title,
        client=one.client,
        provider_id=one.provider_id,
        gross=one.amount if is_payment else None,
        refund=None if is_payment else one.amount,
        fee=one.fee if is_payment else None,
        net=net,
        note=_note(one, translator),
    )


def _note(one: Operation, translator: Translator) -> str:
    if one.paid_at_us is not None:
        return translator.t(
            "statement.paid_on", day=local_time(one.paid_at_us, translator.tz).date()
        )
    if one.attention is not None:
        return translator.t(f"statement.attention.{one.attention}")
    return "" if one.fee is not None else translator.t("statement.no_fee")


def decimal_text(amount: Money | None, translator: Translator) -> str:
    """Return «1 500,00» without a currency sign, "" for None."""
    return "" if amount is None else translator.number(amount.to_decimal_text())


def fraction_digits(currency: str) -> int:
    """Return the number of digits after the decimal point of a currency."""
    return CURRENCY_EXPONENTS[currency]


def operation_headers(translator: Translator) -> Sequence[str]:
    """Return the titles of the columns of operations."""
    names = ("at", "kind", "number", "title", "client", "provider_id")
    sums = ("gross", "refund", "fee", "net", "note")
    return [translator.t(f"statement.column.{name}") for name in (*names, *sums)]
