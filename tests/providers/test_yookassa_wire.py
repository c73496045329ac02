"""YooKassa wire format: request bodies, parsing of responses and notices."""

import contextlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing import refund as refunds
from sigma.domain.billing.payment import Event, PaymentMethod
from sigma.domain.money import CURRENCY_EXPONENTS, MAX_MINOR, Money
from sigma.providers.base import FiscalItem, RefundRequest, RejectedError, UnknownOutcomeError
from sigma.providers.yookassa import wire
from sigma.providers.yookassa.notice import parse_notice
from tests.providers.contract_requests import payment_request
from tests.providers.yookassa_samples import (
    PAYMENT_ID,
    REFUND_ID,
    canceled,
    card,
    pending,
    refund,
    rub,
    succeeded,
)

amounts = st.builds(Money, st.integers(1, MAX_MINOR), st.sampled_from(sorted(CURRENCY_EXPONENTS)))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_payment_request_body_has_all_fields() -> None:
    assert wire.payment_body(payment_request()) == {
        "amount": {"value": "1500.00", "currency": "RUB"},
        "capture": True,
        "confirmation": {
            "type": "redirect",
            "return_url": "https://pay.shop.example/p/abc",
            "locale": "ru_RU",
        },
        "description": "Счёт 42: маникюр",
        "metadata": {"invoice": "inv_1", "payment": "pay_1"},
    }
    two_stage_body = wire.payment_body(
        payment_request(two_stage=True, locale="en", description=" ")
    )
    assert two_stage_body["capture"] is False
    assert two_stage_body["confirmation"]["locale"] == "en_US"
    assert "description" not in two_stage_body


def test_personal_data_is_sent_only_with_fiscal_receipt() -> None:
    contacts: dict[str, Any] = {
        "customer_email": "anna@example.com",
        "customer_phone": "+79161234567",
    }
    assert "receipt" not in wire.payment_body(payment_request(**contacts))
    fiscal_item = FiscalItem("Маникюр", "1", Money(1_500_00), vat_code=1)
    body = wire.payment_body(payment_request(**contacts, fiscal_items=(fiscal_item,)))
    assert body["receipt"] == {
        "customer": {"email": "anna@example.com", "phone": "79161234567"},
        "items": [
            {
                "description": "Маникюр",
                "quantity": "1",
                "amount": rub("1500.00"),
                "vat_code": 1,
                "payment_subject": "service",
                "payment_mode": "full_payment",
            }
        ],
    }
    assert "anna" not in repr(payment_request(**contacts))


@given(st.text(max_size=300), st.integers(1, 10**9))
def test_refund_description_carries_our_id_with_any_reason(reason: str, number: int) -> None:
    claimed_id = f"ref_{number}"
    body = wire.refund_body(RefundRequest(claimed_id, "key", PAYMENT_ID, Money(1), reason))
    assert len(body["description"]) <= 128
    assert wire.refund_reply(refund(description=body["description"])).refund_id == claimed_id


@given(amounts)
def test_amount_survives_round_trip(amount: Money) -> None:
    reply = wire.payment_reply(succeeded(amount=wire.amount_body(amount)))
    assert reply.amount == amount


@given(st.text(max_size=20), st.text(max_size=5) | st.sampled_from(["RUB", "USD", "INR", "rub"]))
def test_unusual_amount_is_never_read_as_a_different_amount(value: str, currency: str) -> None:
    try:
        amount = wire.payment_reply(succeeded(amount={"value": value, "currency": currency})).amount
    except UnknownOutcomeError:
        return
    assert amount is None or Decimal(value) == Decimal(amount.to_decimal_text())


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (rub("15.00"), Money(15_00)),
        (rub("1500"), Money(1_500_00)),
        ({"value": "1500.00", "currency": "USD"}, Money(1_500_00, "USD")),
        ({"value": "1500.00", "currency": "INR"}, None),
        (rub("1500.005"), None),
        (rub("999999999999.00"), None),
    ],
)
def test_different_amount_is_passed_to_the_domain(
    amount: dict[str, str], expected: Money | None
) -> None:
    for status, event in (("succeeded", Event.CAPTURED), ("waiting_for_capture", Event.AUTHORIZED)):
        reply = wire.payment_reply(succeeded(status=status, amount=amount))
        assert (reply.event, reply.amount) == (event, expected)


@pytest.mark.parametrize(
    "amount",
    [None, {}, "1500.00", 1500, {"value": 1500.0, "currency": "RUB"}, {"value": "1500.00"}]
    + [rub(text) for text in ("-1500.00", "1e3", "", "1 500,00", "NaN", "١٥٠٠")],
)
@pytest.mark.parametrize("status", ["succeeded", "waiting_for_capture"])
def test_success_without_readable_amount_is_unknown_outcome(status: str, amount: object) -> None:
    with pytest.raises(UnknownOutcomeError):
        wire.payment_reply(succeeded(status=status, amount=amount))
    if status == "succeeded":
        with pytest.raises(UnknownOutcomeError):
            wire.refund_reply(refund(amount=amount))
    assert wire.payment_reply(pending(amount=amount)).event is Event.PENDING


