"""A community as its owner manages it: avatar, words, contact, switches, access keys."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox.responses import Asked, away, missing
from sigma_sandbox.time_util import SECOND, to_person
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.api.groups import change
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.pages.client import club_of, me, picture, show, vk_of
from sigma_sandbox.vk.world.models import Community, Contact, Json, Token
from sigma_sandbox.vk.world.pictures import NotAPicture, avatar, read_photo

DRAWN = (
    ("#c2185b", "Малиновый"),
    ("#8a5ab5", "Фиолетовый"),
    ("#3f7fbf", "Синий"),
    ("#2f8578", "Бирюзовый"),
    ("#6d8a32", "Оливковый"),
    ("#b5702f", "Медный"),
)
SAVED = {
    "avatar": "Аватар сохранён.",
    "about": "Описание сохранено.",
    "contact": "Контакт сохранён.",
    "messages": "Настройки сообщений сохранены.",
    "sections": "Разделы сохранены.",
    "created": "Ключ создан. Скопируйте его и вставьте в свою программу.",
    "revoked": "Ключ отозван.",
}
RIGHTS = (
    ("manage", "Управление сообществом"),
    ("messages", "Сообщения сообщества"),
    ("photos", "Фотографии"),
    ("market", "Товары"),
)
TICKED_AT_FIRST = {"manage", "messages", "photos"}
MARKET_SERVICES = 51  # the number of the section in `main_section`
MAX_PHOTO = 5_000_000
BAD_PHOTO = "Файл не похож на картинку. Подойдёт PNG, JPEG или WebP до 5 МБ."


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a form, and in which block of the page."""

    block: str
    text: str


def _club(request: Asked, name: str) -> Community | None:
    return vk_of(request).community_by(name)


def _manage_page(request: Asked, club: Community, error: Wrong | None = None) -> Response[bytes]:
    drawn = [
        {"key": colour, "name": name, "url": f"/vk/drawn/{club.id}/{colour.lstrip('#')}.svg"}
        for colour, name in DRAWN
    ]
    return show(
        request,
        "manage.html",
        422 if error else 200,
        tab="manage",
        club=view_models.club_page(vk_of(request), club),
        contact=club.contacts[0] if club.contacts else Contact(club.owner_id),
        drawn=drawn,
        saved=SAVED.get(request.query_params.get("saved", "")),
        error=error,
    )


@get("/create")
async def new(request: Asked) -> Response[bytes]:
    """The form of a new community."""
    return show(request, "create.html", error=None)


@post("/create", status_code=200)
async def create_club(request: Asked) -> Response[bytes]:
    """A new, empty community of the owner, as VK makes it: everything is off."""
    vk, title = vk_of(request), str((await request.form()).get("name") or "").strip()
    if not title:
        return show(request, "create.html", 422, error="Введите название.")
    owner = next((one for one in vk.people.values() if one.staff), None)
    club = vk.add_community(title[:48], owner.id if owner else me(request).id, colour="#607d8b")
    return away(f"/vk/club{club.id}/manage")


