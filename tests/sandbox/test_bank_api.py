"""The API of the sandbox bank: test cards, idempotency, validation, expiry, refunds."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from sigma_sandbox.bank.cards import TEST_CARDS, ListedCard, detect_brand, is_luhn_valid
from tests.sandbox.merchants import Merchant, payment_body

ACCEPTED_CARD = "5555555555554444"


@pytest.mark.parametrize("card", TEST_CARDS, ids=lambda card: card.number[-4:])
async def test_test_card_has_its_documented_outcome(merchant: Merchant, card: ListedCard) -> None:
    created = await merchant.create_payment()
    response = await merchant.pay(created["id"], card.formatted_number)
    assert response.status_code == 200
    read = (await merchant.get(f"/payments/{created['id']}")).json()
    assert read == response.json()
    if card.decline_reason is None:
        assert read["status"] == "succeeded"
        assert read["authorization_details"]["three_d_secure"]["applied"] is card.has_three_ds
    else:
        assert (read["status"], read["paid"]) == ("canceled", False)
        assert read["cancellation_details"]["reason"] == card.decline_reason
    assert card.number not in response.text


def test_test_cards_have_valid_numbers_and_brands() -> None:
    assert len({card.number for card in TEST_CARDS}) == 30
    for card in TEST_CARDS:
        assert is_luhn_valid(card.number), card.number
        assert detect_brand(card.number) == card.brand


async def test_unlisted_card_is_refused_and_changes_nothing(merchant: Merchant) -> None:
    created = await merchant.create_payment()
    response = await merchant.pay(created["id"], "4242424242424242")
    assert (response.status_code, response.json()["parameter"]) == (400, "card")
    assert "4242" not in response.text
    assert (await merchant.get(f"/payments/{created['id']}")).json()["status"] == "pending"
    assert (await merchant.pay("nobody", ACCEPTED_CARD)).status_code == 404


async def test_paid_payment_cannot_be_paid_again(merchant: Merchant) -> None:
    paid = await merchant.complete_payment()
    assert (await merchant.pay(paid["id"], ACCEPTED_CARD)).status_code == 409


async def test_wrong_3ds_code_declines_payment(merchant: Merchant) -> None:
    created = await merchant.create_payment()
    response = await merchant.pay(created["id"], "2200000000000004", three_ds="fail")
    assert response.json()["cancellation_details"] == {
        "party": "payment_network",
        "reason": "3d_secure_failed",
    }


async def test_same_idempotency_key_creates_one_payment_within_a_day(merchant: Merchant) -> None:
    key = str(uuid4())
    responses = await asyncio.gather(
        *(merchant.post("/payments", payment_body(), key) for _ in range(16))
    )
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["id"] for response in responses}) == 1
    other_body = await merchant.post("/payments", payment_body("1.00"), key)
    assert (other_body.status_code, other_body.json()["code"]) == (400, "invalid_request")
    await merchant.inject_faults(clock_offset_s=24 * 3600)
    next_day = await merchant.post("/payments", payment_body(), key)
    assert next_day.json()["id"] != responses[0].json()["id"]


async def test_repeated_request_returns_current_payment(merchant: Merchant) -> None:
    key = str(uuid4())
    created = (await merchant.post("/payments", payment_body(), key)).json()
    await merchant.pay(created["id"], ACCEPTED_CARD)
    assert (await merchant.post("/payments", payment_body(), key)).json()["status"] == "succeeded"


async def test_refused_request_does_not_use_up_idempotency_key(merchant: Merchant) -> None:
    key = str(uuid4())
    assert (await merchant.post("/payments", payment_body("0.00"), key)).status_code == 400
    assert (await merchant.post("/payments", payment_body(), key)).status_code == 200


async def test_idempotency_key_is_required_and_at_most_64_characters(merchant: Merchant) -> None:
    url = f"{merchant.sandbox.base_url}/bank/v3/payments"
    response = await merchant.http.post(url, json=payment_body(), auth=merchant.auth)
    assert (response.status_code, response.json()["parameter"]) == (400, "Idempotence-Key")
    assert (await merchant.post("/payments", payment_body(), "k" * 65)).status_code == 400


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"amount": None}, "amount"),
        ({"amount": {"value": "10", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": 10.00, "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "0.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "10.00", "currency": "XXX"}}, "amount.currency"),
        ({"description": "x" * 129}, "description"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 33: "x"}}, "metadata"),
        ({"metadata": {"k": "x" * 513}}, "metadata.k"),
        ({"confirmation": None}, "confirmation"),
        (
            {"confirmation": {"type": "redirect", "return_url": "javascript:alert(1)"}},
            "confirmation.return_url",
        ),
        ({"payment_method_data": {"type": "sbp"}}, "payment_method_data.type"),
        ({"receipt": {"items": []}}, "receipt.customer"),
    ],
)
async def test_invalid_field_is_named_in_error(
    merchant: Merchant, change: dict[str, Any], parameter: str
) -> None:
    response = await merchant.post("/payments", payment_body() | change)
    assert (response.status_code, response.json()["parameter"]) == (400, parameter)


async def test_card_number_in_payment_request_is_forbidden(merchant: Merchant) -> None:
    data = {"type": "bank_card", "card": {"number": ACCEPTED_CARD, "expiry_year": "2030"}}
    response = await merchant.post("/payments", payment_body(payment_method_data=data))
    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_payment_without_capture_flag_waits_for_capture(merchant: Merchant) -> None:
    body = payment_body()
    del body["capture"]
    created = (await merchant.post("/payments", body)).json()
    held = (await merchant.pay(created["id"], ACCEPTED_CARD)).json()
    assert (held["status"], held["paid"], held["refundable"]) == (
        "waiting_for_capture",
        True,
        False,
    )
    assert held["expires_at"] > held["created_at"]


async def test_shop_cannot_read_payments_of_another_shop(merchant: Merchant) -> None:
    created = await merchant.create_payment()
    other_shop = Merchant(merchant.sandbox, merchant.http)
    assert (await other_shop.get(f"/payments/{created['id']}")).status_code == 404
    assert (await other_shop.get("/payments")).json()["items"] == []
    bad = await merchant.http.get(f"{merchant.sandbox.base_url}/bank/v3/me", auth=("1", "live_1"))
    assert (bad.status_code, bad.json()["code"]) == (401, "invalid_credentials")


async def test_unpaid_payment_expires_after_an_hour(merchant: Merchant) -> None:
    created = await merchant.create_payment()
    await merchant.inject_faults(clock_offset_s=3599)
    assert (await merchant.get(f"/payments/{created['id']}")).json()["status"] == "pending"
    await merchant.inject_faults(clock_offset_s=3601)
    read = (await merchant.get(f"/payments/{created['id']}")).json()
    assert read["cancellation_details"] == {
        "party": "yoo_money",
        "reason": "expired_on_confirmation",
    }


async def test_uncaptured_hold_expires_after_seven_days(merchant: Merchant) -> None:
    held = await merchant.complete_payment(capture=False)
    await merchant.inject_faults(clock_offset_s=7 * 24 * 3600 - 5)
    read = (await merchant.get(f"/payments/{held['id']}")).json()
    assert read["status"] == "waiting_for_capture"
    await merchant.inject_faults(clock_offset_s=7 * 24 * 3600 + 5)
    read = (await merchant.get(f"/payments/{held['id']}")).json()
    assert read["cancellation_details"]["reason"] == "expired_on_capture"


async def test_concurrent_refunds_do_not_exceed_payment(merchant: Merchant) -> None:
    paid = await merchant.complete_payment("1000.00")
    part = {"payment_id": paid["id"], "amount": {"value": "300.00", "currency": "RUB"}}
    responses = await asyncio.gather(*(merchant.post("/refunds", part) for _ in range(6)))
    assert sorted(response.status_code for response in responses) == [200, 200, 200, 400, 400, 400]
    read = (await merchant.get(f"/payments/{paid['id']}")).json()
    assert read["refunded_amount"]["value"] == "900.00"


async def test_invalid_list_parameter_is_refused(merchant: Merchant) -> None:
    for query in ({"limit": "0"}, {"limit": "101"}, {"cursor": "?"}, {"created_at.gte": "soon"}):
        response = await merchant.get("/payments", **query)
        assert (response.status_code, response.json()["parameter"]) == (400, next(iter(query)))
    assert "next_cursor" not in (await merchant.get("/payments")).json()
