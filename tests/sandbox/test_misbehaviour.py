"""What `/control` promises: lost and spoiled answers, late and repeated notices, slow refunds."""

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.merchants import Hook, Merchant, wish


async def test_a_cut_answer_leaves_the_work_done(merchant: Merchant) -> None:
    await merchant.control(cut_answer={"on": "create", "times": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await merchant.post("/payments", wish(), "key-1")
    (only,) = (await merchant.get("/payments")).json()["items"]
    again = await merchant.post("/payments", wish(), "key-1")
    assert again.json()["id"] == only["id"]


async def test_a_cut_request_leaves_nothing_done(merchant: Merchant) -> None:
    await merchant.control(cut_request={"on": "create", "times": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await merchant.post("/payments", wish())
    assert (await merchant.get("/payments")).json()["items"] == []


async def test_capture_and_refund_can_lose_their_answers(merchant: Merchant) -> None:
    held = await merchant.paid(capture=False)
    await merchant.control(cut_answer={"on": ["capture", "refund"], "times": 2})
    with pytest.raises(httpx.TransportError):
        await merchant.post(f"/payments/{held['id']}/capture", {})
    part = {"payment_id": held["id"], "amount": {"value": "1.00", "currency": "RUB"}}
    with pytest.raises(httpx.TransportError):
        await merchant.post("/refunds", part)
    read = (await merchant.get(f"/payments/{held['id']}")).json()
    assert (read["status"], read["refunded_amount"]["value"]) == ("succeeded", "1.00")


@pytest.mark.parametrize(
    ("effect", "status", "done"),
    [
        ("http_500_before", 500, 0),
        ("http_500_after", 500, 1),
        ("http_429", 429, 0),
        ("http_202", 202, 1),
        ("garbage", 200, 1),
    ],
)
async def test_an_answer_can_be_spoiled(
    merchant: Merchant, effect: str, status: int, done: int
) -> None:
    await merchant.control(**{effect: {"on": "create", "times": 1}})
    answer = await merchant.post("/payments", wish())
    assert answer.status_code == status
    assert ("html" in answer.headers["content-type"]) == (effect == "garbage")
    assert len((await merchant.get("/payments")).json()["items"]) == done
    assert (await merchant.post("/payments", wish())).status_code == 200


async def test_answers_can_name_another_sum(merchant: Merchant) -> None:
    paid = await merchant.paid()
    await merchant.control(
        wrong_amount={"on": "get", "times": 1, "value": "15.00"},
        wrong_currency={"on": "list", "times": 1},
    )
    spoiled = (await merchant.get(f"/payments/{paid['id']}")).json()
    assert spoiled["amount"] == {"value": "15.00", "currency": "RUB"}
    (listed,) = (await merchant.get("/payments")).json()["items"]
    assert listed["amount"] == {"value": "1500.00", "currency": "USD"}
    assert (await merchant.get(f"/payments/{paid['id']}")).json()["amount"] == paid["amount"]


async def test_a_rule_of_one_shop_leaves_the_others_alone(merchant: Merchant) -> None:
    await merchant.control(http_429=True, delay_ms={"value": 150, "on": "me"})
    stranger = Merchant(merchant.sandbox, merchant.http)
    assert (await stranger.get("/me")).status_code == 200
    started = time.monotonic()
    assert (await merchant.get("/me")).status_code == 429
    assert time.monotonic() - started >= 0.15
    await merchant.control(http_429=None)
    assert (await merchant.get("/payments")).status_code == 200


async def test_control_shows_resets_and_refuses(merchant: Merchant) -> None:
    url = f"{merchant.sandbox.base_url}/control"
    await merchant.control(delay_ms=5, decline={"value": "fraud_suspected", "probability": 0.5})
    rules = (await merchant.http.get(url)).json()["rules"]
    mine = {rule["effect"]: rule for rule in rules if rule["shop"] == merchant.id}
    assert mine["delay_ms"]["value"] == 5
    assert mine["decline"]["probability"] == 0.5
    wrong: list[dict[str, Any]] = [{"nonsense": 1}, {"delay_ms": "x"}, {"decline": "tired"}]
    for body in wrong:
        answer = await merchant.http.post(url, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_rule")
    left = (await merchant.http.delete(url, params={"shop": merchant.id})).json()["rules"]
    assert all(rule["shop"] != merchant.id for rule in left)


async def test_a_decline_can_be_ordered(merchant: Merchant) -> None:
    await merchant.control(decline={"value": "issuer_unavailable", "times": 1})
    declined = await merchant.paid()
    assert declined["cancellation_details"]["reason"] == "issuer_unavailable"
    assert (await merchant.paid())["status"] == "succeeded"


async def test_a_refund_can_wait_and_then_succeed(merchant: Merchant, hook: Hook) -> None:
    paid = await merchant.paid()
    await merchant.control(refund_pending={"value": 2, "times": 1})
    part = {"payment_id": paid["id"], "amount": {"value": "500.00", "currency": "RUB"}}
    refund = (await merchant.post("/refunds", part)).json()
    polls = [(await merchant.get(f"/refunds/{refund['id']}")).json() for _ in range(3)]
    assert [one["status"] for one in [refund, *polls]] == ["pending"] * 3 + ["succeeded"]
    heard = await hook.wait(2)
    assert [one["event"] for one in heard] == ["payment.succeeded", "refund.succeeded"]


async def test_a_canceled_refund_frees_its_sum_and_sends_nothing(
    merchant: Merchant, hook: Hook
) -> None:
    paid = await merchant.paid()
    await hook.wait(1)
    await merchant.control(refund_pending={"value": -1, "times": 1})
    whole = {"payment_id": paid["id"], "amount": paid["amount"]}
    refund = (await merchant.post("/refunds", whole)).json()
    assert (await merchant.post("/refunds", whole)).status_code == 400
    url = f"{merchant.sandbox.base_url}/bank/test/refunds/{refund['id']}"
    done = (await merchant.http.post(url, json={"status": "canceled"})).json()
    assert done["cancellation_details"]["reason"] == "general_decline"
    await merchant.control(refund_decline={"times": 1})
    declined = (await merchant.post("/refunds", whole)).json()
    assert declined["cancellation_details"]["reason"] == "insufficient_funds"
    assert (await merchant.post("/refunds", whole)).json()["status"] == "succeeded"
    heard = await hook.wait(2)
    assert [one["event"] for one in heard] == ["payment.succeeded", "refund.succeeded"]


async def test_notices_are_repeated_until_200(merchant: Merchant, hook: Hook) -> None:
    await merchant.control(notices_retry_ms=10)
    hook.statuses = [500, 302, 201]
    paid = await merchant.paid()
    heard = await hook.wait(4)
    assert {one["object"]["id"] for one in heard} == {paid["id"]}
    url = f"{merchant.sandbox.base_url}/bank/test/shops/{merchant.id}"
    for _ in range(100):
        (sent,) = (await merchant.http.get(url)).json()["deliveries"]
        if sent["state"] == "delivered":
            break
    assert sent["answers"] == ["500", "302", "201", "200"]


async def test_notices_can_be_many_late_reordered_or_none(merchant: Merchant, hook: Hook) -> None:
    await merchant.control(notices_duplicate={"value": 10, "times": 1})
    await merchant.paid()
    assert len(await hook.wait(10)) == 10
    hook.heard.clear()
    await merchant.control(notices_reorder_ms=100)
    held = await merchant.paid(capture=False)
    await merchant.post(f"/payments/{held['id']}/capture", {})
    heard = await hook.wait(2)
    assert [one["event"] for one in heard] == [
        "payment.succeeded",
        "payment.waiting_for_capture",
    ]
    hook.heard.clear()
    await merchant.control(
        notices_reorder_ms=None,
        notices_delay_ms={"value": 150, "times": 1},
        notices_off={"on": "payment.canceled"},
    )
    started = time.monotonic()
    await merchant.paid()
    declined = await merchant.payment()
    await merchant.pay(declined["id"], "2200000000000053")
    await hook.wait(1)
    assert time.monotonic() - started >= 0.15
    assert [one["event"] for one in hook.heard] == ["payment.succeeded"]


async def test_an_expiry_that_nobody_asks_about_is_told(merchant: Merchant, hook: Hook) -> None:
    made = await merchant.payment()
    await merchant.control(clock_offset_s=3700)
    (heard,) = await hook.wait(1)
    assert (heard["event"], heard["object"]["id"]) == ("payment.canceled", made["id"])
