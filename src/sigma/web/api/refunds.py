"""API endpoints of refunds: request, list, read."""

from litestar import Response, get, post
from litestar.params import FromPath

from sigma.domain.accounts.member import Scope
from sigma.domain.billing.refund import Refund
from sigma.services.billing import refunds
from sigma.web.api import responses
from sigma.web.api.body import parse_body, parse_outside_loop
from sigma.web.api.http import (
    ApiRequest,
    Ctx,
    CurrentMember,
    encode,
    json_response,
    read_idempotency,
    read_json,
    respond_once,
)
from sigma.web.api.problems import translator_for
from sigma.web.api.requests import RefundRequest, parse_refund
from sigma.web.ids import parse_id


@post("/payments/{payment_id:str}/refunds", scope=Scope.REFUNDS_WRITE)
async def create_refund(
    request: ApiRequest, ctx: Ctx, member: CurrentMember, payment_id: FromPath[str]
) -> Response[bytes]:
    """Request a refund. It is stored as pending; a job sends it to the acquirer."""
    known_id = parse_id(payment_id, "pay")
    body = await read_json(request)
    amount, reason = await parse_outside_loop(
        lambda: parse_refund(*parse_body(RefundRequest, body)), body
    )
    translator = translator_for(request)

    def render(created: Refund) -> str:
        return encode(responses.refund_response(created, translator)).decode()

    idempotency = read_idempotency(request, member, body, status=201, render=render)
    return await respond_once(
        ctx,
        idempotency,
        lambda: refunds.request(ctx, member, known_id, amount, reason, idempotency=idempotency),
    )


@get("/payments/{payment_id:str}/refunds", scope=Scope.REFUNDS_READ)
async def list_refunds(
    request: ApiRequest, ctx: Ctx, member: CurrentMember, payment_id: FromPath[str]
) -> Response[bytes]:
    """List all refunds of a payment, oldest first."""
    data = await refunds.list_for_payment(ctx, member, parse_id(payment_id, "pay"))
    translator = translator_for(request)
    return json_response(
        responses.Refunds([responses.refund_response(refund, translator) for refund in data], None)
    )


@get("/refunds/{refund_id:str}", scope=Scope.REFUNDS_READ)
async def get_refund(
    request: ApiRequest, ctx: Ctx, member: CurrentMember, refund_id: FromPath[str]
) -> Response[bytes]:
    """Return one refund."""
    refund = await refunds.get(ctx, member, parse_id(refund_id, "ref"))
    return json_response(responses.refund_response(refund, translator_for(request)))


HANDLERS = [create_refund, list_refunds, get_refund]
