"""Payments and refunds of the API."""

from typing import Any

from sigma.services.billing import payments, refunds
from tests.web.api_harness import ApiClient
from tests.world import World

ROUBLES_500 = {"value": "500.00", "currency": "RUB"}
DECLINED_CARD = "5555555555554600"  # insufficient funds


async def test_payment_has_its_amounts_method_and_answers(
    api_client: ApiClient, world: World
) -> None:
    payment = await world.complete_payment()
    body = (await api_client.get(f"/payments/{payment.id}")).json()
    assert body["status"] == "captured"
    assert body["unknown"] is False
    assert body["amount"] == {"value": "1500.00", "currency": "RUB"}
    assert body["refunded"] == {"value": "0.00", "currency": "RUB"}
    assert body["method"] == {"kind": "card", "mask": "220247******2987", "brand": "mir"}
    assert body["answers"] == {
        "email": "client@example.net",
        "phone": "+79167654321",
        "wish": "без лака",
    }
    assert body["receipt_url"] == f"http://127.0.0.1:8000/r/{payment.token}"
    assert body["captured_at"].endswith("Z")
    assert (body["failure"], body["attention"]) == (None, None)
    assert (await api_client.http.get(body["receipt_url"])).status_code == 200


async def test_pending_payment_has_no_receipt_url(api_client: ApiClient, world: World) -> None:
    payment = await world.start_payment()
    body = (await api_client.get(f"/payments/{payment.id}")).json()
    assert (body["status"], body["receipt_url"], body["captured_at"]) == ("pending", None, None)


async def test_declined_payment_has_a_failure_code_and_message(
    api_client: ApiClient, world: World
) -> None:
    payment = await world.start_payment()
    await world.pay(payment, DECLINED_CARD)
    await payments.advance(world.ctx, payment.id)
    path = f"/payments/{payment.id}"
    english = (await api_client.get(path)).json()["failure"]
    russian = (await api_client.get(path, accept_language="ru")).json()["failure"]
    assert english["code"] == russian["code"] == "insufficient_funds"
    assert "isn’t enough money" in english["message"]
    assert "денег" in russian["message"]


async def test_payments_are_filtered_by_invoice_and_status(
    api_client: ApiClient, world: World
) -> None:
    paid, pending = await world.complete_payment(), await world.start_payment()
    all_payments = (await api_client.get("/payments")).json()["data"]
    of_one = (await api_client.get(f"/payments?invoice_id={paid.invoice_id}")).json()["data"]
    waiting = (await api_client.get("/payments?status=pending")).json()["data"]
    assert [item["id"] for item in all_payments] == [pending.id, paid.id]
    assert [item["id"] for item in of_one] == [paid.id]
    assert of_one[0]["answers"]["wish"] == "без лака"
    assert [item["id"] for item in waiting] == [pending.id]


async def request_refund(program: ApiClient, payment_id: str, **changes: Any) -> Any:
    """Request a refund of 500 roubles."""
    body = {"amount": ROUBLES_500, "reason": "Перенесли"} | changes
    return await program.post(f"/payments/{payment_id}/refunds", body)


async def test_part_of_a_payment_is_refunded(api_client: ApiClient, world: World) -> None:
    payment = await world.complete_payment()
    response = await request_refund(api_client, payment.id)
    created = response.json()
    assert response.status_code == 201
    assert created["id"].startswith("ref_")
    assert (created["status"], created["amount"], created["reason"]) == (
        "pending",
        ROUBLES_500,
        "Перенесли",
    )
    await refunds.advance(world.ctx, created["id"])
    after = (await api_client.get(f"/refunds/{created['id']}")).json()
    assert (after["status"], after["failure"]) == ("succeeded", None)
    assert after["finished_at"].endswith("Z")
    listed = (await api_client.get(f"/payments/{payment.id}/refunds")).json()
    assert listed == {"data": [after], "next_cursor": None}
    assert (await api_client.get(f"/payments/{payment.id}")).json()["refunded"] == ROUBLES_500


async def test_refund_over_captured_amount_is_refused(api_client: ApiClient, world: World) -> None:
    payment = await world.complete_payment()
    await request_refund(api_client, payment.id, amount={"value": "1200.00", "currency": "RUB"})
    response = await request_refund(api_client, payment.id)
    assert (response.status_code, response.json()["code"]) == (409, "refund_too_large")
    assert "₽300.00" in response.json()["detail"]


async def test_refund_in_another_currency_is_refused(api_client: ApiClient, world: World) -> None:
    payment = await world.complete_payment()
    response = await request_refund(
        api_client, payment.id, amount={"value": "1", "currency": "USD"}
    )
    assert (response.status_code, response.json()["code"]) == (422, "refund_currency")


async def test_refund_of_a_pending_payment_is_refused(api_client: ApiClient, world: World) -> None:
    payment = await world.start_payment()
    response = await request_refund(api_client, payment.id)
    assert (response.status_code, response.json()["code"]) == (409, "payment_not_captured")
