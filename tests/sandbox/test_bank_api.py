"""The API's own rules: every card, idempotence, limits, refusals, terms."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from sigma_sandbox.bank.cards import TEST_CARDS, ListedCard, brand_of, luhn
from tests.sandbox.merchants import Merchant, wish

OK_CARD = "5555555555554444"


@pytest.mark.parametrize("card", TEST_CARDS, ids=lambda card: card.number[-4:])
async def test_every_listed_card_gives_its_outcome(merchant: Merchant, card: ListedCard) -> None:
    made = await merchant.payment()
    answer = await merchant.pay(made["id"], card.grouped)
    assert answer.status_code == 200
    read = (await merchant.get(f"/payments/{made['id']}")).json()
    assert read == answer.json()
    if card.reason is None:
        assert read["status"] == "succeeded"
        assert read["authorization_details"]["three_d_secure"]["applied"] is card.three_ds
    else:
        assert (read["status"], read["paid"]) == ("canceled", False)
        assert read["cancellation_details"]["reason"] == card.reason
    assert card.number not in answer.text


def test_listed_cards_are_well_formed() -> None:
    assert len({card.number for card in TEST_CARDS}) == 30
    for card in TEST_CARDS:
        assert luhn(card.number), card.number
        assert brand_of(card.number) == card.brand


async def test_another_card_is_refused_and_changes_nothing(merchant: Merchant) -> None:
    made = await merchant.payment()
    answer = await merchant.pay(made["id"], "4242424242424242")
    assert (answer.status_code, answer.json()["parameter"]) == (400, "card")
    assert "4242" not in answer.text
    assert (await merchant.get(f"/payments/{made['id']}")).json()["status"] == "pending"
    assert (await merchant.pay("nobody", OK_CARD)).status_code == 404


async def test_a_payment_is_paid_once(merchant: Merchant) -> None:
    paid = await merchant.paid()
    assert (await merchant.pay(paid["id"], OK_CARD)).status_code == 409


async def test_a_refused_code_is_3d_secure_failed(merchant: Merchant) -> None:
    made = await merchant.payment()
    answer = await merchant.pay(made["id"], "2200000000000004", three_ds="fail")
    assert answer.json()["cancellation_details"] == {
        "party": "payment_network",
        "reason": "3d_secure_failed",
    }


async def test_same_key_sixteen_times_makes_one_payment(merchant: Merchant) -> None:
    key = str(uuid4())
    answers = await asyncio.gather(*(merchant.post("/payments", wish(), key) for _ in range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await merchant.post("/payments", wish("1.00"), key)
    assert (other.status_code, other.json()["code"]) == (400, "invalid_request")
    await merchant.control(clock_offset_s=24 * 3600)
    tomorrow = await merchant.post("/payments", wish(), key)
    assert tomorrow.json()["id"] != answers[0].json()["id"]


async def test_a_key_answers_with_the_current_state(merchant: Merchant) -> None:
    key = str(uuid4())
    made = (await merchant.post("/payments", wish(), key)).json()
    await merchant.pay(made["id"], OK_CARD)
    assert (await merchant.post("/payments", wish(), key)).json()["status"] == "succeeded"


async def test_a_refused_request_leaves_its_key_free(merchant: Merchant) -> None:
    key = str(uuid4())
    assert (await merchant.post("/payments", wish("0.00"), key)).status_code == 400
    assert (await merchant.post("/payments", wish(), key)).status_code == 200


async def test_a_post_needs_a_short_key(merchant: Merchant) -> None:
    url = f"{merchant.sandbox.base_url}/bank/v3/payments"
    answer = await merchant.http.post(url, json=wish(), auth=merchant.auth)
    assert (answer.status_code, answer.json()["parameter"]) == (400, "Idempotence-Key")
    assert (await merchant.post("/payments", wish(), "k" * 65)).status_code == 400


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
async def test_a_wrong_field_is_named(
    merchant: Merchant, change: dict[str, Any], parameter: str
) -> None:
    answer = await merchant.post("/payments", wish() | change)
    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


async def test_a_card_number_in_the_api_is_forbidden(merchant: Merchant) -> None:
    data = {"type": "bank_card", "card": {"number": OK_CARD, "expiry_year": "2030"}}
    answer = await merchant.post("/payments", wish(payment_method_data=data))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_capture_is_two_stage_by_default(merchant: Merchant) -> None:
    body = wish()
    del body["capture"]
    made = (await merchant.post("/payments", body)).json()
    held = (await merchant.pay(made["id"], OK_CARD)).json()
    assert (held["status"], held["paid"], held["refundable"]) == (
        "waiting_for_capture",
        True,
        False,
    )
    assert held["expires_at"] > held["created_at"]


async def test_shops_do_not_see_one_another(merchant: Merchant) -> None:
    made = await merchant.payment()
    stranger = Merchant(merchant.sandbox, merchant.http)
    assert (await stranger.get(f"/payments/{made['id']}")).status_code == 404
    assert (await stranger.get("/payments")).json()["items"] == []
    bad = await merchant.http.get(f"{merchant.sandbox.base_url}/bank/v3/me", auth=("1", "live_1"))
    assert (bad.status_code, bad.json()["code"]) == (401, "invalid_credentials")


async def test_unpaid_payment_expires_in_an_hour(merchant: Merchant) -> None:
    made = await merchant.payment()
    await merchant.control(clock_offset_s=3599)
    assert (await merchant.get(f"/payments/{made['id']}")).json()["status"] == "pending"
    await merchant.control(clock_offset_s=3601)
    read = (await merchant.get(f"/payments/{made['id']}")).json()
    assert read["cancellation_details"] == {
        "party": "yoo_money",
        "reason": "expired_on_confirmation",
    }


async def test_uncaptured_hold_expires_in_seven_days(merchant: Merchant) -> None:
    held = await merchant.paid(capture=False)
    await merchant.control(clock_offset_s=7 * 24 * 3600 - 5)
    read = (await merchant.get(f"/payments/{held['id']}")).json()
    assert read["status"] == "waiting_for_capture"
    await merchant.control(clock_offset_s=7 * 24 * 3600 + 5)
    read = (await merchant.get(f"/payments/{held['id']}")).json()
    assert read["cancellation_details"]["reason"] == "expired_on_capture"


async def test_six_refunds_at_once_never_exceed_the_payment(merchant: Merchant) -> None:
    paid = await merchant.paid("1000.00")
    part = {"payment_id": paid["id"], "amount": {"value": "300.00", "currency": "RUB"}}
    answers = await asyncio.gather(*(merchant.post("/refunds", part) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 400, 400, 400]
    read = (await merchant.get(f"/payments/{paid['id']}")).json()
    assert read["refunded_amount"]["value"] == "900.00"


async def test_lists_refuse_what_they_cannot_read(merchant: Merchant) -> None:
    for query in ({"limit": "0"}, {"limit": "101"}, {"cursor": "?"}, {"created_at.gte": "soon"}):
        answer = await merchant.get("/payments", **query)
        assert (answer.status_code, answer.json()["parameter"]) == (400, next(iter(query)))
    assert "next_cursor" not in (await merchant.get("/payments")).json()
