"""Payments and refunds at the API."""

from typing import Any

from sigma.services.billing import payments, refunds
from tests.web.api_stage import Program
from tests.world import World

ROUBLES_500 = {"value": "500.00", "currency": "RUB"}
DECLINED = "5555555555554600"  # insufficient funds


async def test_a_payment_shows_what_was_paid_and_answered(program: Program, world: World) -> None:
    payment = await world.paid()
    told = (await program.get(f"/payments/{payment.id}")).json()
    assert told["status"] == "captured"
    assert told["unknown"] is False
    assert told["amount"] == {"value": "1500.00", "currency": "RUB"}
    assert told["refunded"] == {"value": "0.00", "currency": "RUB"}
    assert told["method"] == {"kind": "card", "mask": "220247******2987", "brand": "mir"}
    assert told["answers"] == {
        "email": "client@example.net",
        "phone": "+79167654321",
        "wish": "без лака",
    }
    assert told["receipt_url"] == f"http://127.0.0.1:8000/r/{payment.token}"
    assert told["captured_at"].endswith("Z")
    assert (told["failure"], told["attention"]) == (None, None)
    assert (await program.http.get(told["receipt_url"])).status_code == 200


async def test_an_open_payment_has_no_receipt_yet(program: Program, world: World) -> None:
    payment = await world.started()
    told = (await program.get(f"/payments/{payment.id}")).json()
    assert (told["status"], told["receipt_url"], told["captured_at"]) == ("pending", None, None)


async def test_a_decline_is_told_by_a_word_and_a_sentence(program: Program, world: World) -> None:
    payment = await world.started()
    await world.pay(payment, DECLINED)
    await payments.advance(world.ctx, payment.id)
    path = f"/payments/{payment.id}"
    english = (await program.get(path)).json()["failure"]
    russian = (await program.get(path, accept_language="ru")).json()["failure"]
    assert english["code"] == russian["code"] == "insufficient_funds"
    assert "not enough money" in english["message"]
    assert "денег" in russian["message"]


async def test_payments_are_listed_by_invoice_and_state(program: Program, world: World) -> None:
    paid, pending = await world.paid(), await world.started()
    both = (await program.get("/payments")).json()["data"]
    of_one = (await program.get(f"/payments?invoice_id={paid.invoice_id}")).json()["data"]
    waiting = (await program.get("/payments?status=pending")).json()["data"]
    assert [one["id"] for one in both] == [pending.id, paid.id]
    assert [one["id"] for one in of_one] == [paid.id]
    assert of_one[0]["answers"]["wish"] == "без лака"
    assert [one["id"] for one in waiting] == [pending.id]


async def refund(program: Program, payment_id: str, **more: Any) -> Any:
    """Asks for 500 roubles back."""
    body = {"amount": ROUBLES_500, "reason": "Перенесли"} | more
    return await program.post(f"/payments/{payment_id}/refunds", body)


async def test_money_goes_back_in_part(program: Program, world: World) -> None:
    payment = await world.paid()
    answer = await refund(program, payment.id)
    made = answer.json()
    assert answer.status_code == 201
    assert made["id"].startswith("ref_")
    assert (made["status"], made["amount"], made["reason"]) == ("pending", ROUBLES_500, "Перенесли")
    await refunds.advance(world.ctx, made["id"])
    after = (await program.get(f"/refunds/{made['id']}")).json()
    assert (after["status"], after["failure"]) == ("succeeded", None)
    assert after["finished_at"].endswith("Z")
    listed = (await program.get(f"/payments/{payment.id}/refunds")).json()
    assert listed == {"data": [after], "next_cursor": None}
    assert (await program.get(f"/payments/{payment.id}")).json()["refunded"] == ROUBLES_500


async def test_no_more_goes_back_than_came(program: Program, world: World) -> None:
    payment = await world.paid()
    await refund(program, payment.id, amount={"value": "1200.00", "currency": "RUB"})
    answer = await refund(program, payment.id)
    assert (answer.status_code, answer.json()["code"]) == (409, "refund_too_large")
    assert "₽300.00" in answer.json()["detail"]


async def test_a_refund_is_in_the_currency_of_its_payment(program: Program, world: World) -> None:
    payment = await world.paid()
    answer = await refund(program, payment.id, amount={"value": "1", "currency": "USD"})
    assert (answer.status_code, answer.json()["code"]) == (422, "refund_currency")


async def test_what_was_not_captured_is_not_refunded(program: Program, world: World) -> None:
    payment = await world.started()
    answer = await refund(program, payment.id)
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_not_captured")
