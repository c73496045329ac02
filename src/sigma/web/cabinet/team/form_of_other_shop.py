"""The page for a form that was opened in another shop than the session's current one.

Another tab has switched the shop. The page keeps the form in hidden fields; `own_shops.switch_shop`
opens the form's shop and answers with a 307 redirect, so that the browser sends the form there.
"""

from typing import Any

from litestar import Request
from litestar.response import Response

from sigma.domain.accounts.form_token import form_token
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.web.cabinet.responses import render_cabinet_page
from sigma.web.submitted_form import submitted_fields

FORM_URL_FIELD = "switched_form_url"
FORM_SHOP_FIELD = "switched_form_shop"


def form_of_other_shop_page(
    request: Request[Any, Any, Any], session: Session, error: RefusedError
) -> Response[Any]:
    """Return the page. Files cannot be kept: then it only offers to open the shop."""
    shop_id = str(error.params["shop_id"])
    fields = submitted_fields(request, has_secrets=True)
    path, query = request.url.path, request.url.query
    own = ("csrf", FORM_URL_FIELD, FORM_SHOP_FIELD)
    return render_cabinet_page(
        request,
        session,
        "cabinet/team/form_of_other_shop.html",
        section="settings",
        status=error.http_status,
        other_name=error.params["shop"],
        other_id=shop_id,
        other_token=form_token(session.form_key, shop_id),
        form_url=(f"{path}?{query}" if query else path) if fields is not None else "",
        fields=[(name, value) for name, value in fields or () if name not in own],
        hide_plus=True,
    )
