"""Messages of every shape that VK sends, as bodies of the sandbox's test API."""

from typing import Any

SIZES = [{"type": "x", "url": "https://sun1.example/x.jpg", "width": 604, "height": 400}]
_IDS = {"id": 5, "owner_id": -7}
_SUM = {"amount": "250000", "currency": {"id": 643, "name": "RUB"}, "text": "2 500 руб."}
_ATTACHMENTS: dict[str, dict[str, Any]] = {
    "money_transfer": {"id": 1, "amount": _SUM, "comment": "За маникюр"},
    "audio_message": {**_IDS, "duration": 65, "link_mp3": "https://a.example/v.mp3"},
    "poll": {**_IDS, "question": "Когда удобно?", "answers": [{"text": "Утром"}]},
    "story": {**_IDS, "is_expired": True},
    "video_message": {**_IDS, "duration": 12},
    "wall_reply": {"id": 9, "owner_id": -7, "post_id": 3, "text": "Сколько стоит?"},
    "market_album": {**_IDS, "title": "Летние услуги"},
    "call": {"initiator_id": 777, "receiver_id": -7, "state": "canceled_by_receiver"},
    "mini_app": {"id": 51, "title": "Онлайн-запись"},
    "doc": {**_IDS, "title": "договор.pdf", "ext": "pdf", "size": 1_500_000},
    "hologram": {},
}


def attachment(vk_type: str) -> dict[str, Any]:
    """Return an attachment of this type in VK's JSON."""
    return {"type": vk_type, vk_type: _ATTACHMENTS[vk_type]}


def nested_message(text: str, level: int = 1, *vk_types: str) -> dict[str, Any]:
    """Return a forwarded message that holds `level` - 1 levels of further ones."""
    raw: dict[str, Any] = {"date": 1767000000, "from_id": 2002, "text": text}
    raw["attachments"] = [attachment(one) for one in vk_types]
    if level > 1:
        raw["fwd_messages"] = [nested_message(f"{text} глубже", level - 1, *vk_types)]
    return raw


MESSAGES: list[dict[str, Any]] = [
    {"text": "Оплатила", "attachments": [attachment("money_transfer"), attachment("doc")]},
    {"attachments": [attachment(one) for one in list(_ATTACHMENTS)[1:9]]},
    {"attachments": [attachment("hologram")]},
    {
        "text": "Вот переписка",
        "forwarded": [nested_message("Записали на субботу", 6, "audio_message")],
        "quoted": nested_message("Когда вам удобно?"),
    },
    {
        "geo": {
            "type": "point",
            "coordinates": {"latitude": 55.7558, "longitude": 37.6173},
            "place": {"title": "Студия", "address": "Тверская, 1"},
        }
    },
    {
        "text": "Посмотрите прайс и отзывы",
        "format_data": {
            "version": "1",
            "items": [
                {"type": "url", "offset": 11, "length": 5, "url": "https://lak.example/price"}
            ],
        },
    },
    {"unavailable": True},
]
