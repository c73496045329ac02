"""Payments at the API: read and list. Clients pay on the payment page only."""

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.billing.payment import Status
from sigma.domain.errors import Problem, invalid
from sigma.services.billing import payment_views as told_services
from sigma.web.api import responses
from sigma.web.api.http import ApiRequest, Ctx, Who, choice, is_id, json, read_id, read_query
from sigma.web.api.problems import words_of

FILTERS = ("invoice_id", "status")
STATUSES = frozenset(Status)


@get("/payments")
async def listing(request: ApiRequest, ctx: Ctx, member: Who) -> Response[bytes]:
    """The shop's payments, newest first; of one invoice when it is named."""
    query = read_query(request, "pay", FILTERS)
    invoice_id = query.filters.get("invoice_id")
    if invoice_id is not None and not is_id(invoice_id, "inv"):
        raise invalid(Problem("invoice_id", "id"))
    found = await told_services.listing(
        ctx,
        member,
        invoice_id=invoice_id,
        status=choice(query, "status", STATUSES),
        limit=query.limit,
        cursor=query.cursor,
    )
    words = words_of(request)
    data = [responses.payment(one, ctx.settings.base_url, words) for one in found.data]
    return json(responses.Payments(data, found.next_cursor))


@get("/payments/{payment_id:str}")
async def details(
    request: ApiRequest, ctx: Ctx, member: Who, payment_id: FromPath[str]
) -> Response[bytes]:
    """One payment."""
    found = await told_services.payment(ctx, member, read_id(payment_id, "pay"))
    return json(responses.payment(found, ctx.settings.base_url, words_of(request)))


HANDLERS = [listing, details]
