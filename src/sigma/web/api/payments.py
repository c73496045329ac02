"""API endpoints of payments: list and read. Payments start only on the payment page."""

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.accounts.member import Scope
from sigma.domain.billing.payment import Status
from sigma.domain.errors import Problem, validation_error
from sigma.services.billing import payment_views
from sigma.web.api import responses
from sigma.web.api.http import (
    ApiRequest,
    Ctx,
    CurrentMember,
    filter_choice,
    json_response,
    parse_list_query,
)
from sigma.web.api.problems import translator_for
from sigma.web.ids import is_id, parse_id

FILTERS = ("invoice_id", "status")
STATUSES = frozenset(Status)


@get("/payments", scope=Scope.PAYMENTS_READ)
async def list_payments(request: ApiRequest, ctx: Ctx, member: CurrentMember) -> Response[bytes]:
    """List the payments of the shop or of one invoice, newest first."""
    query = parse_list_query(request, "pay", FILTERS)
    invoice_id = query.filters.get("invoice_id")
    if invoice_id is not None and not is_id(invoice_id, "inv"):
        raise validation_error(Problem("invoice_id", "id"))
    page = await payment_views.list_page(
        ctx,
        member,
        invoice_id=invoice_id,
        status=filter_choice(query, "status", STATUSES),
        limit=query.limit,
        cursor=query.cursor,
    )
    translator = translator_for(request)
    data = [
        responses.payment_response(view, ctx.settings.base_url, translator) for view in page.data
    ]
    return json_response(responses.Payments(data, page.next_cursor))


@get("/payments/{payment_id:str}", scope=Scope.PAYMENTS_READ)
async def get_payment(
    request: ApiRequest, ctx: Ctx, member: CurrentMember, payment_id: FromPath[str]
) -> Response[bytes]:
    """Return one payment."""
    view = await payment_views.get(ctx, member, parse_id(payment_id, "pay"))
    return json_response(
        responses.payment_response(view, ctx.settings.base_url, translator_for(request))
    )


HANDLERS = [list_payments, get_payment]
