"""API endpoints of payments: list and read. Payments start only on the payment page."""

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.accounts.member import Scope
from sigma.domain.errors import validation_error
from sigma.domain.lists.filters import PAYMENT_PARAMETERS, parse_payment_filter
from sigma.services.billing import payment_views
from sigma.services.lists import payments
from sigma.web.api import responses
from sigma.web.api.http import (
    ApiRequest,
    Ctx,
    CurrentMember,
    filter_values,
    json_response,
    parse_list_query,
)
from sigma.web.api.problems import translator_for
from sigma.web.ids import parse_id


@get("/payments", scope=Scope.PAYMENTS_READ)
async def list_payments(request: ApiRequest, ctx: Ctx, member: CurrentMember) -> Response[bytes]:
    """List the payments that the filters find, newest first unless `sort` says otherwise."""
    query = parse_list_query(request, "pay", PAYMENT_PARAMETERS)
    wanted, problems = parse_payment_filter(filter_values(query))
    if problems:
        raise validation_error(*problems)
    page = await payments.list_ids(ctx, member, wanted, limit=query.limit, cursor=query.cursor)
    views = await payment_views.list_by_ids(ctx, member, page.ids)
    translator = translator_for(request)
    data = [responses.payment_response(view, ctx.settings.base_url, translator) for view in views]
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