@get("/{name:str}/manage")
async def manage(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """The settings."""
    club = _club(request, name)
    return missing(request) if club is None else _manage_page(request, club)


@get("/drawn/{group_id:int}/{name:str}")
async def drawn(request: Asked, group_id: FromPath[int], name: FromPath[str]) -> Response[bytes]:
    """A drawn avatar to choose: the community's initials on a colour, "c2185b.svg"."""
    club = club_of(request, group_id)
    colour = f"#{name.removesuffix('.svg')}"
    if club is None or colour not in dict(DRAWN):
        return missing(request)
    return picture(avatar(club.name, colour))


@post("/{name:str}/manage/{block:str}", status_code=200, request_max_body_size=MAX_PHOTO + 10_000)
async def save(request: Asked, name: FromPath[str], block: FromPath[str]) -> Response[bytes]:
    """One block of the settings."""
    club = _club(request, name)
    if club is None or block not in BLOCKS:
        return missing(request)
    form = await request.form()
    vk = vk_of(request)
    if block == "avatar":
        wrong = await _save_avatar(vk, club, form)
        if wrong is not None:
            return _manage_page(request, club, wrong)
    else:
        typed = {key: str(value).strip() for key, value in form.items()}
        told, silent = BLOCKS[block](club, typed)
        with vk.together():
            change(vk, vk.put_community(replace(club, **silent)), club.owner_id, told)
    return away(f"/vk/club{club.id}/manage?saved={block}#{block}")


# Each block gives the changes that programs hear of and those they do not.
def _about(club: Community, typed: dict[str, str]) -> tuple[Json, Json]:
    name = typed.get("name") or club.name
    return {"name": name, "description": typed.get("description", "")}, {}


def _contact(club: Community, typed: dict[str, str]) -> tuple[Json, Json]:
    desc, phone, email = (typed.get(key, "") for key in ("desc", "phone", "email"))
    first = [Contact(club.owner_id, desc, phone, email)] if desc or phone or email else []
    return {}, {"contacts": first + club.contacts[1:]}


def _messages(_: Community, typed: dict[str, str]) -> tuple[Json, Json]:
    bots = {"bots_capabilities": "bots" in typed, "bots_start_button": "start" in typed}
    return {"messages": "messages" in typed} | bots, {}


def _sections(club: Community, typed: dict[str, str]) -> tuple[Json, Json]:
    kept = "basic" if club.market == "none" else club.market
    shop = kept if "market" in typed else "none"
    on = "services" in typed
    return {"market": shop, "main_section": MARKET_SERVICES if on else 0}, {"services": on}


BLOCKS: dict[str, Any] = {
    "avatar": None,
    "about": _about,
    "contact": _contact,
    "messages": _messages,
    "sections": _sections,
}


async def _save_avatar(vk: Vk, club: Community, form: Any) -> Wrong | None:
    """A drawn picture or an uploaded file; the file wins."""
    file = form.get("file")
    content = await file.read() if isinstance(file, UploadFile) else b""
    if content:
        try:
            kind, size = read_photo(content)
        except NotAPicture:
            return Wrong("avatar", BAD_PHOTO)
        if len(content) > MAX_PHOTO:
            return Wrong("avatar", BAD_PHOTO)
        picture = vk.add_picture(-club.id, content, kind, size)
        _new_avatar(vk, club, photo_id=picture.id)
        return None
    colour = str(form.get("drawn") or "")
    if colour not in dict(DRAWN):
        return Wrong("avatar", "Выберите картинку или файл.")
    _new_avatar(vk, club, photo_id=0, colour=colour)
    return None


def _new_avatar(vk: Vk, club: Community, **changes: Any) -> None:
    with vk.together():
        club = vk.put_community(replace(club, has_photo=True, **changes))
        photo: Json = {"id": club.photo_id, "owner_id": -club.id, "album_id": -6}
        photo |= {"date": vk.now(club.id) // SECOND, "has_tags": False, "sizes": []}
        vk.tell(club.id, "group_change_photo", {"user_id": club.owner_id, "photo": photo})


@get("/{name:str}/tokens")
async def tokens(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """The access keys."""
    club = _club(request, name)
    return missing(request) if club is None else _tokens_page(request, club)


def _tokens_page(request: Asked, club: Community, error: Wrong | None = None) -> Response[bytes]:
    vk = vk_of(request)
    live = [one for one in reversed(vk.keys_of(club.id)) if not one.revoked]
    saved = request.query_params.get("saved", "")
    keys = [_key_row(one, saved == "created" and n == 0) for n, one in enumerate(live)]
    rights = [
        {"name": right, "label": label, "ticked": right in TICKED_AT_FIRST}
        for right, label in RIGHTS
    ]
    return show(
        request,
        "tokens.html",
        422 if error else 200,
        tab="tokens",
        club=view_models.club_page(vk, club),
        keys=keys,
        rights=rights,
        saved=SAVED.get(saved),
        error=error,
    )


def _key_row(token: Token, new: bool) -> Json:
    words = dict(RIGHTS)
    rights = ", ".join(words.get(one, one) for one in token.rights) or "Без прав"
    return {
        "value": token.token,
        "rights": rights,
        "made": to_person(token.created_at),
        "new": new,
    }


@post("/{name:str}/tokens", status_code=200)
async def create(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """A new key with the ticked rights."""
    club = _club(request, name)
    if club is None:
        return missing(request)
    form = await request.form()
    chosen = [right for right, _ in RIGHTS if form.get(right)]
    if not chosen:
        return _tokens_page(request, club, Wrong("rights", "Отметьте хотя бы одно право."))
    vk_of(request).create_key(club.id, chosen)
    return away(f"/vk/club{club.id}/tokens?saved=created#keys")


@post("/{name:str}/tokens/revoke", status_code=200)
async def revoke(request: Asked, name: FromPath[str]) -> Response[bytes]:
    """A key that is not wanted any more."""
    club = _club(request, name)
    if club is None:
        return missing(request)
    vk = vk_of(request)
    value = str((await request.form()).get("key") or "")
    if any(one.token == value for one in vk.keys_of(club.id)):
        vk.revoke_key(value)
    return away(f"/vk/club{club.id}/tokens?saved=revoked#keys")


HANDLERS = [new, create_club, manage, drawn, save, tokens, create, revoke]
