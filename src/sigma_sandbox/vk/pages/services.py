"""The owner's page of services: add, edit, delete."""

import re
from dataclasses import dataclass

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox.responses import AnyRequest, not_found_page, redirect
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.pages.community_settings import (
    AVATAR_COLOURS,
    INVALID_PHOTO_TEXT,
    MAX_PHOTO_BYTES,
)
from sigma_sandbox.vk.pages.rendering import render_vk_page
from sigma_sandbox.vk.world.images import InvalidImageError, draw_photo, identify_photo
from sigma_sandbox.vk.world.models import Community, Json, MarketItem

PRICE_EXACT, PRICE_FROM, PRICE_BY_AGREEMENT = "0", "2", "3"
PRICE_PATTERN = re.compile(r"(\d{1,9})(?:[.,](\d{1,2}))?")
SAVED_TEXTS = {"item": "Услуга сохранена.", "gone": "Услуга удалена."}
SHAPES = ("petals", "circle", "square")


@dataclass(frozen=True)
class ServiceForm:
    """The submitted form, as text. `kind` is a price type; `id` is empty for a new service."""

    id: str = ""
    title: str = ""
    description: str = ""
    kind: str = PRICE_EXACT
    price: str = ""
    available: bool = True


@dataclass
class FormErrors:
    """Error texts by field; false when there are none."""

    title: str = ""
    description: str = ""
    price: str = ""
    file: str = ""

    def __bool__(self) -> bool:
        return bool(self.title or self.description or self.price or self.file)

    def __getitem__(self, name: str) -> str:
        return str(getattr(self, name))


def parse_price_minor(text: str) -> int | None:
    """Parse roubles, "1 500,50", to kopecks; return None for anything else."""
    match = PRICE_PATTERN.fullmatch("".join(text.split()))
    return int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0")) if match else None


def check_form(form_values: ServiceForm) -> FormErrors:
    """Check the form by VK's limits for title, description and price."""
    errors = FormErrors()
    if not 4 <= len(form_values.title) <= 100:
        errors.title = "В названии от 4 до 100 знаков."
    if len(form_values.description) < 10:
        errors.description = "В описании не меньше 10 знаков."
    if form_values.kind != PRICE_BY_AGREEMENT and not parse_price_minor(form_values.price):
        errors.price = "Введите сумму больше нуля, например 1500 или 999,50."
    return errors


def _services_page(
    request: AnyRequest, community: Community, form_values: ServiceForm, errors: FormErrors
) -> Response[bytes]:
    vk = get_vk(request)
    return render_vk_page(
        request,
        "services.html",
        422 if errors else 200,
        tab="services",
        community=view_models.community_context(vk, community),
        items=view_models.service_cards(vk, community),
        typed=form_values,
        errors=errors,
        saved=SAVED_TEXTS.get(request.query_params.get("saved", "")),
    )


def _find_item(vk: Vk, community: Community, id_text: str) -> MarketItem | None:
    return vk.items.get((community.id, int(id_text))) if id_text.isdecimal() else None


@get("/{name:str}/services")
async def show_services(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Show the list and the form: a new service or the one in `?id=`."""
    vk = get_vk(request)
    community = vk.find_community(name)
    if community is None:
        return not_found_page(request)
    item = _find_item(vk, community, request.query_params.get("id", ""))
    return _services_page(
        request, community, _form_from_item(item) if item else ServiceForm(), FormErrors()
    )


def _form_from_item(item: MarketItem) -> ServiceForm:
    rubles, kopecks = divmod(item.price_minor, 100)
    price = f"{rubles},{kopecks:02d}" if kopecks else str(rubles)
    return ServiceForm(
        id=str(item.id),
        title=item.title,
        description=item.description,
        kind=str(item.price_type),
        price=price if item.price_minor else "",
        available=item.availability == 0,
    )


@post("/{name:str}/services", status_code=200, request_max_body_size=MAX_PHOTO_BYTES + 20_000)
async def save_service(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Add a service, or change the one with the submitted `id`."""
    vk = get_vk(request)
    community = vk.find_community(name)
    if community is None:
        return not_found_page(request)
    form = await request.form()
    fields = {key: str(value).strip() for key, value in form.items() if key != "file"}
    kind = fields.get("kind", PRICE_EXACT)
    form_values = ServiceForm(
        id=fields.get("id", ""),
        title=fields.get("title", ""),
        description=fields.get("description", ""),
        kind=kind if kind in (PRICE_EXACT, PRICE_FROM, PRICE_BY_AGREEMENT) else PRICE_EXACT,
        price=fields.get("price", ""),
        available="available" in fields,
    )
    errors = check_form(form_values)
    file = form.get("file")
    content = await file.read() if isinstance(file, UploadFile) else b""
    photo = None
    if content:
        try:
            photo = (content, *identify_photo(content))
        except InvalidImageError:
            errors.file = INVALID_PHOTO_TEXT
    if errors:
        return _services_page(request, community, form_values, errors)
    with vk.transaction():
        _save_item(vk, community, form_values, photo)
    return redirect(f"/vk/club{community.id}/services?saved=item#list")


def _save_item(
    vk: Vk,
    community: Community,
    form_values: ServiceForm,
    photo: tuple[bytes, str, tuple[int, int]] | None,
) -> None:
    fields: Json = {
        "title": form_values.title,
        "description": form_values.description,
        "price_minor": 0
        if form_values.kind == PRICE_BY_AGREEMENT
        else parse_price_minor(form_values.price),
        "price_type": int(form_values.kind),
        "availability": 0 if form_values.available else 2,
    }
    item = _find_item(vk, community, form_values.id)
    if item is None and photo is None:
        last_id = community.last_item_id
        photo = draw_photo(
            AVATAR_COLOURS[last_id % len(AVATAR_COLOURS)][0], SHAPES[last_id % len(SHAPES)]
        )
    if photo is not None:
        fields["photo_ids"] = [vk.add_photo(-community.id, *photo).id]
    if item is None:
        vk.add_item(community.id, is_service=True, **fields)
    else:
        vk.put_item(replace(item, **fields))


@post("/{name:str}/services/delete", status_code=200)
async def delete_service(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Mark a service as deleted; the API shows it so too."""
    vk = get_vk(request)
    community = vk.find_community(name)
    if community is None:
        return not_found_page(request)
    item = _find_item(vk, community, str((await request.form()).get("id") or ""))
    if item is not None:
        vk.put_item(replace(item, availability=1))
    return redirect(f"/vk/club{community.id}/services?saved=gone#list")


HANDLERS = [show_services, save_service, delete_service]
