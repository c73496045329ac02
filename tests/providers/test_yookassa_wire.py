"""YooKassa's words and ours: what is believed, what is left out, and what is not readable."""

import contextlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing import refund as refunds
from sigma.domain.billing.payment import Event, Method
from sigma.domain.money import EXPONENTS, MAX_MINOR, Money
from sigma.providers.base import ReceiptLine, RefundOrder, Rejected, Unknown
from sigma.providers.yookassa import wire
from tests.providers.orders import order
from tests.providers.samples import (
    PAYMENT_ID,
    REFUND_ID,
    canceled,
    card,
    pending,
    refund,
    rub,
    succeeded,
)

amounts = st.builds(Money, st.integers(1, MAX_MINOR), st.sampled_from(sorted(EXPONENTS)))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def test_a_payment_is_asked_for_with_every_word() -> None:
    assert wire.payment_body(order()) == {
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
    other = wire.payment_body(order(two_stage=True, locale="en", description=" "))
    assert other["capture"] is False
    assert other["confirmation"]["locale"] == "en_US"
    assert "description" not in other


def test_personal_data_is_sent_only_with_a_fiscal_receipt() -> None:
    person: dict[str, Any] = {
        "customer_email": "anna@example.com",
        "customer_phone": "+79161234567",
    }
    assert "receipt" not in wire.payment_body(order(**person))
    line = ReceiptLine("Маникюр", "1", Money(1_500_00), vat_code=1)
    assert wire.payment_body(order(**person, receipt=(line,)))["receipt"] == {
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
    assert "anna" not in repr(order(**person))


@given(st.text(max_size=300), st.integers(1, 10**9))
def test_a_refund_carries_our_id_whatever_the_reason(reason: str, number: int) -> None:
    ours = f"ref_{number}"
    body = wire.refund_body(RefundOrder(ours, "key", PAYMENT_ID, Money(1), reason))
    assert len(body["description"]) <= 128
    assert wire.refund_reply(refund(description=body["description"])).our_id == ours


@given(amounts)
def test_an_amount_comes_back_as_it_went(amount: Money) -> None:
    reply = wire.payment_reply(succeeded(amount=wire.amount_body(amount)))
    assert reply.amount == amount


@given(st.text(max_size=20), st.text(max_size=5) | st.sampled_from(["RUB", "USD", "INR", "rub"]))
def test_a_strange_amount_is_never_ours(value: str, currency: str) -> None:
    try:
        told = wire.payment_reply(succeeded(amount={"value": value, "currency": currency})).amount
    except Unknown:
        return
    assert told is None or Decimal(value) == Decimal(told.decimal())


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
def test_a_named_amount_that_is_not_ours_is_told_to_the_domain(
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
def test_paid_without_a_readable_amount_is_not_known(status: str, amount: object) -> None:
    with pytest.raises(Unknown):
        wire.payment_reply(succeeded(status=status, amount=amount))
    if status == "succeeded":
        with pytest.raises(Unknown):
            wire.refund_reply(refund(amount=amount))
    assert wire.payment_reply(pending(amount=amount)).event is Event.PENDING


def test_a_paid_payment_is_read_whole() -> None:
    reply = wire.payment_reply(succeeded())
    assert (reply.provider_id, reply.event, reply.our_id) == (PAYMENT_ID, Event.CAPTURED, "pay_1")
    assert reply.method == Method("card", "220000******0004", "mir")
    assert reply.captured_at == 1_795_517_700_123_000
    assert (reply.income, reply.refunded) == (Money(1_447_50), Money(0))


@given(st.text().filter(lambda word: word not in ("succeeded", "canceled")))
def test_an_unknown_status_is_pending_and_never_a_failure(word: str) -> None:
    assert wire.refund_reply(refund(status=word)).reply.event is refunds.Event.PENDING
    if word != "waiting_for_capture":
        assert wire.payment_reply(succeeded(status=word)).event is Event.PENDING


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
def test_letting_go_is_told_from_a_refusal(party: str, reason: str, event: Event) -> None:
    reply = wire.payment_reply(canceled(party, reason))
    assert (reply.event, reply.failure) == (event, reason)


def test_a_cancel_without_a_readable_reason_is_a_failure_with_a_word() -> None:
    unreadable: list[Any] = [None, [], {"reason": "Иванов Иван, карта 1234"}, {"reason": 5}]
    for details in unreadable:
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
def test_no_more_than_ten_digits_of_a_card_are_kept(method: Any, expected: str) -> None:
    read = wire.payment_reply(succeeded(payment_method=method)).method
    assert read is not None
    assert (read.kind, f"{read.mask} {read.brand}") == ("card", expected)


def test_other_methods_keep_their_word() -> None:
    assert wire.payment_reply(succeeded(payment_method={"type": "sbp"})).method == Method("sbp")
    unreadable: list[Any] = [None, {}, {"type": 5}, {"type": "<b>"}, []]
    for strange in unreadable:
        assert wire.payment_reply(succeeded(payment_method=strange)).method is None


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
def test_a_browser_is_sent_to_web_addresses_only(url: object) -> None:
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
def test_moments_are_utc_microseconds(text: object, expected: int | None) -> None:
    assert wire.moment_in(text) == expected


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_range_of_moments_never_shrinks_on_the_wire(at: int) -> None:
    down, up = (wire.moment_in(wire.moment_out(at, up=up)) for up in (False, True))
    assert down is not None
    assert up is not None
    assert at - 1000 < down <= at <= up < at + 1000


def test_strange_decorations_do_not_spoil_an_answer() -> None:
    odd = succeeded(
        income_amount={"value": "1.00", "currency": "USD"},
        refunded_amount="all",
        captured_at=5,
        metadata=[],
        confirmation="x",
    )
    reply = wire.payment_reply(odd)
    assert reply == replace(
        wire.payment_reply(succeeded()), income=None, refunded=None, captured_at=None, our_id=""
    )


def test_a_refund_is_read_whole() -> None:
    found = wire.refund_reply(refund())
    assert (found.our_id, found.reply.provider_id) == ("ref_1", REFUND_ID)
    assert (found.reply.event, found.reply.amount) == (refunds.Event.SUCCEEDED, Money(500_00))
    details = {"party": "refund_network", "reason": "rejected_by_payee"}
    refused = wire.refund_reply(refund(status="canceled", cancellation_details=details))
    assert (refused.reply.event, refused.reply.failure) == (
        refunds.Event.FAILED,
        "rejected_by_payee",
    )
    for words in (None, 5, "", "Return [x] of item", "[ref 1]", "[" + "x" * 65 + "]"):
        assert wire.refund_reply(refund(description=words)).our_id == ""


@given(st.dictionaries(st.sampled_from(sorted(succeeded())), json_values))
def test_any_answer_is_read_or_not_known(changes: dict[str, Any]) -> None:
    for read in (wire.payment_reply, wire.refund_reply):
        with contextlib.suppress(Unknown):
            read({**succeeded(), **changes})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff", b"<h1>502</h1>", b"[" * 90_000]
)
def test_an_answer_that_is_no_object_is_not_known(body: bytes) -> None:
    with pytest.raises(Unknown):
        wire.read_json(body)


@pytest.mark.parametrize("said", [{}, {"items": {}}, {"items": [5]}, {"items": [{}]}])
def test_a_list_that_cannot_be_read_whole_is_not_known(said: dict[str, Any]) -> None:
    with pytest.raises(Unknown):
        wire.listed(said)


def test_an_account_that_is_off_is_a_no() -> None:
    assert wire.account_fact({"account_id": "100500", "test": True}) == "100500, test"
    assert wire.account_fact({"account_id": "100500", "status": "enabled"}) == "100500"
    with pytest.raises(Rejected):
        wire.account_fact({"account_id": "100500", "status": "disabled"})
    with pytest.raises(Unknown):
        wire.account_fact({"status": "enabled"})


def test_when_to_ask_again_has_bounds() -> None:
    assert wire.retry_after_s({"retry_after": 1800}) == 1.8
    assert wire.retry_after_s(None, "7") == 7
    assert wire.retry_after_s({"retry_after": 10**12}) == 3600
    assert wire.retry_after_s(None, "9" * 400) == 3600
    for said, header in (({"retry_after": -1}, ""), ({"retry_after": True}, "soon"), ([], "²")):
        assert wire.retry_after_s(said, header) is None


def notice(**more: Any) -> bytes:
    body = {"type": "notification", "event": "payment.succeeded", "object": succeeded()}
    return json.dumps(body | more).encode()


def test_a_notice_of_a_refund_names_its_payment() -> None:
    read = wire.read_notice(notice(event="refund.succeeded", object=refund()))
    assert (read.object_kind, read.object_id) == ("refund", REFUND_ID)
    assert (read.payment_provider_id, read.our_id) == (PAYMENT_ID, "ref_1")


def test_a_notice_has_a_largest_size() -> None:
    assert wire.read_notice(notice(padding="x" * 200_000)).object_id == PAYMENT_ID
    with pytest.raises(ValueError, match="too large"):
        wire.read_notice(notice(padding="x" * 300_000))


def test_a_notice_of_something_else_is_known_as_such() -> None:
    for event in ("payment_method.active", "deal.closed", "payout.succeeded", "invoice.new"):
        assert wire.read_notice(notice(event=event)).object_kind == "other"


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
def test_a_notice_that_points_nowhere_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="notice"):
        wire.read_notice(notice(**changes))


@given(json_values)
def test_a_notice_of_any_shape_is_read_or_refused(thing: Any) -> None:
    for body in (json.dumps(thing).encode(), notice(object=thing)):
        with pytest.raises(ValueError, match=r"."):
            wire.read_notice(body)


def test_an_untrue_id_of_ours_in_a_notice_is_left_out() -> None:
    for ours in (5, "", "a b", "x" * 65, {"a": 1}):
        thing = succeeded(metadata={"payment": ours})
        assert wire.read_notice(notice(object=thing)).our_id == ""
