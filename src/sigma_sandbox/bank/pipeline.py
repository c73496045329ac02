"""One request to the API from the door to the answer: who asks, what goes wrong, what is done.

The order is fixed: the shop, the delay, refusals before work, the work (once per key), lost or
spoiled answers after it. So "the work is done and the answer is lost" is exactly that.
"""

import asyncio
import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from litestar import Response

from sigma_sandbox.bank import idempotency, payments
from sigma_sandbox.bank.serializers import Refused, error_json, invalid
from sigma_sandbox.bank.store import Bank, Json, Shop
from sigma_sandbox.faults import Control, Effect
from sigma_sandbox.responses import Asked, json_response
from sigma_sandbox.server import cut

MAX_BODY = 1_000_000
TEST_SECRET = "test_"


@dataclass(frozen=True)
class Call:
    """What a handler works with."""

    bank: Bank
    shop: Shop
    query: Mapping[str, str]
    body: Json
    key: str
    what: str

    def once(self, work: Callable[[], str]) -> str:
        """Do `work` once for this call's idempotence key; gives the object's id."""
        return idempotency.once(self.bank, self.shop.id, self.key, self.what, self.body, work)


async def answer(
    request: Asked, bank: Bank, operation: str, work: Callable[[Call], Json]
) -> Response[bytes]:
    """Serve one operation of the API, with all the misbehaviour `/control` asks for."""
    try:
        shop = sign_in(bank, request.headers.get("authorization", ""))
    except Refused as refused:
        return refusal(refused)
    control = bank.control
    delay = control.take(Effect.DELAY_MS, operation, shop.id)
    if delay:
        await asyncio.sleep(delay / 1000)
    early = await _before(request, control, operation, shop.id)
    if early is not None:
        return early
    try:
        call = await _call(request, bank, shop)
        with bank.together():
            payments.expire_due(bank, shop.id)
            done = work(call)
    except Refused as refused:
        return refusal(refused)
    return await _after(request, control, operation, shop.id, done)


def sign_in(bank: Bank, header: str) -> Shop:
    """HTTP Basic `shop id:secret`. Any secret that starts with `test_` opens the shop of that id.

    Raises Refused (401).
    """
    scheme, _, encoded = header.partition(" ")
    try:
        shop_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        shop_id = secret = ""
    if scheme.lower() != "basic" or not shop_id or not secret.startswith(TEST_SECRET):
        raise Refused(401, "invalid_credentials", "Basic shop id and a test_ secret are expected")
    return bank.shop(shop_id)


def refusal(refused: Refused) -> Response[bytes]:
    """The error envelope with a fresh id."""
    return json_response(error_json(refused, str(uuid.uuid4())), refused.status)


async def read_json(request: Asked) -> Json:
    """The body as a JSON object; an empty body is an empty object. Raises Refused."""
    raw = await request.body()
    if len(raw) > MAX_BODY:
        raise invalid("The body is too large")
    if not raw:
        return {}
    if "json" not in request.headers.get("content-type", ""):
        raise Refused(415, "invalid_request", "Content-Type: application/json is expected")
    try:
        body = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        raise invalid("The body is not JSON") from None
    if not isinstance(body, dict):
        raise invalid("A JSON object is expected")
    return body


async def _call(request: Asked, bank: Bank, shop: Shop) -> Call:
    body: Json = {}
    key = ""
    if request.method == "POST":
        key = idempotency.check(request.headers.get(idempotency.HEADER))
        body = await read_json(request)
    what = f"{request.method} {request.url.path}"
    return Call(bank, shop, dict(request.query_params), body, key, what)


async def _before(
    request: Asked, control: Control, operation: str, shop_id: str
) -> Response[bytes] | None:
    if control.take(Effect.HTTP_429, operation, shop_id):
        return refusal(Refused(429, "too_many_requests", "Too many requests"))
    if control.take(Effect.HTTP_500_BEFORE, operation, shop_id):
        return refusal(Refused(500, "internal_server_error", "Nothing was done"))
    if control.take(Effect.CUT_REQUEST, operation, shop_id):
        await cut(request.scope)
        return refusal(Refused(500, "internal_server_error", "The connection is cut"))
    return None


async def _after(
    request: Asked, control: Control, operation: str, shop_id: str, done: Json
) -> Response[bytes]:
    if control.take(Effect.CUT_ANSWER, operation, shop_id):
        await cut(request.scope)
        return refusal(Refused(500, "internal_server_error", "The connection is cut"))
    if control.take(Effect.HTTP_500_AFTER, operation, shop_id):
        return refusal(Refused(500, "internal_server_error", "The answer is lost"))
    if control.take(Effect.GARBAGE, operation, shop_id):
        page = b"<!doctype html><title>502</title><h1>Bad Gateway</h1>"
        return Response(page, status_code=200, media_type="text/html")
    retry_after = control.take(Effect.HTTP_202, operation, shop_id)
    if retry_after is not None:
        processing = {"type": "processing", "description": "Repeat with the same key"}
        return json_response(processing | {"retry_after": retry_after}, 202)
    for effect, field in ((Effect.WRONG_AMOUNT, "value"), (Effect.WRONG_CURRENCY, "currency")):
        said = control.take(effect, operation, shop_id)
        if said is not None:
            for thing in done.get("items", [done]):
                if "amount" in thing:
                    thing["amount"] = thing["amount"] | {field: said}
    return json_response(done)
