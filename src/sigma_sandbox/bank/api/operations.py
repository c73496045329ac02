"""The operations of the API under `/bank/v3`. `pipeline` does what all of them share."""

from collections.abc import Callable

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.bank import payments, receipts, refunds
from sigma_sandbox.bank.api import pagination
from sigma_sandbox.bank.api.pipeline import ApiCall, serve
from sigma_sandbox.bank.errors import ApiError
from sigma_sandbox.bank.http import get_bank
from sigma_sandbox.bank.serializers import payment_json, receipt_json, refund_json
from sigma_sandbox.bank.store import Json, Payment, Receipt, Refund
from sigma_sandbox.responses import AnyRequest

# Query names of the time filters, and the fields they read.
PAYMENT_TIMES: dict[str, Callable[[Payment], int | None]] = {
    "created_at": lambda payment: payment.created_at_us,
    "captured_at": lambda payment: payment.captured_at_us,
}
REFUND_TIMES: dict[str, Callable[[Refund], int | None]] = {
    "created_at": lambda refund: refund.created_at_us
}
RECEIPT_TIMES: dict[str, Callable[[Receipt], int | None]] = {
    "created_at": lambda receipt: receipt.created_at_us
}


def _require_payment(call: ApiCall, payment_id: str) -> Payment:
    payment = call.bank.payments.get(payment_id)
    if payment is None or payment.shop_id != call.shop.id:
        raise ApiError(404, "not_found", "No such payment", "payment_id")
    return payment


def _require_refund(call: ApiCall, refund_id: str) -> Refund:
    refund = call.bank.refunds.get(refund_id)
    if refund is None or refund.shop_id != call.shop.id:
        raise ApiError(404, "not_found", "No such refund", "refund_id")
    return refund


def _payment_serializer(call: ApiCall) -> Callable[[Payment], Json]:
    now_us = call.bank.now_us(call.shop.id)
    return lambda payment: payment_json(payment, call.bank.base_url, now_us)


@post("/payments", status_code=200)
async def create_payment(request: AnyRequest) -> Response[bytes]:
    """Create a payment."""

    def handler(call: ApiCall) -> Json:
        payment_id = call.run_once(lambda: payments.create(call.bank, call.shop, call.body).id)
        return _payment_serializer(call)(call.bank.payments[payment_id])

    return await serve(request, get_bank(request), "create", handler)


