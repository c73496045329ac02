"""One service: its form with photo and questions, beside it the page that clients will see."""

from dataclasses import replace
from typing import Any

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.errors import Problem, Refused
from sigma.services.accounts.users import Session
from sigma.services.catalogue import image_processing, services
from sigma.services.catalogue.services import Offer
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Front
from sigma.services.context import Context
from sigma.services.platform.idempotency import Remember
from sigma.texts.formats import sign
from sigma.web.cabinet.form_idempotency import fresh_nonce, nonce_of, once
from sigma.web.cabinet.guards import NO_STORE, WebRequest
from sigma.web.cabinet.invoices.form import OWN_KINDS
from sigma.web.cabinet.invoices.form_edit import edits, focus_after
from sigma.web.cabinet.responses import cabinet_page, go, posted, sentences, words_of
from sigma.web.cabinet.services.form import (
    ServiceForm,
    form_of_service,
    pressed,
    preview_of,
    read_offer,
    read_service_form,
)
from sigma.web.cabinet.services.services import addresses
from sigma.web.forms import Given, one, read_id
from sigma.web.rendering import render
from sigma.web.storefront.view_models import detailed

MAX_BODY = image_processing.MAX_BYTES + 512 * 1024  # the form and its photo


@get("/services/new")
async def new_service(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """An empty form."""
    session.member.must(Permission.CATALOGUE)
    return await _page(request, ctx, session, None, ServiceForm(), fresh_nonce())


@get("/services/{service_id:str}")
async def service_details(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """A service with its links; its form, for those who may change it."""
    service = await services.get(ctx, session.member, read_id(service_id, "svc"))
    return await _page(request, ctx, session, service, form_of_service(service), "")


@post("/services/new", request_max_body_size=MAX_BODY)
async def create_service(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Adds the service; other buttons only change the form."""
    return await _posted(request, ctx, session, None)


@post("/services/{service_id:str}", request_max_body_size=MAX_BODY)
async def save_service(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    service_id: FromPath[str],
) -> Response[Any]:
    """Saves the service; other buttons only change the form."""
    service = await services.get(ctx, session.member, read_id(service_id, "svc"))
    return await _posted(request, ctx, session, service)


async def _posted(
    request: WebRequest, ctx: Context, session: Session, service: Service | None
) -> Response[Any]:
    session.member.must(Permission.CATALOGUE)
    given = await posted(request)
    form, button = read_service_form(given), one(given, "do")
    if button == "photo-remove":
        form = replace(form, photo_id="")
        return await _page(request, ctx, session, service, form, nonce_of(given), focus="photo")
    form, problems = await _with_photo(request, ctx, session, form)
    if edits(button):
        focus = focus_after(form.sheet, button)
        form = pressed(form, button)
        return await _page(request, ctx, session, service, form, nonce_of(given), focus=focus)
    offer, wrong = read_offer(form, tz=session.shop.tz, now=ctx.now())
    problems += wrong
    if problems or button != "save":
        nonce = nonce_of(given)
        return await _page(request, ctx, session, service, form, nonce, problems)
    try:
        return await _save(ctx, session, service, given, offer)
    except Refused as refused:
        if not refused.problems:
            raise
        wrong = list(refused.problems)
        return await _page(request, ctx, session, service, form, nonce_of(given), wrong)


async def _with_photo(
    request: WebRequest, ctx: Context, session: Session, form: ServiceForm
) -> tuple[ServiceForm, list[Problem]]:
    """The form with the photo that came with it; kept at once, whatever is wrong elsewhere."""
    sent = (await request.form()).get("photo")
    if not isinstance(sent, UploadFile) or not (data := await sent.read()):
        return form, []
    try:
        photo = await services.add_photo(ctx, session.member, data)
    except Refused as refused:
        return form, list(refused.problems)
    return replace(form, photo_id=photo.id), []


async def _save(
    ctx: Context, session: Session, service: Service | None, given: Given, offer: Offer
) -> Response[Any]:
    if service is not None:
        await services.save(ctx, session.member, service.id, offer)
        return go(f"/services/{service.id}", "services.done_saved")

    async def act(remember: Remember) -> Service:
        return await services.save(
            ctx, session.member, None, offer, remember=lambda made: remember(201, made.id)
        )

    try:
        made = await once(ctx, session.member, "service", given, act)
    except Refused as refused:
        if refused.code != "idempotency_key_reused":  # sent, then changed and sent again
            raise
        return go("/services", "services.done_before", tone="wait")
    return go(f"/services/{made}", "services.done_added")


async def _page(
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
    words = words_of(session)
    errors = sentences(words, problems or [])
    if errors:
        errors[""] = words.t("services.look_at_fields")
    return cabinet_page(
        request,
        session,
        "cabinet/services/form.html",
        place="services",
        status=422 if errors else 200,
        service=service,
        form=form.sheet,
        more=form,
        form_id="service-form",
        form_url=f"/services/{service.id}" if service else "/services/new",
        nonce=nonce,
        errors=errors,
        preview=await preview_text(ctx, session, form),
        own_kinds=[(str(k), words.t(f"invoices.kind.{k}")) for k in OWN_KINDS],
        prices=[(str(k), words.t(f"services.price_{k}")) for k in PriceKind],
        currency_sign=sign(form.sheet.currency),
        focus=focus,
        addresses=await addresses(ctx, session, service) if service else {},
        small_of=services.small_of,
        photo_mb=image_processing.MAX_BYTES // 1024**2,
        may_edit=session.member.may(Permission.CATALOGUE),
        hide_plus=True,
    )


@post("/services/preview", status_code=200)
async def preview(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The public page that the form would make, drawn by that page's own template."""
    session.member.must(Permission.CATALOGUE)
    text = await preview_text(ctx, session, read_service_form(await posted(request)))
    return Response(text, media_type="text/html", headers=NO_STORE)


async def preview_text(ctx: Context, session: Session, form: ServiceForm) -> str:
    """The client's page for a form as it is now, right or not; nothing on it works."""
    shop, words = session.shop, words_of(session)
    offer, _ = read_offer(form, tz=shop.tz, now=ctx.now())
    service = preview_of(offer)
    if not service.title:
        service = replace(service, title=words.t("services.preview_title"))
    links = await storefront.links(ctx, shop.id, [service])
    payable = await storefront.payable(ctx, shop.id)
    sizes = await services.photo_size(ctx, session.member, service.photo_id)
    front = Front(shop, (service,), links, payable, sizes)
    return render(
        "cabinet/services/preview.html",
        words,
        shop=shop,
        accent=shop.accent.lstrip("#").lower(),
        refused="",
        nonce="",
        path="/s/preview",
        **detailed(service, front, words, "") | {"list_url": ""},
    )


HANDLERS = [new_service, create_service, service_details, save_service, preview]
