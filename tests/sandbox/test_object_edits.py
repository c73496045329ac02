"""Edits of the bank's objects by `/control/objects`: lost, changed and added, without a notice."""

from typing import Any

import httpx

from tests.sandbox.merchants import Merchant, NoticeReceiver

FIVE_HUNDRED = {"value": "500.00", "currency": "RUB"}


async def edit(merchant: Merchant, **edits: Any) -> httpx.Response:
    url = f"{merchant.sandbox.base_url}/control/objects"
    return await merchant.http.post(url, json={"shop": merchant.id, **edits})


async def refund(merchant: Merchant, payment_id: str, value: str) -> str:
    body = {"payment_id": payment_id, "amount": {"value": value, "currency": "RUB"}}
    return str((await merchant.post("/refunds", body)).json()["id"])


async def test_lost_payment_is_in_no_list_and_has_no_address(merchant: Merchant) -> None:
    lost, left = [await merchant.complete_payment() for _ in range(2)]
    assert (await edit(merchant, lose=[lost["id"]])).status_code == 200
    (only,) = (await merchant.get("/payments")).json()["items"]
    assert only["id"] == left["id"]
    assert (await merchant.get(f"/payments/{lost['id']}")).status_code == 404


async def test_lost_refund_no_longer_counts_as_refunded(merchant: Merchant) -> None:
    paid = await merchant.complete_payment()
    first, second = [await refund(merchant, paid["id"], value) for value in ("100.00", "200.00")]
    await edit(merchant, lose=[first])
    assert [r["id"] for r in (await merchant.get("/refunds")).json()["items"]] == [second]
    read = (await merchant.get(f"/payments/{paid['id']}")).json()
    assert read["refunded_amount"]["value"] == "200.00"


async def test_changed_objects_have_the_new_status_amount_and_metadata(merchant: Merchant) -> None:
    paid = await merchant.complete_payment()
    refund_id = await refund(merchant, paid["id"], "100.00")
    changes = {
        paid["id"]: {"amount": {"value": "700.00", "currency": "USD"}, "metadata": {"a": "b"}},
        refund_id: {"amount": FIVE_HUNDRED},
    }
    await edit(merchant, change=changes)
    read = (await merchant.get(f"/payments/{paid['id']}")).json()
    assert (read["amount"], read["metadata"], read["status"]) == (
        {"value": "700.00", "currency": "USD"},
        {"a": "b"},
        "succeeded",
    )
    assert read["refunded_amount"]["value"] == "500.00"
    assert (await merchant.get(f"/refunds/{refund_id}")).json()["amount"] == FIVE_HUNDRED
    await edit(merchant, change={paid["id"]: {"status": "canceled"}})
    read = (await merchant.get(f"/payments/{paid['id']}")).json()
    assert (read["status"], read["paid"], "captured_at" in read) == ("canceled", False, False)


async def test_added_payment_and_refund_are_listed_at_their_time(merchant: Merchant) -> None:
    at = "2026-05-06T07:08:09.000Z"
    payment = {"amount": FIVE_HUNDRED, "created_at": at, "metadata": {"payment": "pay_1"}}
    (added,) = (await edit(merchant, add={"payments": [payment]})).json()["payments"]
    assert (added["status"], added["created_at"]) == ("succeeded", at)
    money_back = {"payment_id": added["id"], "amount": FIVE_HUNDRED}
    await edit(merchant, add={"refunds": [money_back]})
    query = {"created_at.gte": at, "created_at.lt": "2026-05-06T07:08:10.000Z"}
    (listed,) = (await merchant.get("/payments", **query)).json()["items"]
    assert (listed["id"], listed["refundable"]) == (added["id"], False)
    assert len((await merchant.get("/refunds", payment_id=added["id"])).json()["items"]) == 1


async def test_edits_send_no_notice(merchant: Merchant, notice_receiver: NoticeReceiver) -> None:
    paid = await merchant.complete_payment()
    await notice_receiver.wait_for_notices(1)
    await edit(merchant, change={paid["id"]: {"status": "pending"}}, add={"payments": []})
    await merchant.complete_payment()
    notices = await notice_receiver.wait_for_notices(2)
    assert [notice["event"] for notice in notices] == ["payment.succeeded"] * 2


async def test_unknown_objects_and_malformed_edits_are_refused(merchant: Merchant) -> None:
    other = Merchant(merchant.sandbox, merchant.http)
    foreign = await other.complete_payment()
    cases: list[tuple[dict[str, Any], int]] = [
        ({"lose": [foreign["id"]]}, 404),
        ({"change": {"no-such": {}}}, 404),
        ({"add": {"payments": [{"amount": "5"}]}}, 400),
        ({"add": {"payments": [{"amount": FIVE_HUNDRED, "status": "paid"}]}}, 400),
        ({"add": {"refunds": [{"payment_id": foreign["id"], "amount": FIVE_HUNDRED}]}}, 404),
        ({"drop": []}, 400),
        ({"lose": "all"}, 400),
    ]
    for edits, status in cases:
        assert (await edit(merchant, **edits)).status_code == status, edits
    assert (await merchant.get("/payments")).json()["items"] == []
