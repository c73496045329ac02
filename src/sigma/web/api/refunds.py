"""Refunds at the API: ask for money back, and see what became of it."""

from litestar import Response, get, post
from litestar.params import FromPath

from sigma.services.billing import refunds
from sigma.services.platform.idempotency import Remember
from sigma.web.api import responses
from sigma.web.api.body import read
from sigma.web.api.http import ApiRequest, Ctx, Who, encode, json, once, read_id
from sigma.web.api.problems import words_of
from sigma.web.api.requests import REFUND, read_amount


@post("/payments/{payment_id:str}/refunds")
async def create(
    request: ApiRequest, ctx: Ctx, member: Who, payment_id: FromPath[str]
) -> Response[bytes]:
    """Promises money back."""
    known = read_id(payment_id, "pay")
    body = await request.body()
    asked = read(REFUND, body)
    amount = read_amount(asked.amount)
    words = words_of(request)

    async def act(remember: Remember) -> object:
        return await refunds.request(
            ctx,
            member,
            known,
            amount,
            asked.reason,
            remember=lambda made: remember(201, encode(responses.refund(made, words)).decode()),
        )

    return await once(ctx, member, request, body, act)


@get("/payments/{payment_id:str}/refunds")
async def listing(
    request: ApiRequest, ctx: Ctx, member: Who, payment_id: FromPath[str]
) -> Response[bytes]:
    """All refunds of a payment, oldest first."""
    found = await refunds.of_payment(ctx, member, read_id(payment_id, "pay"))
    words = words_of(request)
    return json(responses.Refunds([responses.refund(one, words) for one in found], None))


@get("/refunds/{refund_id:str}")
async def details(
    request: ApiRequest, ctx: Ctx, member: Who, refund_id: FromPath[str]
) -> Response[bytes]:
    """One refund."""
    found = await refunds.get(ctx, member, read_id(refund_id, "ref"))
    return json(responses.refund(found, words_of(request)))


HANDLERS = [create, listing, details]
