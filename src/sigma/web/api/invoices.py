"""API endpoints of invoices: issue, list, read, void."""

from collections.abc import Callable

from litestar import Response, get, post
from litestar.params import FromPath

from sigma.domain.accounts.member import Member, Scope
from sigma.domain.billing.invoice import Draft, Invoice, Status
from sigma.domain.errors import validation_error
from sigma.domain.lists.filters import INVOICE_PARAMETERS, parse_invoice_filter
from sigma.services.billing import invoices
from sigma.services.billing.payment_limits import connection_warnings, list_warnings
from sigma.services.context import Context
from sigma.services.lists import invoices as invoice_lists
from sigma.web.api import responses
from sigma.web.api.body import parse_body, parse_outside_loop
from sigma.web.api.http import (
    ApiRequest,
    Ctx,
    CurrentMember,
    encode,
    filter_values,
    json_response,
    parse_list_query,
    read_idempotency,
    read_json,
    respond_once,
)
from sigma.web.api.problems import translator_for
from sigma.web.api.requests import InvoiceRequest, parse_draft
from sigma.web.ids import parse_id


async def _responses(
    request: ApiRequest, ctx: Context, member: Member, *issued: Invoice
) -> list[responses.InvoiceResponse]:
    warnings = await list_warnings(ctx, member, *issued)
    now_us, translator = ctx.now_us(), translator_for(request)
    return [
        responses.invoice_response(
            invoice, invoices.payment_url(ctx, invoice), now_us, warnings[invoice.id], translator
        )
        for invoice in issued
    ]


async def _body_renderer(
    request: ApiRequest, ctx: Context, member: Member
) -> Callable[[Invoice], str]:
    """Return the function that builds the body to store: with status and warnings at this time.

    The connection is read before: the body is built inside the transaction.
    """
    now_us, translator = ctx.now_us(), translator_for(request)
    warnings_of_open = await connection_warnings(ctx, member)

    def render(invoice: Invoice) -> str:
        url = invoices.payment_url(ctx, invoice)
        is_open = invoice.status_at(now_us) is Status.OPEN
        warnings = warnings_of_open if is_open else ()
        response = responses.invoice_response(invoice, url, now_us, warnings, translator)
        return encode(response).decode()

    return render


@post("/invoices", scope=Scope.INVOICES_WRITE)
async def create_invoice(request: ApiRequest, ctx: Ctx, member: CurrentMember) -> Response[bytes]:
    """Issue an invoice."""
    body = await read_json(request)

    def parse() -> Draft:
        content, problems = parse_body(InvoiceRequest, body)
        return parse_draft(content, ctx.now_us(), problems)

    draft = await parse_outside_loop(parse, body)
    render = await _body_renderer(request, ctx, member)
    idempotency = read_idempotency(request, member, body, status=201, render=render)
    return await respond_once(
        ctx, idempotency, lambda: invoices.create(ctx, member, draft, idempotency=idempotency)
    )


@get("/invoices", scope=Scope.INVOICES_READ)
async def list_invoices(request: ApiRequest, ctx: Ctx, member: CurrentMember) -> Response[bytes]:
    """List the invoices that the filters find, newest first unless `sort` says otherwise."""
    query = parse_list_query(request, "inv", INVOICE_PARAMETERS)
    wanted, problems = parse_invoice_filter(filter_values(query))
    if problems:
        raise validation_error(*problems)
    page = await invoice_lists.list_page(
        ctx, member, wanted, limit=query.limit, cursor=query.cursor
    )
    data = await _responses(request, ctx, member, *(row.invoice for row in page.data))
    return json_response(responses.Invoices(data, page.next_cursor))


@get("/invoices/{invoice_id:str}", scope=Scope.INVOICES_READ)
async def get_invoice(
    request: ApiRequest, ctx: Ctx, member: CurrentMember, invoice_id: FromPath[str]
) -> Response[bytes]:
    """Return one invoice."""
    invoice = await invoices.get(ctx, member, parse_id(invoice_id, "inv"))
    (response,) = await _responses(request, ctx, member, invoice)
    return json_response(response)


@post("/invoices/{invoice_id:str}/void", scope=Scope.INVOICES_WRITE, status_code=200)
async def void_invoice(
    request: ApiRequest, ctx: Ctx, member: CurrentMember, invoice_id: FromPath[str]
) -> Response[bytes]:
    """Void an open invoice."""
    known_id = parse_id(invoice_id, "inv")

    render = await _body_renderer(request, ctx, member)
    idempotency = read_idempotency(request, member, await request.body(), status=200, render=render)
    return await respond_once(
        ctx, idempotency, lambda: invoices.void(ctx, member, known_id, idempotency=idempotency)
    )


HANDLERS = [create_invoice, list_invoices, get_invoice, void_invoice]
