"""What all API operations share: authentication, fault injection, errors.

The order is fixed: authenticate the shop, delay, faults before the operation, the operation (once
per idempotency key), faults after it. So CUT_ANSWER means that the operation has been done and only
the response is lost.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from litestar import Response

from sigma_sandbox.bank import payments
from sigma_sandbox.bank.api import idempotency
from sigma_sandbox.bank.errors import ApiError
from sigma_sandbox.bank.http import error_response, read_json
from sigma_sandbox.bank.store import Bank, Json, Shop
from sigma_sandbox.faults import Effect, FaultRules
from sigma_sandbox.responses import AnyRequest, json_response
from sigma_sandbox.server import abort_connection

TEST_SECRET_PREFIX = "test_"


@dataclass(frozen=True)
class ApiCall:
    """An authenticated API request. `body` and `idempotency_key` are empty for GET."""

    bank: Bank
    shop: Shop
    query: Mapping[str, str]
    body: Json
    idempotency_key: str
    endpoint: str

    def run_once(self, create_object: Callable[[], str]) -> str:
        """Run `create_object` once per idempotency key; returns the id of the created object."""
        return idempotency.run_once(
            self.bank, self.shop.id, self.idempotency_key, self.endpoint, self.body, create_object
        )


async def serve(
    request: AnyRequest, bank: Bank, operation: str, handler: Callable[[ApiCall], Json]
) -> Response[bytes]:
    """Serve one API operation with the faults that `/control` sets for it.

    `operation` is the name that rules use in `on`: create, get, list, capture and so on.
    `handler` returns the response JSON or raises ApiError.
    """
    try:
        shop = authenticate(bank, request.headers.get("authorization", ""))
    except ApiError as error:
        return error_response(error)
    faults = bank.faults
    delay_ms = faults.consume(Effect.DELAY_MS, operation, shop.id)
    if delay_ms:
        await asyncio.sleep(delay_ms / 1000)
    fault = await _fault_before(request, faults, operation, shop.id)
    if fault is not None:
        return fault
    try:
        call = await _read_call(request, bank, shop)
        with bank.transaction():
            payments.expire_due(bank, shop.id)
            result = handler(call)
    except ApiError as error:
        return error_response(error)
    return await _fault_after(request, faults, operation, shop.id, result)


def authenticate(bank: Bank, header: str) -> Shop:
    """Authenticate by HTTP Basic `shop_id:secret`; any secret that starts with `test_` is accepted.

    The shop is created if it is new. Raises ApiError (401).
    """
    scheme, _, encoded = header.partition(" ")
    try:
        shop_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        shop_id = secret = ""
    if scheme.lower() != "basic" or not shop_id or not secret.startswith(TEST_SECRET_PREFIX):
        raise ApiError(401, "invalid_credentials", "Basic shop id and a test_ secret are expected")
    return bank.get_or_create_shop(shop_id)


async def _read_call(request: AnyRequest, bank: Bank, shop: Shop) -> ApiCall:
    body: Json = {}
    key = ""
    if request.method == "POST":
        key = idempotency.require_key(request.headers.get(idempotency.HEADER))
        body = await read_json(request)
    endpoint = f"{request.method} {request.url.path}"
    return ApiCall(bank, shop, dict(request.query_params), body, key, endpoint)


async def _fault_before(
    request: AnyRequest, faults: FaultRules, operation: str, shop_id: str
) -> Response[bytes] | None:
    if faults.consume(Effect.HTTP_429, operation, shop_id):
        return error_response(ApiError(429, "too_many_requests", "Too many requests"))
    if faults.consume(Effect.HTTP_500_BEFORE, operation, shop_id):
        return error_response(ApiError(500, "internal_server_error", "Nothing was done"))
    if faults.consume(Effect.CUT_REQUEST, operation, shop_id):
        await abort_connection(request.scope)
        return error_response(ApiError(500, "internal_server_error", "The connection is cut"))
    return None


async def _fault_after(
    request: AnyRequest, faults: FaultRules, operation: str, shop_id: str, result: Json
) -> Response[bytes]:
    if faults.consume(Effect.CUT_ANSWER, operation, shop_id):
        await abort_connection(request.scope)
        return error_response(ApiError(500, "internal_server_error", "The connection is cut"))
    if faults.consume(Effect.HTTP_500_AFTER, operation, shop_id):
        return error_response(ApiError(500, "internal_server_error", "The answer is lost"))
    if faults.consume(Effect.GARBAGE, operation, shop_id):
        page = b"<!doctype html><title>502</title><h1>Bad Gateway</h1>"
        return Response(page, status_code=200, media_type="text/html")
    retry_after = faults.consume(Effect.HTTP_202, operation, shop_id)
    if retry_after is not None:
        processing = {"type": "processing", "description": "Repeat with the same key"}
        return json_response(processing | {"retry_after": retry_after}, 202)
    _falsify(faults, operation, shop_id, result.get("items", [result]))
    return json_response(result)


def _falsify(faults: FaultRules, operation: str, shop_id: str, items: list[Json]) -> None:
    """Change the money of the objects in an answer; the stored objects stay right."""
    for effect, field in ((Effect.WRONG_AMOUNT, "value"), (Effect.WRONG_CURRENCY, "currency")):
        wrong_value = faults.consume(effect, operation, shop_id)
        if wrong_value is not None:
            for item in items:
                if "amount" in item:
                    item["amount"] = item["amount"] | {field: wrong_value}
    if faults.consume(Effect.NO_INCOME, operation, shop_id):
        for item in items:
            item.pop("income_amount", None)
