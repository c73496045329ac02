"""Fault rules of `/control`: lost and invalid responses, late notices, slow refunds."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.sandbox.merchants import Merchant, NoticeReceiver, payment_body


async def test_cut_response_leaves_payment_created(merchant: Merchant) -> None:
    await merchant.inject_faults(cut_answer={"on": "create", "times": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await merchant.post("/payments", payment_body(), "key-1")
    (only,) = (await merchant.get("/payments")).json()["items"]
    again = await merchant.post("/payments", payment_body(), "key-1")
    assert again.json()["id"] == only["id"]


async def test_cut_request_creates_no_payment(merchant: Merchant) -> None:
    await merchant.inject_faults(cut_request={"on": "create", "times": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await merchant.post("/payments", payment_body())
    assert (await merchant.get("/payments")).json()["items"] == []


async def test_cut_response_leaves_capture_and_refund_done(merchant: Merchant) -> None:
    held = await merchant.complete_payment(capture=False)
    await merchant.inject_faults(cut_answer={"on": ["capture", "refund"], "times": 2})
    with pytest.raises(httpx.TransportError):
        await merchant.post(f"/payments/{held['id']}/capture", {})
    part = {"payment_id": held["id"], "amount": {"value": "1.00", "currency": "RUB"}}
    with pytest.raises(httpx.TransportError):
        await merchant.post("/refunds", part)
    read = (await merchant.get(f"/payments/{held['id']}")).json()
    assert (read["status"], read["refunded_amount"]["value"]) == ("succeeded", "1.00")


@pytest.mark.parametrize(
    ("effect", "status", "created_count"),
    [
        ("http_500_before", 500, 0),
        ("http_500_after", 500, 1),
        ("http_429", 429, 0),
        ("http_202", 202, 1),
        ("garbage", 200, 1),
    ],
)
async def test_response_is_replaced_by_fault(
    merchant: Merchant, effect: str, status: int, created_count: int
) -> None:
    await merchant.inject_faults(**{effect: {"on": "create", "times": 1}})
    response = await merchant.post("/payments", payment_body())
    assert response.status_code == status
    assert ("html" in response.headers["content-type"]) == (effect == "garbage")
    assert len((await merchant.get("/payments")).json()["items"]) == created_count
    assert (await merchant.post("/payments", payment_body())).status_code == 200


async def test_response_has_wrong_amount_or_currency(merchant: Merchant) -> None:
    paid = await merchant.complete_payment()
    await merchant.inject_faults(
        wrong_amount={"on": "get", "times": 1, "value": "15.00"},
        wrong_currency={"on": "list", "times": 1},
    )
    spoiled = (await merchant.get(f"/payments/{paid['id']}")).json()
    assert spoiled["amount"] == {"value": "15.00", "currency": "RUB"}
    (listed,) = (await merchant.get("/payments")).json()["items"]
    assert listed["amount"] == {"value": "1500.00", "currency": "USD"}
    assert (await merchant.get(f"/payments/{paid['id']}")).json()["amount"] == paid["amount"]


async def test_fault_rule_applies_to_its_shop_only(merchant: Merchant) -> None:
    await merchant.inject_faults(http_429=True, delay_ms={"value": 150, "on": "me"})
    other_shop = Merchant(merchant.sandbox, merchant.http)
    assert (await other_shop.get("/me")).status_code == 200
    started_s = time.monotonic()
    assert (await merchant.get("/me")).status_code == 429
    assert time.monotonic() - started_s >= 0.15
    await merchant.inject_faults(http_429=None)
    assert (await merchant.get("/payments")).status_code == 200


async def test_control_lists_and_removes_rules_and_refuses_invalid_ones(merchant: Merchant) -> None:
    url = f"{merchant.sandbox.base_url}/control"
    await merchant.inject_faults(
        delay_ms=5, decline={"value": "fraud_suspected", "probability": 0.5}
    )
    rules = (await merchant.http.get(url)).json()["rules"]
    mine = {rule["effect"]: rule for rule in rules if rule["shop"] == merchant.id}
    assert mine["delay_ms"]["value"] == 5
    assert mine["decline"]["probability"] == 0.5
    invalid: list[dict[str, Any]] = [{"nonsense": 1}, {"delay_ms": "x"}, {"decline": "tired"}]
    for body in invalid:
        response = await merchant.http.post(url, json=body)
        assert (response.status_code, response.json()["code"]) == (400, "bad_rule")
    left = (await merchant.http.delete(url, params={"shop": merchant.id})).json()["rules"]
    assert all(rule["shop"] != merchant.id for rule in left)


async def test_decline_rule_declines_one_payment(merchant: Merchant) -> None:
    await merchant.inject_faults(decline={"value": "issuer_unavailable", "times": 1})
    declined = await merchant.complete_payment()
    assert declined["cancellation_details"]["reason"] == "issuer_unavailable"
    assert (await merchant.complete_payment())["status"] == "succeeded"


async def test_pending_refund_succeeds_after_two_reads(
    merchant: Merchant, notice_receiver: NoticeReceiver
) -> None:
    paid = await merchant.complete_payment()
    await merchant.inject_faults(refund_pending={"value": 2, "times": 1})
    part = {"payment_id": paid["id"], "amount": {"value": "500.00", "currency": "RUB"}}
    refund = (await merchant.post("/refunds", part)).json()
    polls = [(await merchant.get(f"/refunds/{refund['id']}")).json() for _ in range(3)]
    assert [one["status"] for one in [refund, *polls]] == ["pending"] * 3 + ["succeeded"]
    notices = await notice_receiver.wait_for_notices(2)
    assert [one["event"] for one in notices] == ["payment.succeeded", "refund.succeeded"]


async def test_canceled_refund_frees_its_amount_and_sends_no_notice(
    merchant: Merchant, notice_receiver: NoticeReceiver
) -> None:
    paid = await merchant.complete_payment()
    await notice_receiver.wait_for_notices(1)
    await merchant.inject_faults(refund_pending={"value": -1, "times": 1})
    whole = {"payment_id": paid["id"], "amount": paid["amount"]}
    refund = (await merchant.post("/refunds", whole)).json()
    assert (await merchant.post("/refunds", whole)).status_code == 400
    url = f"{merchant.sandbox.base_url}/bank/test/refunds/{refund['id']}"
    done = (await merchant.http.post(url, json={"status": "canceled"})).json()
    assert done["cancellation_details"]["reason"] == "general_decline"
    await merchant.inject_faults(refund_decline={"times": 1})
    declined = (await merchant.post("/refunds", whole)).json()
    assert declined["cancellation_details"]["reason"] == "insufficient_funds"
    assert (await merchant.post("/refunds", whole)).json()["status"] == "succeeded"
    notices = await notice_receiver.wait_for_notices(2)
    assert [one["event"] for one in notices] == ["payment.succeeded", "refund.succeeded"]


async def test_notice_is_repeated_until_status_200(
    merchant: Merchant, notice_receiver: NoticeReceiver
) -> None:
    await merchant.inject_faults(notices_retry_ms=10)
    notice_receiver.statuses = [500, 302, 201]
    paid = await merchant.complete_payment()
    notices = await notice_receiver.wait_for_notices(4)
    assert {one["object"]["id"] for one in notices} == {paid["id"]}
    url = f"{merchant.sandbox.base_url}/bank/test/shops/{merchant.id}"
    deadline_s = time.monotonic() + 3
    while True:  # the bank stores the last response after the receiver has sent it
        (delivery,) = (await merchant.http.get(url)).json()["deliveries"]
        if delivery["state"] == "delivered":
            break
        assert time.monotonic() < deadline_s, delivery
        await asyncio.sleep(0.01)
    assert delivery["answers"] == ["500", "302", "201", "200"]


async def test_notices_are_duplicated_reordered_delayed_and_dropped(
    merchant: Merchant, notice_receiver: NoticeReceiver
) -> None:
    await merchant.inject_faults(notices_duplicate={"value": 10, "times": 1})
    await merchant.complete_payment()
    assert len(await notice_receiver.wait_for_notices(10)) == 10
    notice_receiver.notices.clear()
    await merchant.inject_faults(notices_reorder_ms=1000)  # both requests must fit into it
    held = await merchant.complete_payment(capture=False)
    await merchant.post(f"/payments/{held['id']}/capture", {})
    notices = await notice_receiver.wait_for_notices(2)
    assert [one["event"] for one in notices] == [
        "payment.succeeded",
        "payment.waiting_for_capture",
    ]
    notice_receiver.notices.clear()
    await merchant.inject_faults(
        notices_reorder_ms=None,
        notices_delay_ms={"value": 150, "times": 1},
        notices_off={"on": "payment.canceled"},
    )
    started_s = time.monotonic()
    await merchant.complete_payment()
    declined = await merchant.create_payment()
    await merchant.pay(declined["id"], "2200000000000053")
    await notice_receiver.wait_for_notices(1)
    assert time.monotonic() - started_s >= 0.15
    assert [one["event"] for one in notice_receiver.notices] == ["payment.succeeded"]


async def test_expired_payment_sends_notice_without_being_read(
    merchant: Merchant, notice_receiver: NoticeReceiver
) -> None:
    created = await merchant.create_payment()
    await merchant.inject_faults(clock_offset_s=3700)
    (notice,) = await notice_receiver.wait_for_notices(1)
    assert (notice["event"], notice["object"]["id"]) == ("payment.canceled", created["id"])
