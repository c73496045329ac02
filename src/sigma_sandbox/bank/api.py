"""The API under `/bank/v3`: one line of meaning per operation; the road is in `pipeline`."""

from collections.abc import Callable

from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.bank import pagination, payments, receipts, refunds
from sigma_sandbox.bank.pipeline import Call, answer
from sigma_sandbox.bank.serializers import Refused, payment_json, receipt_json, refund_json
from sigma_sandbox.bank.store import Bank, Json, Payment, Receipt, Refund
from sigma_sandbox.responses import Asked


def _bank(request: Asked) -> Bank:
    bank = request.app.state["bank"]
    assert isinstance(bank, Bank)
    return bank


def _payment(call: Call, payment_id: str) -> Payment:
    payment = call.bank.payments.get(payment_id)
    if payment is None or payment.shop_id != call.shop.id:
        raise Refused(404, "not_found", "No such payment", "payment_id")
    return payment


def _refund(call: Call, refund_id: str) -> Refund:
    refund = call.bank.refunds.get(refund_id)
    if refund is None or refund.shop_id != call.shop.id:
        raise Refused(404, "not_found", "No such refund", "refund_id")
    return refund


def _show_payment(call: Call) -> Callable[[Payment], Json]:
    now = call.bank.now(call.shop.id)
    return lambda payment: payment_json(payment, call.bank.base_url, now)


@post("/payments", status_code=200)
async def create_payment(request: Asked) -> Response[bytes]:
    """Create a payment."""

    def work(call: Call) -> Json:
        payment_id = call.once(lambda: payments.create(call.bank, call.shop, call.body).id)
        return _show_payment(call)(call.bank.payments[payment_id])

    return await answer(request, _bank(request), "create", work)


@get("/payments/{payment_id:str}")
async def get_payment(request: Asked, payment_id: FromPath[str]) -> Response[bytes]:
    """Read a payment."""
    return await answer(
        request, _bank(request), "get", lambda call: _show_payment(call)(_payment(call, payment_id))
    )


@get("/payments")
async def list_payments(request: Asked) -> Response[bytes]:
    """A shop's payments, newest first."""

    def work(call: Call) -> Json:
        rows = call.bank.payments_of(call.shop.id)
        times = ("created_at", "captured_at")
        return pagination.page(rows, call.query, times, ("status",), _show_payment(call))

    return await answer(request, _bank(request), "list", work)


@post("/payments/{payment_id:str}/capture", status_code=200)
async def capture_payment(request: Asked, payment_id: FromPath[str]) -> Response[bytes]:
    """Take the held money."""

    def work(call: Call) -> Json:
        payment = _payment(call, payment_id)
        call.once(lambda: payments.capture(call.bank, payment, call.body).id)
        return _show_payment(call)(call.bank.payments[payment_id])

    return await answer(request, _bank(request), "capture", work)


@post("/payments/{payment_id:str}/cancel", status_code=200)
async def cancel_payment(request: Asked, payment_id: FromPath[str]) -> Response[bytes]:
    """Let the held money go."""

    def work(call: Call) -> Json:
        payment = _payment(call, payment_id)
        call.once(lambda: payments.cancel(call.bank, payment).id)
        return _show_payment(call)(call.bank.payments[payment_id])

    return await answer(request, _bank(request), "cancel", work)


@post("/refunds", status_code=200)
async def create_refund(request: Asked) -> Response[bytes]:
    """Give money back."""

    def work(call: Call) -> Json:
        refund_id = call.once(lambda: refunds.create(call.bank, call.shop, call.body).id)
        return refund_json(call.bank.refunds[refund_id], call.bank.now(call.shop.id))

    return await answer(request, _bank(request), "refund", work)


@get("/refunds/{refund_id:str}")
async def get_refund(request: Asked, refund_id: FromPath[str]) -> Response[bytes]:
    """Read a refund; a waiting one moves on when it is asked about."""

    def work(call: Call) -> Json:
        refund = refunds.poll(call.bank, _refund(call, refund_id))
        return refund_json(refund, call.bank.now(call.shop.id))

    return await answer(request, _bank(request), "get_refund", work)


@get("/refunds")
async def list_refunds(request: Asked) -> Response[bytes]:
    """A shop's refunds, newest first."""

    def work(call: Call) -> Json:
        now = call.bank.now(call.shop.id)
        rows = [r for r in call.bank.refunds.values() if r.shop_id == call.shop.id]
        equal = ("status", "payment_id")
        return pagination.page(
            rows, call.query, ("created_at",), equal, lambda r: refund_json(r, now)
        )

    return await answer(request, _bank(request), "list_refunds", work)


@post("/receipts", status_code=200)
async def create_receipt(request: Asked) -> Response[bytes]:
    """Register a separate receipt."""

    def work(call: Call) -> Json:
        receipt_id = call.once(lambda: receipts.create(call.bank, call.shop, call.body).id)
        return receipt_json(call.bank.receipts[receipt_id], call.bank.now(call.shop.id))

    return await answer(request, _bank(request), "receipt", work)


@get("/receipts/{receipt_id:str}")
async def get_receipt(request: Asked, receipt_id: FromPath[str]) -> Response[bytes]:
    """Read a receipt."""

    def work(call: Call) -> Json:
        receipt = call.bank.receipts.get(receipt_id)
        if receipt is None or receipt.shop_id != call.shop.id:
            raise Refused(404, "not_found", "No such receipt", "receipt_id")
        return receipt_json(receipt, call.bank.now(call.shop.id))

    return await answer(request, _bank(request), "get_receipt", work)


@get("/receipts")
async def list_receipts(request: Asked) -> Response[bytes]:
    """A shop's receipts, newest first."""

    def work(call: Call) -> Json:
        now = call.bank.now(call.shop.id)
        rows: list[Receipt] = [r for r in call.bank.receipts.values() if r.shop_id == call.shop.id]
        equal = ("payment_id", "refund_id")
        return pagination.page(
            rows, call.query, ("created_at",), equal, lambda r: receipt_json(r, now)
        )

    return await answer(request, _bank(request), "list_receipts", work)


@get("/me")
async def me(request: Asked) -> Response[bytes]:
    """What the key's owner is."""

    def work(call: Call) -> Json:
        return {
            "account_id": call.shop.id,
            "test": True,
            "status": "enabled",
            "fiscalization": {"enabled": True, "provider": "avanpost"},
            "fiscalization_enabled": True,
            "payment_methods": ["bank_card"],
        }

    return await answer(request, _bank(request), "me", work)


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
    me,
]
