"""The objects of the sandbox's VKontakte: people, communities, conversations, market, deliveries.

Times are UTC microseconds, prices are kopecks. `ObjectStore` keeps a struct under its class name.
"""

from typing import Any

import msgspec

Json = dict[str, Any]

# Event types that `groups.setCallbackSettings` and `groups.setLongPollSettings` switch on or off.
_EVENT_TYPES_TEXT = """
message_new message_reply message_edit message_allow message_deny message_event message_read
message_typing_state message_reaction_event market_order_new market_order_edit
group_change_settings group_change_photo group_join group_leave group_officers_edit user_block
user_unblock audio_new board_post_delete board_post_edit board_post_new board_post_restore
lead_forms_new market_comment_delete market_comment_edit market_comment_new
market_comment_restore photo_comment_delete photo_comment_edit photo_comment_new
photo_comment_restore photo_new poll_vote_new video_comment_delete video_comment_edit
video_comment_new video_comment_restore video_new wall_post_new wall_reply_delete
wall_reply_edit wall_reply_new wall_reply_restore wall_repost wall_schedule_post_new
wall_schedule_post_delete donut_subscription_create donut_subscription_prolonged
donut_subscription_cancelled donut_subscription_expired donut_subscription_price_changed
donut_money_withdraw donut_money_withdraw_error
"""
EVENT_TYPES = tuple(_EVENT_TYPES_TEXT.split())


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A VK user. People with `is_staff` manage communities, all others are clients."""

    id: int
    first_name: str
    last_name: str
    screen_name: str
    sex: int = 1
    colour: str = "#5181b8"
    is_staff: bool = False


class Contact(msgspec.Struct, frozen=True):
    """An entry in the contacts block of a community."""

    user_id: int
    desc: str = ""
    phone: str = ""
    email: str = ""


class Community(msgspec.Struct, frozen=True, kw_only=True):
    """A community and its settings. `market`: "none", "basic" or "advanced".

    Settings have VK's own names: `group_change_settings` events and `/vk/test` show them.
    `confirmation_code` is the expected response to a Callback API confirmation. `last_*_id` fields
    are the counters new ids are taken from.
    """

    id: int
    name: str
    screen_name: str
    owner_id: int
    created_at_us: int
    confirmation_code: str
    description: str = ""
    site: str = ""
    activity: str = ""
    colour: str = "#5181b8"
    has_photo: bool = False
    photo_id: int = 0
    contacts: list[Contact] = []
    market: str = "none"
    services: bool = False
    messages: bool = False
    bots_capabilities: bool = False
    bots_start_button: bool = False
    bots_add_to_chat: bool = False
    is_online: bool = False
    main_section: int = 0
    secondary_section: int = 0
    last_message_id: int = 0
    last_item_id: int = 0
    last_order_id: int = 0
    last_server_id: int = 0


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """An access key of a community (`group_id`) or of a person (`person_id`); the other id is 0."""

    token: str
    created_at_us: int
    group_id: int = 0
    person_id: int = 0
    rights: list[str] = []
    is_revoked: bool = False


class CallbackServer(msgspec.Struct, frozen=True, kw_only=True):
    """A Callback API address. `status`: unconfigured, wait, ok, failed.

    `error_count` is the number of failed deliveries in a row. `failed_at_us` is when they made the
    server `failed`, else 0.
    """

    id: int
    group_id: int
    title: str
    url: str
    secret: str = ""
    creator_id: int = 0
    status: str = "unconfigured"
    api_version: str = "5.199"
    events: list[str] = []
    error_count: int = 0
    failed_at_us: int = 0


class LongPoll(msgspec.Struct, frozen=True, kw_only=True):
    """Bots Long Poll of a community: secret `key`, number `ts` of the last event, settings."""

    group_id: int
    key: str
    ts: int = 1
    enabled: bool = False
    api_version: str = "5.199"
    events: list[str] = []


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """A stored photo. `owner_id`: a person's id, or minus a community's id."""

    id: int
    owner_id: int
    access_key: str
    content_type: str
    width: int
    height: int
    created_at_us: int
    content: bytes


class MarketItem(msgspec.Struct, frozen=True, kw_only=True):
    """A market item or a service of a community. Prices are kopecks.

    `price_type`: 0 exact, 2 from `price_minor` (up to `price_to_minor`), 3 by agreement.
    `availability`: 0 on sale, 1 deleted, 2 unavailable.
    """

    id: int
    group_id: int
    title: str
    description: str
    created_at_us: int
    price_minor: int = 0
    price_to_minor: int | None = None
    old_price_minor: int | None = None
    price_type: int = 0
    price_unit: int = 0
    is_service: bool = False
    availability: int = 0
    category_id: int = 1
    photo_ids: list[int] = []
    album_ids: list[int] = []
    sku: str = ""
    url: str = ""


class Album(msgspec.Struct, frozen=True, kw_only=True):
    """A market album: a selection of items or of services."""

    id: int
    group_id: int
    title: str
    updated_at_us: int
    is_service: bool = False


class OrderItem(msgspec.Struct, frozen=True):
    """A position of a VK order. `price_minor` is the price of one piece when it was ordered."""

    item_id: int
    quantity: int
    price_minor: int


class VkOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order in the advanced shop. `status`: 0 new … 4 done, 5 cancelled, 6 returned.

    `agreed_total_minor`: the total if it is not the sum of the items. `recipient`: a name.
    """

    id: int
    group_id: int
    person_id: int
    created_at_us: int
    items: list[OrderItem]
    status: int = 0
    comment: str = ""
    address: str = ""
    payment_status: str = "not_paid"
    receipt_link: str = ""
    comment_for_user: str = ""
    merchant_comment: str = ""
    track_number: str = ""
    phone: str = ""
    recipient: str = ""
    currency: str = "RUB"
    agreed_total_minor: int | None = None

    @property
    def total_minor(self) -> int:
        """The sum of the order in hundredths of its currency."""
        if self.agreed_total_minor is not None:
            return self.agreed_total_minor
        return sum(line.quantity * line.price_minor for line in self.items)


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment of a message. `type`: photo, market or link.

    An attachment of any other type has VK's JSON in `raw`.
    """

    type: str
    owner_id: int = 0
    id: int = 0
    url: str = ""
    title: str = ""
    raw: Json | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message. `is_outgoing`: the community wrote it.

    `id` is unique in the community, `cmid` (VK: conversation message id) in the conversation.
    `reply_to` is a cmid or 0. `admin_id` is the person who wrote for the community, or 0. `extra`
    are further fields of VK's message object: fwd_messages, geo, format_data … `is_cropped`: events
    and lists have only its first attachment and forwarded message, as VK does with large ones.
    """

    id: int
    group_id: int
    person_id: int
    cmid: int
    is_outgoing: bool
    sent_at_us: int
    text: str = ""
    attachments: list[Attachment] = []
    keyboard: Json | None = None
    template: Json | None = None
    payload: str | None = None
    ref: str | None = None
    ref_source: str | None = None
    random_id: int = 0
    admin_id: int = 0
    reply_to: int = 0
    extra: Json = {}
    is_cropped: bool = False
    edited_at_us: int | None = None
    version: int = 0


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation of a person with a community.

    `is_allowed`: whether the community may write to the person; None until the person decides.
    `in_read` and `out_read` are the last cmids read by the community and by the person.
    `keyboard` is the one under the person's input. `version` grows with every change.
    """

    group_id: int
    person_id: int
    is_allowed: bool | None = None
    last_cmid: int = 0
    in_read: int = 0
    out_read: int = 0
    is_answered: bool = False
    keyboard: Json | None = None
    typing_until_us: int = 0
    changed_at_us: int = 0
    version: int = 0


class ButtonPress(msgspec.Struct, frozen=True, kw_only=True):
    """A press of a callback button.

    `answer` is the community's `event_data` ({} if it sent none), or None until it answers.
    """

    id: str
    group_id: int
    person_id: int
    cmid: int
    pressed_at_us: int
    answer: Json | None = None


class DeliveryAttempt(msgspec.Struct, frozen=True):
    """One POST of an event. `result`: HTTP status and the start of the body, or exception name."""

    attempted_at_us: int
    result: str


class EventDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery of one event to one server. `state`: waiting, delivered, given_up.

    Deliveries with the same non-empty `ordering_key` belong to one conversation and keep their
    order.
    """

    id: str
    group_id: int
    server_id: int
    ordering_key: str
    type: str
    body: str
    created_at_us: int
    state: str = "waiting"
    attempts: list[DeliveryAttempt] = []
