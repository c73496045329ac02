"""One client's data: by what they are found, export, erasure."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices, payments
from sigma.services.context import Context
from sigma.services.personal_data import client_erasure, client_export, clients
from sigma.services.personal_data.clients import Identifier, IdentifierKind
from sigma.texts import Translator
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value
from sigma.web.ids import is_id, parse_id

_SECTIONS = {"cus": "customers", "pay": "payments", "inv": "invoices"}


@get("/customers/{subject_id:str}/data")
async def client_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    subject_id: FromPath[str],
) -> Response[Any]:
    """Show by what the client is found, and what can be done.

    The subject is a customer, or a payment or invoice that belongs to no customer.
    """
    subject_id = _parse_subject(subject_id)
    session.member.require(Permission.PERSONAL_DATA)
    if is_id(subject_id, "pay"):
        payment = await payments.get(ctx, session.member, subject_id)
        if payment.customer_id is not None:
            return redirect(f"/customers/{payment.customer_id}/data")
    if is_id(subject_id, "inv"):
        invoice = await invoices.get(ctx, session.member, subject_id)
        if invoice.customer_id is not None:
            return redirect(f"/customers/{invoice.customer_id}/data")
    return await _page(request, ctx, session, subject_id)


def _parse_subject(subject_id: str) -> str:
    """Return the id of a payment, invoice or customer. Raises RefusedError("not_found")."""
    is_other = is_id(subject_id, "pay") or is_id(subject_id, "inv")
    return subject_id if is_other else parse_id(subject_id, "cus")


@post("/customers/{subject_id:str}/data/export", opt=RECENT_AUTHENTICATION)
async def export_client(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    subject_id: FromPath[str],
) -> Response[Any]:
    """Send a ZIP with everything that the chosen identifiers find."""
    subject_id = _parse_subject(subject_id)
    chosen = (await read_form_values(request)).get("identifiers", [])
    try:
        archive = await client_export.export(
            ctx, session.member, subject_id, chosen, session.locale
        )
    except RefusedError as error:
        return await _refused(request, ctx, session, subject_id, chosen, error)
    headers = {"content-disposition": 'attachment; filename="client-data.zip"'}
    return Response(archive, media_type="application/zip", headers=headers)


@post("/customers/{subject_id:str}/data/erase", opt=RECENT_AUTHENTICATION)
async def erase_client(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    subject_id: FromPath[str],
) -> Response[Any]:
    """Erase everything that the chosen identifiers find, after the word of confirmation."""
    subject_id = _parse_subject(subject_id)
    form_data = await read_form_values(request)
    chosen = form_data.get("identifiers", [])
    word = translator_for(session).t("personal_data.erase_word")
    try:
        if first_value(form_data, "confirm").casefold() != word.casefold():
            raise validation_error(Problem("confirm", "confirm_word"))
        await client_erasure.erase(ctx, session.member, subject_id, chosen)
    except RefusedError as error:
        return await _refused(request, ctx, session, subject_id, chosen, error)
    return redirect("/settings/data", "settings.done_erased")


async def _refused(
    request: WebRequest,
    ctx: Context,
    session: Session,
    subject_id: str,
    chosen: list[str],
    error: RefusedError,
) -> Response[Any]:
    """Show the page again with what is wrong. Re-raises what is not about the form."""
    if error.code != "validation":
        raise error
    errors = refusal_texts(translator_for(session), error)
    return await _page(request, ctx, session, subject_id, status=422, errors=errors, chosen=chosen)


async def _page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    subject_id: str,
    *,
    status: int = 200,
    errors: dict[str, str] | None = None,
    chosen: list[str] | None = None,
) -> Response[Any]:
    identifiers = await clients.find(ctx, session.member, subject_id)
    translator = translator_for(session)
    section = _SECTIONS[subject_id.partition("_")[0]]
    back = f"/{section}/{subject_id}"
    return render_cabinet_page(
        request,
        session,
        "cabinet/customers/data.html",
        section=section,
        status=status,
        subject_id=subject_id,
        back=back,
        identifiers=[
            (
                one.key,
                _label(one, translator),
                _found_text(one, translator),
                chosen is None or one.key in chosen,
            )
            for one in identifiers
        ],
        errors=errors or {},
        hide_plus=True,
    )


def _label(identifier: Identifier, translator: Translator) -> str:
    value = identifier.label
    if identifier.kind is IdentifierKind.PHONE:
        value = translator.phone(value) or value
    return translator.t(f"personal_data.by_{identifier.kind}", name=value, value=value)


def _found_text(identifier: Identifier, translator: Translator) -> str:
    if identifier.kind is IdentifierKind.PAYMENT:
        return ""
    has_conversations = identifier.kind in (IdentifierKind.CUSTOMER, IdentifierKind.VK_USER)
    key = "found_vk" if has_conversations else "found"
    return translator.t(
        f"personal_data.{key}",
        payments=identifier.payment_count,
        conversations=identifier.conversation_count,
    )


HANDLERS = [client_page, export_client, erase_client]
