"""Invoices at the API: issue, read, list, void."""

from litestar import Response, get, post
from litestar.params import FromPath

from sigma.domain.billing.invoice import Invoice, Status
from sigma.services.billing import invoices
from sigma.services.context import Context
from sigma.services.platform.idempotency import Remember
from sigma.web.api import responses
from sigma.web.api.body import read
from sigma.web.api.http import ApiRequest, Ctx, Who, choice, encode, json, once, read_id, read_query
from sigma.web.api.requests import INVOICE, read_draft

FILTERS = ("status", "query")
STATUSES = frozenset(Status)


def _told(ctx: Context, invoice: Invoice) -> responses.InvoiceTold:
    return responses.invoice(invoice, invoices.payment_url(ctx, invoice), ctx.now())


@post("/invoices")
async def create(request: ApiRequest, ctx: Ctx, member: Who) -> Response[bytes]:
    """Issues an invoice."""
    body = await request.body()
    draft = read_draft(read(INVOICE, body), ctx.now())

    async def act(remember: Remember) -> object:
        return await invoices.create(
            ctx,
            member,
            draft,
            remember=lambda made: remember(201, encode(_told(ctx, made)).decode()),
        )

    return await once(ctx, member, request, body, act)


@get("/invoices")
async def listing(request: ApiRequest, ctx: Ctx, member: Who) -> Response[bytes]:
    """The shop's invoices, newest first."""
    query = read_query(request, "inv", FILTERS)
    found = await invoices.listing(
        ctx,
        member,
        status=choice(query, "status", STATUSES),
        query=query.filters.get("query", "")[:100],
        limit=query.limit,
        cursor=query.cursor,
    )
    return json(responses.Invoices([_told(ctx, one) for one in found.data], found.next_cursor))


@get("/invoices/{invoice_id:str}")
async def details(ctx: Ctx, member: Who, invoice_id: FromPath[str]) -> Response[bytes]:
    """One invoice."""
    return json(_told(ctx, await invoices.get(ctx, member, read_id(invoice_id, "inv"))))


@post("/invoices/{invoice_id:str}/void", status_code=200)
async def void(
    request: ApiRequest, ctx: Ctx, member: Who, invoice_id: FromPath[str]
) -> Response[bytes]:
    """Calls an invoice off."""
    known = read_id(invoice_id, "inv")

    async def act(remember: Remember) -> object:
        return await invoices.void(
            ctx,
            member,
            known,
            remember=lambda voided: remember(200, encode(_told(ctx, voided)).decode()),
        )

    return await once(ctx, member, request, await request.body(), act)


HANDLERS = [create, listing, details, void]
