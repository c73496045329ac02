"""Sending an invoice by e-mail from its page, and the switch of its reminders."""

from typing import Any

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.billing import invoice_mails
from sigma.services.context import Context
from sigma.services.reminders import settings as reminder_settings
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.invoices.invoices import details_page_with_refusal
from sigma.web.cabinet.responses import read_form_values, redirect
from sigma.web.forms import first_value
from sigma.web.ids import parse_id


@post("/invoices/{invoice_id:str}/mail")
async def mail_invoice(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Send the invoice to a typed address, or with the field `to_client` to the client's own."""
    invoice_id = parse_id(invoice_id, "inv")
    form_data = await read_form_values(request)
    typed = first_value(form_data, "email")
    address = typed if typed != invoice_mails.CLIENT else ""  # typed: not an address
    if first_value(form_data, "to_client"):
        typed, address = "", invoice_mails.CLIENT
    try:
        await invoice_mails.send(ctx, session.member, invoice_id, address)
    except RefusedError as error:
        return await details_page_with_refusal(request, ctx, session, invoice_id, error, typed)
    return redirect(f"/invoices/{invoice_id}", "invoices.done_mailed")


@post("/invoices/{invoice_id:str}/reminders")
async def switch_reminders(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Switch the automatic reminders of an invoice off (`silent`) or on."""
    invoice_id = parse_id(invoice_id, "inv")
    is_silent = bool(first_value(await read_form_values(request), "silent"))
    await reminder_settings.set_silenced(ctx, session.member, invoice_id, is_silenced=is_silent)
    key = "reminders.done_silenced" if is_silent else "reminders.done_allowed"
    return redirect(f"/invoices/{invoice_id}", key)


HANDLERS = [mail_invoice, switch_reminders]
