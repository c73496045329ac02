"""The acquirers' door: notices are stored and answered at once, and never believed."""

import json
from typing import Any

from sigma.services.billing import payments
from tests.web.api_stage import Program
from tests.world import World


def notice(provider_id: str, status: str = "succeeded") -> bytes:
    """What YooKassa would tell of a payment."""
    told: dict[str, Any] = {
        "type": "notification",
        "event": f"payment.{status}",
        "object": {
            "id": provider_id,
            "status": status,
            "paid": status == "succeeded",
            "amount": {"value": "1500.00", "currency": "RUB"},
        },
    }
    return json.dumps(told).encode()


def hook(world: World) -> str:
    """The address that the acquirer was given."""
    return f"/hooks/yookassa/{world.connection.id}"


async def test_a_notice_leads_to_a_question_and_the_answer_counts(
    program: Program, world: World
) -> None:
    payment = await world.started()
    await world.pay(payment)
    answer = await program.http.post(hook(world), content=notice(str(payment.provider_id)))
    assert (answer.status_code, answer.content) == (200, b"{}")
    await world.work()
    assert (await payments.get(world.ctx, world.member, payment.id)).status == "captured"


async def test_a_lie_pays_nothing(program: Program, world: World) -> None:
    payment = await world.started()
    for _ in range(2):
        answer = await program.http.post(hook(world), content=notice(str(payment.provider_id)))
        assert answer.status_code == 200
    await world.work()
    assert (await payments.get(world.ctx, world.member, payment.id)).status == "pending"


async def test_a_notice_to_nobody_is_not_found(program: Program, world: World) -> None:
    body = notice("30d2f6a1-000f-5000-9000-1b2c3d4e5f60")
    for path in (
        "/hooks/yookassa/con_0000000000000000000000",
        f"/hooks/tbank/{world.connection.id}",
        "/hooks/yookassa/x",
        "/hooks/yookassa",
    ):
        answer = await program.http.post(path, content=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


async def test_rubbish_is_a_bad_request(program: Program, world: World) -> None:
    for body in (b"", b"rubbish", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"type": "\\u0000"}'):
        answer = await program.http.post(hook(world), content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), body[:20]


async def test_a_notice_that_holds_what_no_database_keeps_is_taken_all_the_same(
    program: Program, world: World
) -> None:
    payment = await world.started()
    body = notice(str(payment.provider_id)).replace(b'"paid"', b'"note": "a\\u0000b", "paid"')
    assert (await program.http.post(hook(world), content=body)).status_code == 200


async def test_a_notice_too_long_to_be_one_is_turned_away(program: Program, world: World) -> None:
    answer = await program.http.post(hook(world), content=b'{"a":"' + b"x" * 300_000 + b'"}')
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_browser_at_the_hook_is_told_the_method(program: Program, world: World) -> None:
    answer = await program.http.get(hook(world))
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
