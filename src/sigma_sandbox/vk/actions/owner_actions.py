"""What the owner of a community does on its settings pages: settings and avatar.

Every change emits the event that VK sends for it.
"""

from typing import Any

from msgspec.structs import replace

from sigma_sandbox.time_util import SECOND_US
from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.world.models import Community, Json

# The names of settings in the event, where they differ from the fields of `Community`.
WIRE_NAMES = {"name": "title", "site": "website"}


def update_settings(vk: Vk, community: Community, actor_id: int, changes: dict[str, Any]) -> None:
    """Store the new settings; emit `group_change_settings` with those that differ.

    `actor_id` is the person who changes them. Bot settings are stored but not in the event.
    """
    changed: Json = {}
    for field, new in changes.items():
        old = getattr(community, field)
        if old == new:
            continue
        changed[WIRE_NAMES.get(field, field)] = {
            "old_value": _wire_value(old),
            "new_value": _wire_value(new),
        }
    vk.put_community(replace(community, **changes))
    announced = {k: v for k, v in changed.items() if not k.startswith("bots_")}
    if announced:
        vk.emit_event(
            community.id, "group_change_settings", {"user_id": actor_id, "changes": announced}
        )


def _wire_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return {"none": 0, "basic": 1, "advanced": 1}.get(value, value)


def set_avatar(vk: Vk, community: Community, **changes: Any) -> None:
    """Give the community an avatar; emit `group_change_photo`.

    `changes`: `photo_id` of a stored photo, or `photo_id=0` and the `colour` of a drawn one.
    """
    with vk.transaction():
        community = vk.put_community(replace(community, has_photo=True, **changes))
        photo: Json = {"id": community.photo_id, "owner_id": -community.id, "album_id": -6}
        photo |= {"date": vk.now_us(community.id) // SECOND_US, "has_tags": False, "sizes": []}
        vk.emit_event(
            community.id, "group_change_photo", {"user_id": community.owner_id, "photo": photo}
        )
