"""Acquirer webhooks: a notice is stored and answered at once; its content is never trusted."""

import json
from typing import Any

from sigma.domain.limits import HOOK_REFUSALS, NOTICES
from sigma.services.billing import connections, payments
from sigma.services.platform import housekeeping
from tests.leaks import dump_tables
from tests.web.api_harness import ApiClient
from tests.world import World


def notice_body(provider_id: str, status: str = "succeeded") -> bytes:
    """Return the notice that YooKassa sends about a payment."""
    body: dict[str, Any] = {
        "type": "notification",
        "event": f"payment.{status}",
        "object": {
            "id": provider_id,
            "status": status,
            "paid": status == "succeeded",
            "amount": {"value": "1500.00", "currency": "RUB"},
        },
    }
    return json.dumps(body).encode()


def hook_path(world: World) -> str:
    """Return the notice URL path of the connection."""
    return f"/hooks/yookassa/{world.connection.id}/{world.connection.notice_token}"


async def test_notice_makes_sigma_fetch_the_payment_from_the_acquirer(
    api_client: ApiClient, world: World
) -> None:
    payment = await world.start_payment()
    await world.pay(payment)
    response = await api_client.http.post(
        hook_path(world), content=notice_body(str(payment.provider_id))
    )
    assert (response.status_code, response.content) == (200, b"{}")
    await world.run_jobs()
    assert (await payments.get(world.ctx, world.member, payment.id)).status == "captured"


async def test_forged_notice_does_not_capture_the_payment(
    api_client: ApiClient, world: World
) -> None:
    payment = await world.start_payment()
    for _ in range(2):
        response = await api_client.http.post(
            hook_path(world), content=notice_body(str(payment.provider_id))
        )
        assert response.status_code == 200
    await world.run_jobs()
    assert (await payments.get(world.ctx, world.member, payment.id)).status == "pending"


async def test_notice_for_another_url_than_the_connection_has_is_not_found(
    api_client: ApiClient, world: World
) -> None:
    body = notice_body("30d2f6a1-000f-5000-9000-1b2c3d4e5f60")
    token = world.connection.notice_token
    for path in (
        f"/hooks/yookassa/con_0000000000000000000000/{token}",
        f"/hooks/tbank/{world.connection.id}/{token}",
        f"/hooks/yookassa/{world.connection.id}",
        f"/hooks/yookassa/{world.connection.id}/",
        f"/hooks/yookassa/{world.connection.id}/{token}x",
        f"/hooks/yookassa/{world.connection.id}/{token[:-1]}",
        f"/hooks/yookassa/{world.connection.id}/%D1%8F",
        "/hooks/yookassa/x",
        "/hooks/yookassa",
    ):
        response = await api_client.http.post(path, content=body)
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), path


async def test_malformed_notice_is_a_bad_request(api_client: ApiClient, world: World) -> None:
    for body in (b"", b"rubbish", b"[]", b"\xff\xfe", b"[" * 60_000, b'{"type": "\\u0000"}'):
        response = await api_client.http.post(hook_path(world), content=body)
        assert (response.status_code, response.json()["code"]) == (400, "bad_request"), body[:20]


async def test_notice_with_a_nul_character_is_accepted(api_client: ApiClient, world: World) -> None:
    payment = await world.start_payment()
    body = notice_body(str(payment.provider_id)).replace(b'"paid"', b'"note": "a\\u0000b", "paid"')
    assert (await api_client.http.post(hook_path(world), content=body)).status_code == 200


async def test_oversized_notice_is_refused(api_client: ApiClient, world: World) -> None:
    response = await api_client.http.post(
        hook_path(world), content=b'{"a":"' + b"x" * 64 * 1024 + b'"}'
    )
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


async def test_get_request_to_a_hook_is_refused_with_an_allow_header(
    api_client: ApiClient, world: World
) -> None:
    response = await api_client.http.get(hook_path(world))
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_notices_of_a_connection_are_limited_and_may_be_repeated_later(
    api_client: ApiClient, world: World
) -> None:
    payment = await world.start_payment()
    body = notice_body(str(payment.provider_id))
    responses = [
        await api_client.http.post(hook_path(world), content=body)
        for _ in range(NOTICES.amount + 3)
    ]
    accepted, refused = responses[: NOTICES.amount], responses[NOTICES.amount :]
    assert {response.status_code for response in accepted} == {200}
    assert {response.status_code for response in refused} == {429}
    assert 1 <= int(refused[-1].headers["retry-after"]) <= 60
    world.clock.advance(seconds=61)
    response = await api_client.http.post(hook_path(world), content=body)
    assert response.status_code == 200


async def test_guessed_urls_are_limited_by_address_but_real_notices_are_not(
    api_client: ApiClient, world: World
) -> None:
    guess = f"/hooks/yookassa/{world.connection.id}/guess"
    for _ in range(HOOK_REFUSALS.amount):
        assert (await api_client.http.post(guess, content=b"{}")).status_code == 404
    assert (await api_client.http.post(guess, content=b"{}")).status_code == 429
    payment = await world.start_payment()
    body = notice_body(str(payment.provider_id))
    assert (await api_client.http.post(hook_path(world), content=body)).status_code == 200


async def test_notices_are_deleted_after_their_time_forged_ones_soon(
    api_client: ApiClient, world: World
) -> None:
    payment = await world.complete_payment()
    for provider_id in (str(payment.provider_id), "30d2f6a1-000f-5000-9000-1b2c3d4e5f60"):
        await api_client.http.post(hook_path(world), content=notice_body(provider_id))

    async def stored() -> int:
        await housekeeping.clean_up(world.ctx)
        return (await dump_tables(world.ctx.db))["acquirer_notices"].count("digest=")

    world.clock.advance(days=100)
    assert await stored() == 2, "unprocessed notices stay"
    await world.run_jobs()
    assert await stored() == 2
    world.clock.advance(days=4)
    assert await stored() == 1
    world.clock.advance(days=87)
    assert await stored() == 0


async def test_notice_url_is_secret_and_of_each_connection(world: World) -> None:
    url = connections.notice_url(world.ctx, world.connection)
    assert len(url.rpartition("/")[2]) == 22, "128 bits"
    assert world.connection.notice_token not in repr(world.connection)
    saved = await connections.get(world.ctx, world.member, world.connection.id)
    await world.set_acquirer_secret("test_other")
    again = await connections.get(world.ctx, world.member, saved.id)
    assert connections.notice_url(world.ctx, again) == url, "the acquirer knows this URL"
