"""Parsing of YooKassa's notices. Pure.

Source: https://yookassa.ru/developers/using-api/webhooks
"""

import re

from sigma.providers.base import ParsedNotice, UnknownOutcomeError
from sigma.providers.yookassa import wire

MAX_NOTICE_BYTES = 262_144
_EVENT_PATTERN = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}", re.ASCII)


def parse_notice(body: bytes) -> ParsedNotice:
    """Parse a notice. Nothing in it is trusted except which object to fetch. Raises ValueError."""
    if len(body) > MAX_NOTICE_BYTES:
        raise ValueError("the notice is too large")
    try:
        data = wire.parse_object(body)
    except UnknownOutcomeError as error:
        raise ValueError(str(error)) from None
    event, entity = data.get("event"), data.get("object")
    if data.get("type") != "notification" or not isinstance(entity, dict):
        raise ValueError("not a notice")
    if (
        not isinstance(event, str)
        or not _EVENT_PATTERN.fullmatch(event)
        or not wire.is_object_id(entity.get("id"))
    ):
        raise ValueError("a notice without an event or an object")
    object_id = str(entity["id"])
    if event.startswith("payment."):
        claimed_id = wire.metadata_id(entity, wire.PAYMENT_ID_KEY)
        return ParsedNotice(event, object_id, "payment", object_id, claimed_id)
    if event.startswith("refund."):
        if not wire.is_object_id(entity.get("payment_id")):
            raise ValueError("a refund's notice without its payment")
        payment_id = str(entity["payment_id"])
        return ParsedNotice(
            event, object_id, "refund", payment_id, wire.described_refund_id(entity)
        )
    return ParsedNotice(event, object_id, "other")
