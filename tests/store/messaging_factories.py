"""Rows of the messaging tables with every field filled."""

from dataclasses import replace

from sigma.domain.catalogue.photo import Photo
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, Service
from sigma.domain.change import VersionedRow
from sigma.domain.messaging.card import Card, CardState
from sigma.domain.messaging.community import Community, EventDelivery
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message, Status
from sigma.domain.messaging.vk_event import VkEvent
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.money import Money
from tests.store.factories import CONNECTION, INVOICE, NOW_US, QUESTIONS, SHOP, SPECIAL_CHARACTERS

CONVERSATION = Conversation(
    id="cnv_1",
    shop_id=SHOP.id,
    connection_id=CONNECTION.id,
    peer_id=777,
    created_at_us=NOW_US,
    name=SPECIAL_CHARACTERS,
    photo_url="https://vk.example/1.jpg",
    customer_id="cus_1",
    last_at_us=NOW_US + 1,
    last_incoming_at_us=NOW_US + 2,
    is_last_outgoing=True,
    preview_encrypted="ciphertext",
    last_cmid=12,
    last_position=12_000_000,
    unread_count=3,
    is_unanswered=True,
    waiting_since_us=NOW_US + 5,
    blocked_reason="901",
    service_id="svc_1",
    vk_ref="svc_1",
    supported_buttons="text,open_link",
    typing_user_id="usr_1",
    typing_until_us=NOW_US + 3,
    handled_by_operator=True,
    changed_at_us=NOW_US + 4,
)
MESSAGE = Message(
    id="msg_1",
    shop_id=SHOP.id,
    conversation_id=CONVERSATION.id,
    is_outgoing=True,
    author="usr_1",
    body_encrypted="ciphertext",
    written_at_us=NOW_US,
    position=12_000_000,
    status=Status.FAILED,
    cmid=12,
    vk_id=1501,
    idempotency_key="receipt:pay_1",
    random_id=-815123,
    first_attempt_at_us=NOW_US + 1,
    failure="901",
    edited_at_us=NOW_US + 2,
    is_incomplete=True,
)
SERVICE = Service(
    id="svc_1",
    shop_id=SHOP.id,
    title=SPECIAL_CHARACTERS,
    created_at_us=NOW_US,
    description=SPECIAL_CHARACTERS,
    price_kind=PriceKind.RANGE,
    amount=Money(150_000, "KZT"),
    max_amount=Money(250_000, "KZT"),
    price_unit="м²",
    category=SPECIAL_CHARACTERS,
    external_id="00012",
    photo_id="pho_1",
    is_visible=False,
    position=4,
    invoice_template=InvoiceTemplate(QUESTIONS, 3, "https://vk.me/studio"),
    vk_connection_id=CONNECTION.id,
    vk_item_id=9876,
    vk_synced_state={"title": SPECIAL_CHARACTERS, "minor": 150_000},
    deleted_at_us=NOW_US + 5,
)
MESSAGING_ROWS: tuple[VersionedRow, ...] = (
    Community(
        id=CONNECTION.id,
        shop_id=SHOP.id,
        group_id=123456,
        name=SPECIAL_CHARACTERS,
        screen_name="lak",
        photo_url="https://vk.example/2.jpg",
        created_at_us=NOW_US,
        key_scopes=("manage", "messages"),
        preferred_delivery="callback",
        event_delivery=EventDelivery.CALLBACK,
        callback_secret_encrypted="ciphertext",
        confirmation_code="c0de",
        long_poll_ts="17",
        poll_lease_until_us=NOW_US + 1,
        poll_leased_by="worker",
        last_contact_at_us=NOW_US + 2,
        caught_up_until_us=NOW_US + 3,
        error_code="key",
        error_since_us=NOW_US + 4,
        checked_at_us=NOW_US + 5,
        facts={"avatar": True},
        market_access="27",
    ),
    CONVERSATION,
    MESSAGE,
    SERVICE,
    Photo("pho_1", SHOP.id, "image/jpeg", 800, 600, b"\x00\xff\xd8 picture", NOW_US),
    Card(
        id="crd_1",
        shop_id=SHOP.id,
        invoice_id=INVOICE.id,
        conversation_id=CONVERSATION.id,
        created_at_us=NOW_US,
        created_by="usr_1",
        message_id=MESSAGE.id,
        state=CardState.PAID,
        message_fingerprint="paid:pay_1:0",
        opened_at_us=NOW_US + 6,
        payer_hash="payer",
    ),
    VkOrder(
        id="ord_1",
        shop_id=SHOP.id,
        connection_id=CONNECTION.id,
        conversation_id=CONVERSATION.id,
        vk_order_id=31,
        vk_user_id=777,
        display_id="777-31",
        amount_minor=450_000,
        currency="RUB",
        status=2,
        body_encrypted="ciphertext",
        created_at_us=NOW_US,
        invoice_id=INVOICE.id,
        vk_payment_status="paid",
    ),
    VkEvent(
        id="vke_1",
        shop_id=SHOP.id,
        connection_id=CONNECTION.id,
        conversation_key="peer:777",
        type="message_new",
        digest="c" * 64,
        body_encrypted="ciphertext",
        received_at_us=NOW_US,
        processed_at_us=NOW_US + 7,
    ),
)


def plain_vk_event(number: int, **more: object) -> VkEvent:
    """Return an unprocessed VK event. Events sort by `number`, which is part of the id."""
    plain = VkEvent(
        id=f"vke_{number:05}",
        shop_id=SHOP.id,
        connection_id=CONNECTION.id,
        conversation_key="peer:777",
        type="message_new",
        digest=f"event-{number}",
        body_encrypted="ciphertext",
        received_at_us=NOW_US,
    )
    return replace(plain, **more)  # type: ignore[arg-type]
