"""One service: its form with photo and questions, and a preview of its public page."""

from dataclasses import replace
from typing import Any

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.catalogue.service import (
    PriceKind,
    Service,
    ServiceFields,
    grouped,
    thumbnail_id,
)
from sigma.domain.errors import Problem, RefusedError
from sigma.services.accounts.users import Session
from sigma.services.catalogue import image_processing, services
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Storefront
from sigma.services.context import Context
from sigma.texts.formats import currency_sign
from sigma.web.cabinet.form_idempotency import (
    form_idempotency,
    new_nonce,
    read_nonce,
    run_form_once,
)
from sigma.web.cabinet.guards import NO_STORE_HEADERS, WebRequest
from sigma.web.cabinet.invoices.form import CUSTOM_KINDS
from sigma.web.cabinet.invoices.form_edit import focus_after_edit, is_edit_button
from sigma.web.cabinet.responses import (
    problem_texts,
    read_form_values,
    redirect,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.services.form import (
    ServiceForm,
    apply_form_button,
    form_from_service,
    parse_service_fields,
    parse_service_form,
    preview_service,
)
from sigma.web.cabinet.services.services import service_urls
from sigma.web.forms import FormValues, first_value
from sigma.web.ids import parse_id
from sigma.web.rendering import render
from sigma.web.storefront.view_models import service_context

MAX_BODY_BYTES = image_processing.MAX_BYTES + 512 * 1024  # the photo and the other fields


@get("/services/new")
async def new_service(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show an empty form."""
    session.member.require(Permission.CATALOGUE)
    return await _form_page(request, ctx, session, None, ServiceForm(), new_nonce())


@get("/services/{service_id:str}")
async def service_details(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """Show a service with its links; members who can edit it get the form."""
    service = await services.get(ctx, session.member, parse_id(service_id, "svc"))
    return await _form_page(request, ctx, session, service, form_from_service(service), "")


@post("/services/new", request_max_body_size=MAX_BODY_BYTES)
async def create_service(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Create the service; buttons other than "save" only change the form."""
    return await _handle_form(request, ctx, session, None)


@post("/services/{service_id:str}", request_max_body_size=MAX_BODY_BYTES)
async def save_service(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """Save the service; buttons other than "save" only change the form."""
    service = await services.get(ctx, session.member, parse_id(service_id, "svc"))
    return await _handle_form(request, ctx, session, service)


async def _handle_form(
    request: WebRequest, ctx: Context, session: Session, service: Service | None
) -> Response[Any]:
    session.member.require(Permission.CATALOGUE)
    form_data = await read_form_values(request)
    form, button = parse_service_form(form_data), first_value(form_data, "do")
    if button == "photo-remove":
        form = replace(form, photo_id="")
        return await _form_page(
            request, ctx, session, service, form, read_nonce(form_data), focus="photo"
        )
    form, problems = await _store_photo(request, ctx, session, form)
    if is_edit_button(button):
        focus = focus_after_edit(form.invoice_form, button)
        form = apply_form_button(form, button)
        return await _form_page(
            request, ctx, session, service, form, read_nonce(form_data), focus=focus
        )
    fields, form_problems = parse_service_fields(form, tz=session.shop.tz, now_us=ctx.now_us())
    problems += form_problems
    if problems or button != "save":
        nonce = read_nonce(form_data)
        return await _form_page(request, ctx, session, service, form, nonce, problems)
    try:
        return await _save(ctx, session, service, form_data, fields)
    except RefusedError as error:
        if not error.problems:
            raise
        problems = list(error.problems)
        return await _form_page(
            request, ctx, session, service, form, read_nonce(form_data), problems
        )


async def _store_photo(
    request: WebRequest, ctx: Context, session: Session, form: ServiceForm
) -> tuple[ServiceForm, list[Problem]]:
    """Store an uploaded photo at once, even if other fields are invalid; return form, problems."""
    upload = (await request.form()).get("photo")
    if not isinstance(upload, UploadFile) or not (data := await upload.read()):
        return form, []
    try:
        photo = await services.add_photo(ctx, session.member, data, upload.filename)
    except RefusedError as error:
        return form, list(error.problems)
    return replace(form, photo_id=photo.id), []


async def _save(
    ctx: Context,
    session: Session,
    service: Service | None,
    form_data: FormValues,
    fields: ServiceFields,
) -> Response[Any]:
    if service is not None:
        await services.save(ctx, session.member, service.id, fields)
        return redirect(f"/services/{service.id}", "services.done_saved")

    idempotency = form_idempotency(session.member, "service", form_data)
    try:
        service_id = await run_form_once(
            ctx,
            idempotency,
            lambda: services.save(ctx, session.member, None, fields, idempotency=idempotency),
        )
    except RefusedError as error:
        if error.code != "idempotency_key_reused":  # submitted, changed and submitted again
            raise
        return redirect("/services", "services.done_added_before", tone="wait")
    return redirect(f"/services/{service_id}", "services.done_added")


async def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    service: Service | None,
    form: ServiceForm,
    nonce: str,
    problems: list[Problem] | None = None,
    *,
    focus: str = "",
) -> Response[Any]:
    translator = translator_for(session)
    errors = problem_texts(translator, problems or [])
    if errors:
        errors[""] = translator.t("services.check_fields")
    shop_services = await services.list_for_shop(ctx, session.member)
    return render_cabinet_page(
        request,
        session,
        "cabinet/services/form.html",
        section="services",
        status=422 if errors else 200,
        service=service,
        form=form.invoice_form,
        service_form=form,
        form_id="service-form",
        form_url=f"/services/{service.id}" if service else "/services/new",
        nonce=nonce,
        errors=errors,
        preview=await preview_html(ctx, session, form),
        custom_kinds=[(str(k), translator.t(f"invoices.kind.{k}")) for k in CUSTOM_KINDS],
        price_kinds=[(str(k), translator.t(f"services.price_{k}")) for k in PriceKind],
        categories=[name for name, _ in grouped(shop_services) if name],
        currency_sign=currency_sign(form.invoice_form.currency),
        focus=focus,
        service_urls=await service_urls(ctx, session, service) if service else {},
        thumbnail_id=thumbnail_id,
        photo_mb=image_processing.MAX_BYTES // 1024**2,
        can_edit=session.member.can(Permission.CATALOGUE),
        hide_plus=True,
    )


@post("/services/preview", status_code=200)
async def preview_service_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Render the public page of the service in the form, with that page's own template."""
    session.member.require(Permission.CATALOGUE)
    text = await preview_html(ctx, session, parse_service_form(await read_form_values(request)))
    return Response(text, media_type="text/html", headers=NO_STORE_HEADERS)


async def preview_html(ctx: Context, session: Session, form: ServiceForm) -> str:
    """Return the HTML of the public page for a form, valid or not; its buttons do nothing."""
    shop, translator = session.shop, translator_for(session)
    fields, _ = parse_service_fields(form, tz=shop.tz, now_us=ctx.now_us())
    service = preview_service(fields)
    if not service.title:
        service = replace(service, title=translator.t("services.preview_title"))
    links = await storefront.conversation_urls(ctx, shop.id, [service])
    can_pay = await storefront.can_pay(ctx, shop.id)
    sizes = await services.get_photo_size(ctx, session.member, service.photo_id)
    front = Storefront(shop, (service,), links, can_pay, sizes)
    return render(
        "cabinet/services/preview.html",
        translator,
        shop=shop,
        accent=shop.accent.lstrip("#").lower(),
        refusal_code="",
        nonce="",
        path="/s/preview",
        **service_context(service, front, translator, "") | {"list_url": ""},
    )


HANDLERS = [new_service, create_service, service_details, save_service, preview_service_page]
