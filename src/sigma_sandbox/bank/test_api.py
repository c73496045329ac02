"""Calls for test programs under `/bank/test`: pay a payment, set up a shop, settle a refund.

They need no credentials: the sandbox runs on the developer's machine.
"""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.bank import payments, refunds, shops
from sigma_sandbox.bank.errors import ApiError, invalid_request
from sigma_sandbox.bank.http import error_response, get_bank, read_json
from sigma_sandbox.bank.serializers import payment_json, refund_json
from sigma_sandbox.responses import AnyRequest, json_response


@post("/payments/{payment_id:str}/pay", status_code=200)
async def pay_payment(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Pay as the payer does in a browser; returns the payment.

    Body: `{"card": "5555555555554477", "three_ds": "pass" | "fail"}`.
    """
    bank = get_bank(request)
    try:
        body = await read_json(request)
        with bank.transaction():
            payment = payments.pay_by_card(bank, payment_id, body)
    except ApiError as error:
        return error_response(error)
    return json_response(payment_json(payment, bank.base_url, bank.now_us(payment.shop_id)))


@post("/shops/{shop_id:str}", status_code=200)
async def save_shop(request: AnyRequest, shop_id: FromPath[str]) -> Response[bytes]:
    """Change the shop's settings. Body: any of `name`, `notification_url`, `events`."""
    try:
        shop = shops.set_up(get_bank(request), shop_id, await read_json(request))
    except ApiError as error:
        return error_response(error)
    return json_response(shops.shop_json(shop))


@get("/shops/{shop_id:str}")
async def get_shop(request: AnyRequest, shop_id: FromPath[str]) -> Response[bytes]:
    """Return the shop's settings and its notices (`deliveries`), newest first."""
    bank = get_bank(request)
    if shop_id not in bank.shops:
        return error_response(ApiError(404, "not_found", "No such shop", "shop_id"))
    deliveries: list[dict[str, Any]] = [
        {"event": d.event, "object_id": d.object_id, "state": d.state, "url": d.url}
        | {"answers": [attempt.result for attempt in d.attempts]}
        for d in reversed(bank.deliveries.values())
        if d.shop_id == shop_id
    ]
    return json_response(shops.shop_json(bank.shops[shop_id]) | {"deliveries": deliveries})


@post("/payments/{payment_id:str}/chargeback", status_code=200)
async def charge_back_payment(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Take money of a payment back as the payer's bank does; returns the payment.

    Body: `{"amount": {"value": "300.00", "currency": "RUB"}}`.
    """
    bank = get_bank(request)
    try:
        body = await read_json(request)
        payment = bank.payments.get(payment_id)
        if payment is None:
            raise ApiError(404, "not_found", "No such payment", "payment_id")
        with bank.transaction():
            payment = refunds.charge_back(bank, payment, body)
    except ApiError as error:
        return error_response(error)
    return json_response(payment_json(payment, bank.base_url, bank.now_us(payment.shop_id)))


@post("/refunds/{refund_id:str}", status_code=200)
async def settle_refund(request: AnyRequest, refund_id: FromPath[str]) -> Response[bytes]:
    """End a pending refund.

    Body: `{"status": "succeeded"}` or `{"status": "canceled", "reason": "…"}`.
    """
    bank = get_bank(request)
    try:
        body = await read_json(request)
        refund = bank.refunds.get(refund_id)
        if refund is None:
            raise ApiError(404, "not_found", "No such refund", "refund_id")
        if body.get("status") not in ("succeeded", "canceled"):
            raise invalid_request("succeeded or canceled is expected", "status")
        reason = str(body.get("reason", "general_decline"))
        outcome = "succeeded" if body["status"] == "succeeded" else reason
        with bank.transaction():
            refund = refunds.settle(bank, refund, outcome)
    except ApiError as error:
        return error_response(error)
    return json_response(refund_json(refund, bank.now_us(refund.shop_id)))


HANDLERS = [pay_payment, charge_back_payment, save_shop, get_shop, settle_refund]
