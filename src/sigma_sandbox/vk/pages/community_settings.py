"""The pages of a community's owner: avatar, description, contact, switches, access keys."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from msgspec.structs import replace

from sigma_sandbox.responses import AnyRequest, not_found_page, redirect
from sigma_sandbox.time_util import format_moscow
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.actions.owner_actions import set_avatar, update_settings
from sigma_sandbox.vk.http import get_vk
from sigma_sandbox.vk.pages import view_models
from sigma_sandbox.vk.pages.rendering import current_person, render_vk_page, svg_response
from sigma_sandbox.vk.world.images import InvalidImageError, draw_avatar, identify_photo
from sigma_sandbox.vk.world.models import AccessKey, Community, Contact, Json

AVATAR_COLOURS = (
    ("#c2185b", "Малиновый"),
    ("#8a5ab5", "Фиолетовый"),
    ("#3f7fbf", "Синий"),
    ("#2f8578", "Бирюзовый"),
    ("#6d8a32", "Оливковый"),
    ("#b5702f", "Медный"),
)
SAVED_TEXTS = {
    "avatar": "Аватар сохранён.",
    "about": "Описание сохранено.",
    "contact": "Контакт сохранён.",
    "messages": "Настройки сообщений сохранены.",
    "sections": "Разделы сохранены.",
    "created": "Ключ создан. Скопируйте его и вставьте в свою программу.",
    "revoked": "Ключ отозван.",
}
RIGHT_LABELS = (
    ("manage", "Управление сообществом"),
    ("messages", "Сообщения сообщества"),
    ("photos", "Фотографии"),
    ("market", "Товары"),
)
DEFAULT_RIGHTS = {"manage", "messages", "photos"}
SERVICES_SECTION_ID = 51  # VK's number of the section, used in `main_section`
MAX_PHOTO_BYTES = 5_000_000
INVALID_PHOTO_TEXT = "Файл не похож на картинку. Подойдёт PNG, JPEG или WebP до 5 МБ."


@dataclass(frozen=True)
class FormError:
    """An error text and the block of the page it belongs to."""

    block: str
    text: str


def _find_community(request: AnyRequest, name: str) -> Community | None:
    return get_vk(request).find_community(name)


def _settings_page(
    request: AnyRequest, community: Community, error: FormError | None = None
) -> Response[bytes]:
    avatar_choices = [
        {"key": colour, "name": name, "url": f"/vk/drawn/{community.id}/{colour.lstrip('#')}.svg"}
        for colour, name in AVATAR_COLOURS
    ]
    return render_vk_page(
        request,
        "manage.html",
        422 if error else 200,
        tab="manage",
        community=view_models.community_context(get_vk(request), community),
        contact=community.contacts[0] if community.contacts else Contact(community.owner_id),
        drawn=avatar_choices,
        saved=SAVED_TEXTS.get(request.query_params.get("saved", "")),
        error=error,
    )


@get("/create")
async def show_create_form(request: AnyRequest) -> Response[bytes]:
    """Show the form of a new community."""
    return render_vk_page(request, "create.html", error=None)


@post("/create", status_code=200)
async def create_community(request: AnyRequest) -> Response[bytes]:
    """Create a community of the owner with everything switched off, as VK does."""
    vk, name = get_vk(request), str((await request.form()).get("name") or "").strip()
    if not name:
        return render_vk_page(request, "create.html", 422, error="Введите название.")
    owner = next((one for one in vk.people.values() if one.is_staff), None)
    community = vk.add_community(
        name[:48], owner.id if owner else current_person(request).id, colour="#607d8b"
    )
    return redirect(f"/vk/club{community.id}/manage")


@get("/{name:str}/manage")
async def show_settings(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Show the settings."""
    community = _find_community(request, name)
    return not_found_page(request) if community is None else _settings_page(request, community)


@get("/drawn/{group_id:int}/{name:str}")
async def show_drawn_avatar(
    request: AnyRequest, group_id: FromPath[int], name: FromPath[str]
) -> Response[bytes]:
    """Draw an avatar to choose from: the community's initials on a colour, "c2185b.svg"."""
    community = get_vk(request).communities.get(group_id)
    colour = f"#{name.removesuffix('.svg')}"
    if community is None or colour not in dict(AVATAR_COLOURS):
        return not_found_page(request)
    return svg_response(draw_avatar(community.name, colour))


@post(
    "/{name:str}/manage/{block:str}",
    status_code=200,
    request_max_body_size=MAX_PHOTO_BYTES + 10_000,
)
async def save_settings(
    request: AnyRequest, name: FromPath[str], block: FromPath[str]
) -> Response[bytes]:
    """Save one block of the settings."""
    community = _find_community(request, name)
    if community is None or block not in CHANGES_BY_BLOCK:
        return not_found_page(request)
    form = await request.form()
    vk = get_vk(request)
    if block == "avatar":
        error = await _save_avatar(vk, community, form)
        if error is not None:
            return _settings_page(request, community, error)
    else:
        values = {key: str(value).strip() for key, value in form.items()}
        announced, silent = CHANGES_BY_BLOCK[block](community, values)
        with vk.transaction():
            update_settings(
                vk, vk.put_community(replace(community, **silent)), community.owner_id, announced
            )
    return redirect(f"/vk/club{community.id}/manage?saved={block}#{block}")


