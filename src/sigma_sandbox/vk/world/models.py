"""What VKontakte in a box consists of: people, communities, keys, dialogs, goods, orders, pictures.

Moments are UTC microseconds, sums are kopecks. Every struct is kept by the vault under its name.
"""

from typing import Any

import msgspec

Json = dict[str, Any]

# The switches of `groups.setCallbackSettings` and `groups.setLongPollSettings`.
_NAMES = """
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
EVENT_NAMES = tuple(_NAMES.split())


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with a profile. `staff` runs communities, the others are clients."""

    id: int
    first_name: str
    last_name: str
    screen_name: str
    sex: int = 1
    colour: str = "#5181b8"
    staff: bool = False


class Contact(msgspec.Struct, frozen=True):
    """One line of a community's contacts."""

    user_id: int
    desc: str = ""
    phone: str = ""
    email: str = ""


class Community(msgspec.Struct, frozen=True, kw_only=True):
    """A community and its settings. `market` is none, basic or advanced."""

    id: int
    name: str
    screen_name: str
    owner_id: int
    created_at: int
    code: str
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
    online: bool = False
    main_section: int = 0
    secondary_section: int = 0
    last_message_id: int = 0
    last_item_id: int = 0
    last_order_id: int = 0
    last_server_id: int = 0


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access key of a community (`group_id`) or of a person (`person_id`)."""

    token: str
    created_at: int
    group_id: int = 0
    person_id: int = 0
    rights: list[str] = []
    revoked: bool = False


class CallbackServer(msgspec.Struct, frozen=True, kw_only=True):
    """An address events are sent to. `status`: unconfigured, wait, ok, failed."""

    id: int
    group_id: int
    title: str
    url: str
    secret: str = ""
    creator_id: int = 0
    status: str = "unconfigured"
    api_version: str = "5.199"
    events: list[str] = []
    errors: int = 0
    failed_at: int = 0


class LongPoll(msgspec.Struct, frozen=True, kw_only=True):
    """A community's Bots Long Poll: its key, the number of its last event and its settings."""

    group_id: int
    key: str
    ts: int = 1
    enabled: bool = False
    api_version: str = "5.199"
    events: list[str] = []


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A photo: `owner_id` is a person's id or minus a community's."""

    id: int
    owner_id: int
    access_key: str
    content_type: str
    width: int
    height: int
    created_at: int
    content: bytes


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A good or a service of a community. Prices are kopecks.

    `price_type`: 0 exact, 2 from `price` (to `price_to`), 3 by agreement. `availability`: 0 on
    sale, 1 deleted, 2 unavailable.
    """

    id: int
    group_id: int
    title: str
    description: str
    created_at: int
    price: int = 0
    price_to: int | None = None
    old_price: int | None = None
    price_type: int = 0
    price_unit: int = 0
    service: bool = False
    availability: int = 0
    category_id: int = 1
    photo_ids: list[int] = []
    album_ids: list[int] = []
    sku: str = ""
    url: str = ""


class Album(msgspec.Struct, frozen=True, kw_only=True):
    """A selection of goods (or of services)."""

    id: int
    group_id: int
    title: str
    updated_at: int
    service: bool = False


class OrderLine(msgspec.Struct, frozen=True):
    """So many of an item at that price, kopecks each."""

    item_id: int
    quantity: int
    price: int


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order in the advanced shop. `status` 0 new … 4 done, 5 cancelled, 6 returned."""

    id: int
    group_id: int
    person_id: int
    created_at: int
    lines: list[OrderLine]
    status: int = 0
    comment: str = ""
    address: str = ""
    payment_status: str = "not_paid"
    receipt_link: str = ""
    comment_for_user: str = ""
    merchant_comment: str = ""
    track_number: str = ""
    phone: str = ""

    @property
    def total(self) -> int:
        """Kopecks."""
        return sum(line.quantity * line.price for line in self.lines)


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """What hangs on a message: `type` photo, market or link; anything else lies in `raw`."""

    type: str
    owner_id: int = 0
    id: int = 0
    url: str = ""
    title: str = ""
    raw: Json | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message. `id` counts in the community, `cmid` in the dialog; `out`: the community's."""

    id: int
    group_id: int
    person_id: int
    cmid: int
    out: bool
    at: int
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
    edited_at: int | None = None
    version: int = 0


class Dialog(msgspec.Struct, frozen=True, kw_only=True):
    """A person and a community. `allowed`: may the community write (None: was never asked).

    `in_read` and `out_read` are the last cmids read by the community and by the person;
    `keyboard` lies under the person's input; `version` grows with every change.
    """

    group_id: int
    person_id: int
    allowed: bool | None = None
    last_cmid: int = 0
    in_read: int = 0
    out_read: int = 0
    answered: bool = False
    keyboard: Json | None = None
    typing_until: int = 0
    changed_at: int = 0
    version: int = 0


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """A pressed callback button; `answer` is what the community told to show."""

    id: str
    group_id: int
    person_id: int
    cmid: int
    at: int
    answer: Json | None = None


class Sent(msgspec.Struct, frozen=True):
    """One POST of an event; `answer` is the HTTP status and body, or what broke."""

    at: int
    answer: str


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to one server. `state`: waiting, delivered, given_up."""

    id: str
    group_id: int
    server_id: int
    lane: str
    type: str
    body: str
    created_at: int
    state: str = "waiting"
    tries: list[Sent] = []
