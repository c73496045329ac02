"""Calls for programs under `/bank/test`: pay as the browser would, set up a shop, settle a refund.

They need no key: the sandbox lives on the developer's machine.
"""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox import time_util
from sigma_sandbox.bank import cards, payments, refunds
from sigma_sandbox.bank.pipeline import read_json, refusal
from sigma_sandbox.bank.serializers import Refused, invalid, payment_json, refund_json
from sigma_sandbox.bank.store import EVENTS, Bank, Json, Payment, Shop
from sigma_sandbox.responses import Asked, json_response


def _bank(request: Asked) -> Bank:
    bank = request.app.state["bank"]
    assert isinstance(bank, Bank)
    return bank


@post("/payments/{payment_id:str}/pay", status_code=200)
async def pay(request: Asked, payment_id: FromPath[str]) -> Response[bytes]:
    """{"card": "5555555555554477", "three_ds": "pass" | "fail"}: all the way the browser goes."""
    bank = _bank(request)
    try:
        body = await read_json(request)
        with bank.together():
            payment = pay_by_card(bank, payment_id, body)
    except Refused as refused:
        return refusal(refused)
    return json_response(payment_json(payment, bank.base_url, bank.now(payment.shop_id)))


def pay_by_card(bank: Bank, payment_id: str, body: Json) -> Payment:
    """Enter the card and answer the code. Raises Refused: 404, 400 (the card), 409 (too late)."""
    payment = bank.payments.get(payment_id)
    if payment is None:
        raise Refused(404, "not_found", "No such payment", "payment_id")
    test_card = cards.BY_NUMBER.get("".join(str(body.get("card", "")).split()))
    if test_card is None:
        raise invalid("Only the listed test cards are accepted", "card")
    three_ds = body.get("three_ds", "pass")
    if three_ds not in ("pass", "fail"):
        raise invalid("pass or fail is expected", "three_ds")
    payments.expire_due(bank, payment.shop_id)
    payment = bank.payments[payment_id]
    if payment.status != "pending":
        raise Refused(409, "invalid_request", f"Payment is {payment.status}: it cannot be paid")
    year = time_util.as_datetime(bank.now(payment.shop_id)).year + 2
    payment = payments.attempt(bank, payment, test_card, cards.remember(test_card, 12, year))
    if payment.challenge is None:
        return payment
    if three_ds == "fail":
        return payments.decline_code(bank, payment)
    return payments.answer_code(bank, payment, right=True)


def shop_json(shop: Shop) -> Json:
    """What a shop has set in its cabinet."""
    return {
        "id": shop.id,
        "name": shop.name,
        "notification_url": shop.notification_url,
        "events": shop.events,
    }


def set_up(bank: Bank, shop_id: str, body: Json) -> Shop:
    """Change a shop's name, notification URL and events; opens the shop. Raises Refused."""
    shop = bank.shop(shop_id)
    if "name" in body:
        shop = replace(shop, name=str(body["name"] or "")[:100] or None)
    if "notification_url" in body:
        url = body["notification_url"] or None
        if url is not None and not str(url).startswith(("http://", "https://")):
            raise invalid("An http(s) address is expected", "notification_url")
        shop = replace(shop, notification_url=url)
    if "events" in body:
        events = body["events"]
        if not isinstance(events, list) or not set(events) <= set(EVENTS):
            raise invalid(f"Some of: {', '.join(EVENTS)}", "events")
        shop = replace(shop, events=events)
    bank.put_shop(shop)
    return shop


@post("/shops/{shop_id:str}", status_code=200)
async def set_shop(request: Asked, shop_id: FromPath[str]) -> Response[bytes]:
    """{"name", "notification_url", "events"}: what a shop sets in its cabinet."""
    try:
        shop = set_up(_bank(request), shop_id, await read_json(request))
    except Refused as refused:
        return refusal(refused)
    return json_response(shop_json(shop))


@get("/shops/{shop_id:str}")
async def get_shop(request: Asked, shop_id: FromPath[str]) -> Response[bytes]:
    """The shop with the notices sent to it, newest first."""
    bank = _bank(request)
    if shop_id not in bank.shops:
        return refusal(Refused(404, "not_found", "No such shop", "shop_id"))
    sent: list[dict[str, Any]] = [
        {"event": d.event, "object_id": d.object_id, "state": d.state, "url": d.url}
        | {"answers": [one.answer for one in d.tries]}
        for d in reversed(bank.deliveries.values())
        if d.shop_id == shop_id
    ]
    return json_response(shop_json(bank.shops[shop_id]) | {"deliveries": sent})


@post("/refunds/{refund_id:str}", status_code=200)
async def settle_refund(request: Asked, refund_id: FromPath[str]) -> Response[bytes]:
    """{"status": "succeeded"} or {"status": "canceled", "reason": "…"}: end a waiting refund."""
    bank = _bank(request)
    try:
        body = await read_json(request)
        refund = bank.refunds.get(refund_id)
        if refund is None:
            raise Refused(404, "not_found", "No such refund", "refund_id")
        if body.get("status") not in ("succeeded", "canceled"):
            raise invalid("succeeded or canceled is expected", "status")
        reason = str(body.get("reason", "general_decline"))
        outcome = "succeeded" if body["status"] == "succeeded" else reason
        with bank.together():
            refund = refunds.settle(bank, refund, outcome)
    except Refused as refused:
        return refusal(refused)
    return json_response(refund_json(refund, bank.now(refund.shop_id)))


HANDLERS = [pay, set_shop, get_shop, settle_refund]