# Each function returns the changes announced by `group_change_settings` and the silent ones.
def _about_changes(community: Community, values: dict[str, str]) -> tuple[Json, Json]:
    name = values.get("name") or community.name
    return {"name": name, "description": values.get("description", "")}, {}


def _contact_changes(community: Community, values: dict[str, str]) -> tuple[Json, Json]:
    desc, phone, email = (values.get(key, "") for key in ("desc", "phone", "email"))
    first = [Contact(community.owner_id, desc, phone, email)] if desc or phone or email else []
    return {}, {"contacts": first + community.contacts[1:]}


def _messages_changes(_: Community, values: dict[str, str]) -> tuple[Json, Json]:
    bots = {"bots_capabilities": "bots" in values, "bots_start_button": "start" in values}
    return {"messages": "messages" in values} | bots, {}


def _sections_changes(community: Community, values: dict[str, str]) -> tuple[Json, Json]:
    market_type = "basic" if community.market == "none" else community.market
    market = market_type if "market" in values else "none"
    services_on = "services" in values
    return {"market": market, "main_section": SERVICES_SECTION_ID if services_on else 0}, {
        "services": services_on
    }


CHANGES_BY_BLOCK: dict[str, Any] = {
    "avatar": None,
    "about": _about_changes,
    "contact": _contact_changes,
    "messages": _messages_changes,
    "sections": _sections_changes,
}


async def _save_avatar(vk: Vk, community: Community, form: Any) -> FormError | None:
    """Set a drawn avatar or an uploaded file (it takes precedence); return the error, if any."""
    file = form.get("file")
    content = await file.read() if isinstance(file, UploadFile) else b""
    if content:
        try:
            content_type, size = identify_photo(content)
        except InvalidImageError:
            return FormError("avatar", INVALID_PHOTO_TEXT)
        if len(content) > MAX_PHOTO_BYTES:
            return FormError("avatar", INVALID_PHOTO_TEXT)
        photo = vk.add_photo(-community.id, content, content_type, size)
        set_avatar(vk, community, photo_id=photo.id)
        return None
    colour = str(form.get("drawn") or "")
    if colour not in dict(AVATAR_COLOURS):
        return FormError("avatar", "Выберите картинку или файл.")
    set_avatar(vk, community, photo_id=0, colour=colour)
    return None


@get("/{name:str}/tokens")
async def show_access_keys(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Show the access keys."""
    community = _find_community(request, name)
    return not_found_page(request) if community is None else _access_keys_page(request, community)


def _access_keys_page(
    request: AnyRequest, community: Community, error: FormError | None = None
) -> Response[bytes]:
    vk = get_vk(request)
    active = [one for one in reversed(vk.list_community_keys(community.id)) if not one.is_revoked]
    saved = request.query_params.get("saved", "")
    keys = [_key_row(one, saved == "created" and n == 0) for n, one in enumerate(active)]
    rights = [
        {"name": right, "label": label, "ticked": right in DEFAULT_RIGHTS}
        for right, label in RIGHT_LABELS
    ]
    return render_vk_page(
        request,
        "access_keys.html",
        422 if error else 200,
        tab="tokens",
        community=view_models.community_context(vk, community),
        keys=keys,
        rights=rights,
        saved=SAVED_TEXTS.get(saved),
        error=error,
    )


def _key_row(access_key: AccessKey, is_new: bool) -> Json:
    labels = dict(RIGHT_LABELS)
    rights = ", ".join(labels.get(one, one) for one in access_key.rights) or "Без прав"
    return {
        "value": access_key.token,
        "rights": rights,
        "made": format_moscow(access_key.created_at_us),
        "new": is_new,
    }


@post("/{name:str}/tokens", status_code=200)
async def create_access_key(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Create an access key with the ticked rights."""
    community = _find_community(request, name)
    if community is None:
        return not_found_page(request)
    form = await request.form()
    rights = [right for right, _ in RIGHT_LABELS if form.get(right)]
    if not rights:
        return _access_keys_page(
            request, community, FormError("rights", "Отметьте хотя бы одно право.")
        )
    get_vk(request).create_community_key(community.id, rights)
    return redirect(f"/vk/club{community.id}/tokens?saved=created#keys")


@post("/{name:str}/tokens/revoke", status_code=200)
async def revoke_access_key(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Revoke an access key; unknown ones are ignored."""
    community = _find_community(request, name)
    if community is None:
        return not_found_page(request)
    vk = get_vk(request)
    value = str((await request.form()).get("key") or "")
    if any(one.token == value for one in vk.list_community_keys(community.id)):
        vk.revoke_key(value)
    return redirect(f"/vk/club{community.id}/tokens?saved=revoked#keys")


HANDLERS = [
    show_create_form,
    create_community,
    show_settings,
    show_drawn_avatar,
    save_settings,
    show_access_keys,
    create_access_key,
    revoke_access_key,
]
