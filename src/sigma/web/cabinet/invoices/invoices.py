"""The page of one invoice and its actions, QR codes."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.invoice import FLOW, Event, Invoice, Status
from sigma.domain.billing.question import Question
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.billing import invoice_mails, invoices, payments
from sigma.services.billing.payment_limits import connection_warnings, list_warnings
from sigma.services.context import Context
from sigma.services.invoice_cards import cards
from sigma.services.reminders import facts as reminder_facts
from sigma.texts import Translator
from sigma.texts.answers import question_label
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.qr_codes import qr_response
from sigma.web.cabinet.responses import redirect, render_cabinet_page, translator_for
from sigma.web.cabinet.timeline import timeline_item
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import first_value, parse_cursor
from sigma.web.ids import parse_id


async def redirect_to_issued(ctx: Context, member: Member, invoice: Invoice) -> Response[Any]:
    """Redirect to the page of a new invoice; green only when its link can be paid."""
    can_pay = not await connection_warnings(ctx, member)
    flash_key, tone = (
        ("invoices.done_issued", "good") if can_pay else ("invoices.done_issued_unpayable", "wait")
    )
    return redirect(f"/invoices/{invoice.id}", flash_key, tone=tone, number=invoice.number)


@get("/invoices/{invoice_id:str}")
async def invoice_details(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Show an invoice: link, payments, questions, timeline."""
    return await details_page(request, ctx, session, parse_id(invoice_id, "inv"))


async def details_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    invoice_id: str,
    errors: dict[str, str] | None = None,
    status: int = 200,
    email: str = "",
) -> Response[Any]:
    """Render the page of an invoice, with the error texts of a refused action."""
    invoice = await invoices.get(ctx, session.member, invoice_id)
    paid = await payments.list_page(ctx, session.member, invoice_id=invoice_id, limit=10)
    translator = translator_for(session)
    cursor = parse_cursor(first_value(query_values(request), "timeline"))
    timeline = await invoices.timeline(ctx, session.member, invoice_id, cursor=cursor)
    return render_cabinet_page(
        request,
        session,
        "cabinet/invoices/details.html",
        section="invoices",
        status=status,
        invoice=invoice,
        state=str(invoice.status_at(ctx.now_us())),
        url=invoices.payment_url(ctx, invoice),
        can_void=Event.VOIDED in FLOW[invoice.status] and invoice.status is not Status.VOID,
        payments=paid.data,
        invoice_cards=await cards.list_for_invoice(ctx, session.member, invoice_id),
        mailed=await invoice_mails.list_for_invoice(ctx, session.member, invoice_id),
        client_address=await invoice_mails.client_address(ctx, session.member, invoice),
        email=email,
        reminders=str(await reminder_facts.get_outlook(ctx, session.member, invoice)),
        can_answer=session.member.can(Permission.ANSWER),
        more_payments_url=f"/payments?invoice={invoice_id}" if paid.next_cursor else None,
        timeline_items=[timeline_item(event, session, translator) for event in timeline.data],
        more_timeline_url=next_page_url(
            f"/invoices/{invoice_id}", timeline.next_cursor, name="timeline"
        ),
        questions=[
            (question_label(q, translator), _question_remarks(q, translator))
            for q in invoice.questions
        ],
        message=_client_message(invoice, invoices.payment_url(ctx, invoice), translator),
        errors=errors or {},
        warnings=(await list_warnings(ctx, session.member, invoice))[invoice.id],
        can_connect=session.member.can(Permission.SETTINGS),
        hide_plus=True,
    )


def _question_remarks(question: Question, translator: Translator) -> str:
    """Return «необязательно, есть на квитанции»; "" for a required question."""
    remarks = {
        "common.optional": not question.required,
        "invoices.on_receipt": question.show_on_receipt,
    }
    return ", ".join(translator.t(key) for key, applies in remarks.items() if applies)


def _client_message(invoice: Invoice, url: str, translator: Translator) -> str:
    """Return a message for the client to copy into a chat."""
    params = {
        "title": invoice.title,
        "sum": translator.money(invoice.amount, short=True),
        "url": url,
    }
    if invoice.expires_at_us is None:
        return translator.t("invoices.message_text", **params)
    return translator.t(
        "invoices.message_due", due=translator.datetime(invoice.expires_at_us), **params
    )


@post("/invoices/{invoice_id:str}/issue")
async def issue(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Issue a draft; its link works from now on."""
    invoice_id = parse_id(invoice_id, "inv")
    try:
        invoice = await invoices.issue(ctx, session.member, invoice_id)
    except RefusedError as error:
        return await details_page_with_refusal(request, ctx, session, invoice_id, error)
    return await redirect_to_issued(ctx, session.member, invoice)


@post("/invoices/{invoice_id:str}/void")
async def void(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Void an invoice; the page asks for confirmation first."""
    invoice_id = parse_id(invoice_id, "inv")
    try:
        invoice = await invoices.void(ctx, session.member, invoice_id)
    except RefusedError as error:
        return await details_page_with_refusal(request, ctx, session, invoice_id, error)
    return redirect(f"/invoices/{invoice_id}", "invoices.done_voided", number=invoice.number)


async def details_page_with_refusal(
    request: WebRequest,
    ctx: Context,
    session: Session,
    invoice_id: str,
    error: RefusedError,
    email: str = "",
) -> Response[Any]:
    """Render the invoice with the reason of a refusal. Re-raises "forbidden" and "not_found".

    `email`: the address as it was typed.

    The text `invoices.refused_{code}`, written for sellers, is preferred to the general one.
    """
    if error.code in ("forbidden", "not_found"):
        raise error
    translator = translator_for(session)
    key = f"invoices.refused_{error.code}"
    message = translator.t(key) if translator.has(key) else translator.refusal_text(error)
    if error.problems:
        message = " ".join(translator.problem_text(problem) for problem in error.problems)
    errors = {"": message}
    if any(problem.field == "email" for problem in error.problems):
        errors["email"] = message
    return await details_page(request, ctx, session, invoice_id, errors, error.http_status, email)


@get("/invoices/{invoice_id:str}/qr.svg")
async def qr_svg(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[bytes]:
    """Return the QR code of the link as SVG. Dark on white in every theme, for cameras."""
    invoice = await invoices.get(ctx, session.member, parse_id(invoice_id, "inv"))
    return await qr_response(invoices.payment_url(ctx, invoice), "svg", "")


@get("/invoices/{invoice_id:str}/qr.png")
async def qr_png(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[bytes]:
    """Return the QR code of the link as a PNG download, to print or to send."""
    invoice = await invoices.get(ctx, session.member, parse_id(invoice_id, "inv"))
    name = translator_for(session).t("invoices.qr_file", number=invoice.number)
    return await qr_response(invoices.payment_url(ctx, invoice), "png", name)


HANDLERS = [invoice_details, issue, void, qr_svg, qr_png]
