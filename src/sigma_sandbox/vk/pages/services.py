"""Services as their owner fills them by hand in the community: add, edit, take away."""

import re
from dataclasses import dataclass

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox.responses import Asked, away, missing
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.pages.client import show, vk_of
from sigma_sandbox.vk.pages.community_settings import BAD_PHOTO, DRAWN, MAX_PHOTO
from sigma_sandbox.vk.world.models import Community, Item, Json
from sigma_sandbox.vk.world.pictures import NotAPicture, draw_photo, read_photo

EXACT, FROM, BY_AGREEMENT = "0", "2", "3"
PRICE = re.compile(r"(\d{1,9})(?:[.,](\d{1,2}))?")
SAVED = {"item": "Услуга сохранена.", "gone": "Услуга удалена."}
SHAPES = ("petals", "circle", "square")


@dataclass(frozen=True)
class Typed:
    """The form as it was typed."""

    id: str = ""
    title: str = ""
    description: str = ""
    kind: str = EXACT
    price: str = ""
    available: bool = True


@dataclass
class Errors:
    """What is wrong, by field."""

    title: str = ""
    description: str = ""
    price: str = ""
    file: str = ""

    def __bool__(self) -> bool:
        return bool(self.title or self.description or self.price or self.file)

    def __getitem__(self, name: str) -> str:
        return str(getattr(self, name))


def read_price(text: str) -> int | None:
    """Roubles as they are typed, "1 500,50", to kopecks; None when they cannot be read."""
    found = PRICE.fullmatch("".join(text.split()))
    return int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0")) if found else None


def check(typed: Typed) -> Errors:
    """VK's own limits for a name, a description and a price."""
    errors = Errors()
    if not 4 <= len(typed.title) <= 100:
        errors.title = "В названии от 4 до 100 знаков."
    if len(typed.description) < 10:
        errors.description = "В описании не меньше 10 знаков."
    if typed.kind != BY_AGREEMENT and not read_price(typed.price):
        errors.price = "Введите сумму больше нуля, например 1500 или 999,50."
    return errors


def _page(request: Asked, club: Community, typed: Typed, errors: Errors) -> Response[bytes]:
    vk = vk_of(request)
    return show(
        request,
        "services.html",
        422 if errors else 200,
        tab="services",
        club=view_models.club_page(vk, club),
        items=view_models.cards(vk, club),
        typed=typed,
        errors=errors,
        saved=SAVED.get(request.query_params.get("saved", "")),
    )


def _item(vk: Vk, club: Community, number: str) -> Item | None:
    return vk.items.get((club.id, int(number))) if number.isdecimal() else None


@get("/{name:str}/services")
async def services(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """The list, and the form of a new service or of the one in `?id=`."""
    vk = vk_of(request)
    club = vk.community_by(name)
    if club is None:
        return missing(request)
    item = _item(vk, club, request.query_params.get("id", ""))
    return _page(request, club, _as_typed(item) if item else Typed(), Errors())


def _as_typed(item: Item) -> Typed:
    whole, cents = divmod(item.price, 100)
    price = f"{whole},{cents:02d}" if cents else str(whole)
    return Typed(
        id=str(item.id),
        title=item.title,
        description=item.description,
        kind=str(item.price_type),
        price=price if item.price else "",
        available=item.availability == 0,
    )


@post("/{name:str}/services", status_code=200, request_max_body_size=MAX_PHOTO + 20_000)
async def save_service(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """Add a service, or change the one whose `id` came along."""
    vk = vk_of(request)
    club = vk.community_by(name)
    if club is None:
        return missing(request)
    form = await request.form()
    words = {key: str(value).strip() for key, value in form.items() if key != "file"}
    kind = words.get("kind", EXACT)
    typed = Typed(
        id=words.get("id", ""),
        title=words.get("title", ""),
        description=words.get("description", ""),
        kind=kind if kind in (EXACT, FROM, BY_AGREEMENT) else EXACT,
        price=words.get("price", ""),
        available="available" in words,
    )
    errors = check(typed)
    file = form.get("file")
    content = await file.read() if isinstance(file, UploadFile) else b""
    photo = None
    if content:
        try:
            photo = (content, *read_photo(content))
        except NotAPicture:
            errors.file = BAD_PHOTO
    if errors:
        return _page(request, club, typed, errors)
    with vk.together():
        _write(vk, club, typed, photo)
    return away(f"/vk/club{club.id}/services?saved=item#list")


def _write(
    vk: Vk, club: Community, typed: Typed, photo: tuple[bytes, str, tuple[int, int]] | None
) -> None:
    fields: Json = {
        "title": typed.title,
        "description": typed.description,
        "price": 0 if typed.kind == BY_AGREEMENT else read_price(typed.price),
        "price_type": int(typed.kind),
        "availability": 0 if typed.available else 2,
    }
    item = _item(vk, club, typed.id)
    if item is None and photo is None:
        number = club.last_item_id
        photo = draw_photo(DRAWN[number % len(DRAWN)][0], SHAPES[number % len(SHAPES)])
    if photo is not None:
        fields["photo_ids"] = [vk.add_picture(-club.id, *photo).id]
    if item is None:
        vk.add_item(club.id, service=True, **fields)
    else:
        vk.put_item(replace(item, **fields))


@post("/{name:str}/services/delete", status_code=200)
async def delete_service(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """Take a service away; programs see it as deleted."""
    vk = vk_of(request)
    club = vk.community_by(name)
    if club is None:
        return missing(request)
    item = _item(vk, club, str((await request.form()).get("id") or ""))
    if item is not None:
        vk.put_item(replace(item, availability=1))
    return away(f"/vk/club{club.id}/services?saved=gone#list")


HANDLERS = [services, save_service, delete_service]
