"""Figures, periods and agreement: pure rules of reports."""

from datetime import date

import pytest

from sigma.domain.billing.payment import Attention
from sigma.domain.errors import RefusedError
from sigma.domain.figures import (
    Attribution,
    Figures,
    Source,
    attribution_of,
    capture_figures,
    refund_figures,
)
from sigma.domain.money import Money
from sigma.domain.reconciliation.difference import Difference, Kind, Side, State
from sigma.domain.reports.periods import PeriodName, month_period, own_period, recent_period
from sigma.domain.reports.statement import (
    Agreement,
    AgreementStatus,
    Comparison,
    Operation,
    OperationKind,
    agreement,
    build_statement,
)

HOUR_US = 3_600_000_000


def difference(at_us: int, provider_id: str = "bank-1") -> Difference:
    return Difference(
        "dif_1",
        "shp_1",
        "rec_1",
        "con_1",
        Kind.PAYMENT_MISSING_THERE,
        provider_id,
        "pay_1",
        "",
        "inv_1",
        Side("captured", Money(1)),
        Side(),
        at_us,
        at_us,
        State.OPEN,
    )


def test_net_is_gross_less_refunds_and_known_fees() -> None:
    known, unknown = capture_figures(150_000, 144_750), capture_figures(100_000, None)
    total = known + unknown + refund_figures(20_000, is_chargeback=True)
    assert (total.gross_minor, total.fee_minor, total.refund_minor) == (250_000, 5_250, 20_000)
    assert total.net_minor == 224_750
    assert (total.unknown_fee_count, total.unknown_fee_gross_minor) == (1, 100_000)
    assert total.chargeback_minor == 20_000
    assert total.average_minor == 125_000


def test_a_fee_of_zero_is_known() -> None:
    assert capture_figures(100, 100).unknown_fee_count == 0


@pytest.mark.parametrize(
    ("gross", "count", "average"), [(0, 0, None), (1, 2, 1), (1, 3, 0), (5, 2, 3), (100, 3, 33)]
)
def test_average_is_rounded_half_up(gross: int, count: int, average: int | None) -> None:
    assert Figures(payment_count=count, gross_minor=gross).average_minor == average


@pytest.mark.parametrize(
    ("opened", "paid", "permille"), [(0, 0, None), (3, 1, 333), (3, 2, 667), (1, 1, 1000)]
)
def test_conversion_is_the_paid_part_of_the_opened(
    opened: int, paid: int, permille: int | None
) -> None:
    assert Figures(opened_count=opened, paid_count=paid).conversion_permille == permille


@pytest.mark.parametrize(
    ("created_by", "conversation_id", "expected"),
    [
        ("usr_1", None, Attribution("svc_1", "usr_1", Source.CABINET)),
        ("usr_1", "cnv_1", Attribution("svc_1", "usr_1", Source.CONVERSATION)),
        ("auto", "cnv_1", Attribution("svc_1", "", Source.CONVERSATION)),
        ("key_1", None, Attribution("svc_1", "key_1", Source.API)),
        ("storefront", None, Attribution("svc_1", "", Source.STOREFRONT)),
    ],
)
def test_payment_is_counted_to_where_its_invoice_was_issued(
    created_by: str, conversation_id: str | None, expected: Attribution
) -> None:
    found = attribution_of(
        created_by=created_by, conversation_id=conversation_id, service_id="svc_1"
    )
    assert found == expected


def test_agreement_takes_the_latest_comparison_of_each_moment() -> None:
    older = Comparison(0, 60, 100, [difference(10, "a"), difference(50, "b")])
    newer = Comparison(40, 90, 200)
    whole = agreement(0, 90, [older, newer])
    assert (whole.status, whole.as_of_us) == (AgreementStatus.DIFFERS, 100)
    assert [one.provider_id for one in whole.differences] == ["a"]
    assert agreement(40, 90, [older, newer]) == Agreement(AgreementStatus.AGREES, 200)
    assert agreement(40, 91, [newer]).status is AgreementStatus.PARTLY_CHECKED
    assert agreement(90, 99, [older, newer]) == Agreement(AgreementStatus.UNCHECKED)
    repeated = Comparison(0, 45, 300, [difference(10, "a"), difference(44, "a")])
    assert len(agreement(0, 90, [repeated, newer]).differences) == 1


def test_periods_compare_with_as_many_days_before() -> None:
    now_us = 1_774_659_600_000_000  # 2026-03-28T01:00:00Z
    week = recent_period(PeriodName.WEEK, now_us, "Europe/Moscow")
    assert (week.first_day, week.last_day) == (date(2026, 3, 22), date(2026, 3, 28))
    assert week.before().until_us == week.since_us
    assert week.before().day_count == week.day_count == 7
    for first, last in (
        (date(2026, 3, 2), date(2026, 3, 1)),
        (date(1, 1, 1), date(1, 1, 2)),
        (date(2024, 1, 1), date(2025, 1, 1)),
        (date(9999, 12, 31), date(9999, 12, 31)),
    ):
        with pytest.raises(RefusedError, match="validation"):
            own_period(first, last, "Europe/Moscow")
    assert own_period(date(2024, 1, 1), date(2024, 12, 31), "UTC").day_count == 366


def test_february_of_a_leap_year_is_one_month() -> None:
    period = month_period(2028, 2, "Europe/Berlin")
    assert (period.first_day, period.last_day) == (date(2028, 2, 1), date(2028, 2, 29))
    assert month_period(2027, 12, "UTC").last_day == date(2027, 12, 31)


def test_statement_keeps_currencies_apart_and_orders_operations() -> None:
    period = month_period(2027, 3, "UTC")
    at_us = period.since_us
    rouble = Operation(
        OperationKind.PAYMENT, at_us + HOUR_US, "pay_2", "pay_2", "", 2, "", Money(100), Money(97)
    )
    dollar = Operation(
        OperationKind.PAYMENT,
        at_us,
        "pay_1",
        "pay_1",
        "",
        1,
        "",
        Money(5, "USD"),
        attention=Attention.EXTRA,
    )
    back = Operation(OperationKind.REFUND, at_us + HOUR_US, "ref_1", "pay_2", "", 2, "", Money(40))
    statement = build_statement(
        period, period.until_us, [back, rouble, dollar], {}, Agreement(AgreementStatus.UNCHECKED)
    )
    assert [one.id for one in statement.operations] == ["pay_1", "pay_2", "ref_1"]
    assert [(one.currency, one.total.net_minor) for one in statement.currencies] == [
        ("RUB", 57),
        ("USD", 5),
    ]
    assert (rouble.fee, dollar.fee) == (Money(3), None)