def test_succeeded_payment_is_parsed_completely() -> None:
    reply = wire.payment_reply(succeeded())
    assert (reply.provider_id, reply.event, reply.payment_id) == (
        PAYMENT_ID,
        Event.CAPTURED,
        "pay_1",
    )
    assert reply.method == PaymentMethod("card", "220000******0004", "mir")
    assert reply.captured_at_us == 1_795_517_700_123_000
    assert (reply.income, reply.refunded) == (Money(1_447_50), Money(0))
    assert (reply.created_at_us, reply.invoice_id) == (1_795_517_609_072_000, "1042")


@given(st.text().filter(lambda status: status not in ("succeeded", "canceled")))
def test_unknown_status_is_pending_and_never_a_failure(status: str) -> None:
    assert wire.refund_reply(refund(status=status)).reply.event is refunds.Event.PENDING
    if status != "waiting_for_capture":
        assert wire.payment_reply(succeeded(status=status)).event is Event.PENDING


@pytest.mark.parametrize(
    ("party", "reason", "event"),
    [
        ("merchant", "canceled_by_merchant", Event.CANCELED),
        ("yoo_money", "expired_on_confirmation", Event.CANCELED),
        ("yoo_money", "expired_on_capture", Event.CANCELED),
        ("yoo_money", "permission_revoked", Event.CANCELED),
        ("merchant", "some_new_word", Event.CANCELED),
        ("payment_network", "insufficient_funds", Event.FAILED),
        ("payment_network", "3d_secure_failed", Event.FAILED),
        ("yoo_money", "fraud_suspected", Event.FAILED),
        ("somebody", "some_new_word", Event.FAILED),
    ],
)
def test_cancellation_details_distinguish_cancel_from_failure(
    party: str, reason: str, event: Event
) -> None:
    reply = wire.payment_reply(canceled(party, reason))
    assert (reply.event, reply.failure) == (event, reason)


def test_cancellation_without_readable_reason_is_failure_unknown() -> None:
    unreadable_values: list[Any] = [None, [], {"reason": "Иванов Иван, карта 1234"}, {"reason": 5}]
    for details in unreadable_values:
        reply = wire.payment_reply(pending(status="canceled", cancellation_details=details))
        assert (reply.event, reply.failure) == (Event.FAILED, "unknown")


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (
            card(first6="555555", last4="4477", card_type="MasterCard"),
            "555555******4477 mastercard",
        ),
        (card(first6=None), "************0004 mir"),
        (card(first6="2200000000000004", last4="2200000000000004"), " mir"),
        (card(first6="22000000", last4="0004"), "************0004 mir"),
        (card(card_type="<b>"), "220000******0004 "),
        ({"type": "bank_card"}, " "),
    ],
)
def test_at_most_ten_card_digits_are_stored(method: Any, expected: str) -> None:
    parsed = wire.payment_reply(succeeded(payment_method=method)).method
    assert parsed is not None
    assert (parsed.kind, f"{parsed.mask} {parsed.brand}") == ("card", expected)


def test_other_payment_methods_keep_their_kind() -> None:
    assert wire.payment_reply(succeeded(payment_method={"type": "sbp"})).method == PaymentMethod(
        "sbp"
    )
    unreadable_values: list[Any] = [None, {}, {"type": 5}, {"type": "<b>"}, []]
    for payment_method in unreadable_values:
        assert wire.payment_reply(succeeded(payment_method=payment_method)).method is None


@pytest.mark.parametrize(
    "url",
    [
        None,
        5,
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://",
        "http://[",
        "https://a.example/\nx",
        "https://a.example/ x",
        "ftp://a.example",
        "https://a/" + "x" * 3000,
    ],
)
def test_confirmation_url_must_be_http_url(url: object) -> None:
    confirmation = {"type": "redirect", "confirmation_url": url}
    assert wire.payment_reply(pending(confirmation=confirmation)).confirmation_url == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T10:55:00.123Z", 1_795_517_700_123_000),
        ("2026-11-24T13:55:00.123+03:00", 1_795_517_700_123_000),
        ("2026-11-24T10:55:00Z", 1_795_517_700_000_000),
        ("2026-11-24T10:55:00", None),
        ("yesterday", None),
        ("", None),
        (1_795_517_700, None),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000_000),
    ],
)
def test_timestamps_are_parsed_to_utc_microseconds(text: object, expected: int | None) -> None:
    assert wire.parse_time(text) == expected


@given(st.integers(0, 4_000_000_000_000_000))
def test_time_range_is_rounded_outwards_to_milliseconds(at_us: int) -> None:
    down, up = (wire.parse_time(wire.format_time(at_us, round_up=up)) for up in (False, True))
    assert down is not None
    assert up is not None
    assert at_us - 1000 < down <= at_us <= up < at_us + 1000


def test_unreadable_optional_fields_are_ignored() -> None:
    unusual = succeeded(
        income_amount={"value": "1.00", "currency": "USD"},
        refunded_amount="all",
        captured_at=5,
        metadata=[],
        confirmation="x",
    )
    reply = wire.payment_reply(unusual)
    assert reply == replace(
        wire.payment_reply(succeeded()),
        income=None,
        refunded=None,
        captured_at_us=None,
        payment_id="",
        invoice_id="",
    )