@get("/payments/{payment_id:str}")
async def get_payment(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Return a payment."""
    return await serve(
        request,
        get_bank(request),
        "get",
        lambda call: _payment_serializer(call)(_require_payment(call, payment_id)),
    )


@get("/payments")
async def list_payments(request: AnyRequest) -> Response[bytes]:
    """List the shop's payments, newest first."""

    def handler(call: ApiCall) -> Json:
        rows = call.bank.list_payments(call.shop.id)
        to_json = _payment_serializer(call)
        return pagination.paginate(rows, call.query, PAYMENT_TIMES, ("status",), to_json)

    return await serve(request, get_bank(request), "list", handler)


@post("/payments/{payment_id:str}/capture", status_code=200)
async def capture_payment(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Capture a held payment, in full or in part."""

    def handler(call: ApiCall) -> Json:
        payment = _require_payment(call, payment_id)
        call.run_once(lambda: payments.capture(call.bank, payment, call.body).id)
        return _payment_serializer(call)(call.bank.payments[payment_id])

    return await serve(request, get_bank(request), "capture", handler)


@post("/payments/{payment_id:str}/cancel", status_code=200)
async def cancel_payment(request: AnyRequest, payment_id: FromPath[str]) -> Response[bytes]:
    """Cancel a held payment."""

    def handler(call: ApiCall) -> Json:
        payment = _require_payment(call, payment_id)
        call.run_once(lambda: payments.cancel(call.bank, payment).id)
        return _payment_serializer(call)(call.bank.payments[payment_id])

    return await serve(request, get_bank(request), "cancel", handler)


@post("/refunds", status_code=200)
async def create_refund(request: AnyRequest) -> Response[bytes]:
    """Create a refund."""

    def handler(call: ApiCall) -> Json:
        refund_id = call.run_once(lambda: refunds.create(call.bank, call.shop, call.body).id)
        return refund_json(call.bank.refunds[refund_id], call.bank.now_us(call.shop.id))

    return await serve(request, get_bank(request), "refund", handler)


@get("/refunds/{refund_id:str}")
async def get_refund(request: AnyRequest, refund_id: FromPath[str]) -> Response[bytes]:
    """Return a refund. Each read counts down the polls of a pending one (REFUND_PENDING)."""

    def handler(call: ApiCall) -> Json:
        refund = refunds.poll(call.bank, _require_refund(call, refund_id))
        return refund_json(refund, call.bank.now_us(call.shop.id))

    return await serve(request, get_bank(request), "get_refund", handler)


@get("/refunds")
async def list_refunds(request: AnyRequest) -> Response[bytes]:
    """List the shop's refunds, newest first."""

    def handler(call: ApiCall) -> Json:
        now_us = call.bank.now_us(call.shop.id)
        rows = [r for r in call.bank.refunds.values() if r.shop_id == call.shop.id]
        equal = ("status", "payment_id")
        return pagination.paginate(
            rows, call.query, REFUND_TIMES, equal, lambda r: refund_json(r, now_us)
        )

    return await serve(request, get_bank(request), "list_refunds", handler)


@post("/receipts", status_code=200)
async def create_receipt(request: AnyRequest) -> Response[bytes]:
    """Create a separate receipt."""

    def handler(call: ApiCall) -> Json:
        receipt_id = call.run_once(lambda: receipts.create(call.bank, call.shop, call.body).id)
        return receipt_json(call.bank.receipts[receipt_id], call.bank.now_us(call.shop.id))

    return await serve(request, get_bank(request), "receipt", handler)


@get("/receipts/{receipt_id:str}")
async def get_receipt(request: AnyRequest, receipt_id: FromPath[str]) -> Response[bytes]:
    """Return a receipt."""

    def handler(call: ApiCall) -> Json:
        receipt = call.bank.receipts.get(receipt_id)
        if receipt is None or receipt.shop_id != call.shop.id:
            raise ApiError(404, "not_found", "No such receipt", "receipt_id")
        return receipt_json(receipt, call.bank.now_us(call.shop.id))

    return await serve(request, get_bank(request), "get_receipt", handler)


@get("/receipts")
async def list_receipts(request: AnyRequest) -> Response[bytes]:
    """List the shop's receipts, newest first."""

    def handler(call: ApiCall) -> Json:
        now_us = call.bank.now_us(call.shop.id)
        rows: list[Receipt] = [r for r in call.bank.receipts.values() if r.shop_id == call.shop.id]
        equal = ("payment_id", "refund_id")
        return pagination.paginate(
            rows, call.query, RECEIPT_TIMES, equal, lambda r: receipt_json(r, now_us)
        )

    return await serve(request, get_bank(request), "list_receipts", handler)


@get("/me")
async def get_me(request: AnyRequest) -> Response[bytes]:
    """Return the settings of the shop that the credentials belong to."""

    def handler(call: ApiCall) -> Json:
        return {
            "account_id": call.shop.id,
            "test": True,
            "status": "enabled",
            "fiscalization": {"enabled": True, "provider": "avanpost"},
            "fiscalization_enabled": True,
            "payment_methods": ["bank_card"],
        }

    return await serve(request, get_bank(request), "me", handler)


HANDLERS = [
    create_payment,
    get_payment,
    list_payments,
    capture_payment,
    cancel_payment,
    create_refund,
    get_refund,
    list_refunds,
    create_receipt,
    get_receipt,
    list_receipts,
    get_me,
]