def test_refund_is_parsed_completely() -> None:
    refund_record = wire.refund_reply(refund())
    assert (refund_record.refund_id, refund_record.reply.provider_id) == ("ref_1", REFUND_ID)
    assert (refund_record.reply.event, refund_record.reply.amount) == (
        refunds.Event.SUCCEEDED,
        Money(500_00),
    )
    assert refund_record.payment_provider_id == PAYMENT_ID
    assert wire.refund_reply(refund(payment_id="../x")).payment_provider_id == ""
    details = {"party": "refund_network", "reason": "rejected_by_payee"}
    canceled_refund = wire.refund_reply(refund(status="canceled", cancellation_details=details))
    assert (canceled_refund.reply.event, canceled_refund.reply.failure) == (
        refunds.Event.FAILED,
        "rejected_by_payee",
    )
    for description in (None, 5, "", "Return [x] of item", "[ref 1]", "[" + "x" * 65 + "]"):
        assert wire.refund_reply(refund(description=description)).refund_id == ""


@given(st.dictionaries(st.sampled_from(sorted(succeeded())), json_values))
def test_any_response_is_parsed_or_unknown_outcome(changes: dict[str, Any]) -> None:
    for parse in (wire.payment_reply, wire.refund_reply):
        with contextlib.suppress(UnknownOutcomeError):
            parse({**succeeded(), **changes})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff", b"<h1>502</h1>", b"[" * 90_000]
)
def test_response_that_is_no_json_object_is_unknown_outcome(body: bytes) -> None:
    with pytest.raises(UnknownOutcomeError):
        wire.parse_object(body)


@pytest.mark.parametrize("body", [{}, {"items": {}}, {"items": [5]}, {"items": [{}]}])
def test_partly_unreadable_list_is_unknown_outcome(body: dict[str, Any]) -> None:
    with pytest.raises(UnknownOutcomeError):
        wire.payment_page(body)


def test_disabled_account_is_rejected() -> None:
    assert wire.account_label({"account_id": "100500", "test": True}) == "100500, test"
    assert wire.account_label({"account_id": "100500", "status": "enabled"}) == "100500"
    with pytest.raises(RejectedError):
        wire.account_label({"account_id": "100500", "status": "disabled"})
    with pytest.raises(UnknownOutcomeError):
        wire.account_label({"status": "enabled"})


def test_retry_delay_is_bounded() -> None:
    assert wire.retry_after_s({"retry_after": 1800}) == 1.8
    assert wire.retry_after_s(None, "7") == 7
    assert wire.retry_after_s({"retry_after": 10**12}) == 3600
    assert wire.retry_after_s(None, "9" * 400) == 3600
    for body, header in (({"retry_after": -1}, ""), ({"retry_after": True}, "soon"), ([], "²")):
        assert wire.retry_after_s(body, header) is None


def notice(**more: Any) -> bytes:
    body = {"type": "notification", "event": "payment.succeeded", "object": succeeded()}
    return json.dumps(body | more).encode()


def test_refund_notice_names_its_payment() -> None:
    parsed = parse_notice(notice(event="refund.succeeded", object=refund()))
    assert (parsed.object_kind, parsed.object_id) == ("refund", REFUND_ID)
    assert (parsed.payment_provider_id, parsed.claimed_id) == (PAYMENT_ID, "ref_1")


def test_too_large_notice_is_refused() -> None:
    assert parse_notice(notice(padding="x" * 200_000)).object_id == PAYMENT_ID
    with pytest.raises(ValueError, match="too large"):
        parse_notice(notice(padding="x" * 300_000))


def test_notice_of_other_object_is_parsed_as_other() -> None:
    for event in ("payment_method.active", "deal.closed", "payout.succeeded", "invoice.new"):
        assert parse_notice(notice(event=event)).object_kind == "other"


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "event"},
        {"event": "payment"},
        {"event": "payment.\n"},
        {"event": "payment." + "x" * 100},
        {"event": None},
        {"object": None},
        {"object": {}},
        {"object": {"id": "../me"}},
        {"object": {"id": 5}},
        {"event": "refund.succeeded", "object": {"id": REFUND_ID}},
        {"event": "refund.succeeded", "object": {"id": REFUND_ID, "payment_id": "a/b"}},
    ],
)
def test_notice_without_valid_event_or_object_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="notice"):
        parse_notice(notice(**changes))


@given(json_values)
def test_notice_of_any_shape_is_parsed_or_refused(raw: Any) -> None:
    for body in (json.dumps(raw).encode(), notice(object=raw)):
        with pytest.raises(ValueError, match=r"."):
            parse_notice(body)


def test_malformed_id_in_notice_metadata_is_ignored() -> None:
    for claimed_id in (5, "", "a b", "x" * 65, {"a": 1}):
        raw = succeeded(metadata={"payment": claimed_id})
        assert parse_notice(notice(object=raw)).claimed_id == ""
