"""Tables of notifications to members. None of them holds personal data of clients."""

from sqlalchemy import Column, ForeignKey, Index, Table
from sqlalchemy import UniqueConstraint as Unique

from sigma.store.schema.columns import (
    BigInt,
    Json,
    TextC,
    flag_column,
    id_column,
    int_column,
    partial_index,
    shop_id_column,
    text_column,
)
from sigma.store.schema.tables import metadata


def _user_id_column() -> Column[str]:
    return Column("user_id", TextC, ForeignKey("users.id"), nullable=False)


# One row for each member who has chosen something. `quiet_tz` empty: no quiet hours.
notification_settings = Table(
    "notification_settings",
    metadata,
    id_column(),
    shop_id_column(),
    _user_id_column(),
    Column("choices", Json, nullable=False),
    int_column("quiet_from_min"),
    int_column("quiet_until_min"),
    text_column("quiet_tz"),
    int_column("digest_minutes"),
    flag_column("has_sound"),
    int_column("version"),
    Unique("shop_id", "user_id", name="uq_notification_settings_member"),
)

# VK pages, Telegram chats and browsers, also while their link code waits.
notification_addresses = Table(
    "notification_addresses",
    metadata,
    id_column(),
    shop_id_column(),
    _user_id_column(),
    text_column("way"),
    int_column("created_at_us"),
    text_column("address_encrypted"),
    text_column("address_hash"),
    text_column("name"),
    text_column("connection_id"),
    text_column("code_hash"),
    text_column("code_encrypted"),
    int_column("code_expires_at_us"),
    int_column("version"),
    Index("ix_notification_addresses_member", "shop_id", "user_id", "way", "id"),
    partial_index("ix_notification_addresses_code", "code_hash", "code_hash <> ''"),
    partial_index("ix_notification_addresses_hash", "address_hash shop_id", "address_hash <> ''"),
)

# One row for each event, member and way: the unique key makes a repeated announcement harmless.
notifications = Table(
    "notifications",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("user_id"),
    text_column("way"),
    text_column("topic"),
    text_column("kind"),
    text_column("event_id"),
    text_column("subject_id"),
    int_column("created_at_us"),
    Column("amount_minor", BigInt),
    text_column("currency"),
    text_column("invoice_number"),
    text_column("detail"),
    text_column("status"),
    Column("delivery_id", TextC),
    Unique("event_id", "user_id", "way", name="uq_notifications_event"),
    partial_index("ix_notifications_queued", "shop_id user_id way topic id", "status = 'queued'"),
    partial_index("ix_notifications_delivery", "delivery_id id", "delivery_id IS NOT NULL"),
    Index("ix_notifications_created", "created_at_us"),
)

# One message to a member: stored before it is sent.
notification_deliveries = Table(
    "notification_deliveries",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("user_id"),
    text_column("way"),
    text_column("topic"),
    int_column("random_id"),
    int_column("started_at_us"),
    text_column("status"),
    int_column("attempts"),
    Column("finished_at_us", BigInt),
    text_column("reply"),
    Column("reached", Json, nullable=False),
    int_column("due_at_us"),
    int_column("version"),
    Index("ix_notification_deliveries_topic", "shop_id", "user_id", "way", "topic", "id"),
    Index("ix_notification_deliveries_way", "shop_id", "user_id", "way", "id"),
    Index("ix_notification_deliveries_started", "started_at_us"),
)

# The shop's own bot. `polled_until_us`: link codes are awaited, so its updates are fetched.
telegram_bots = Table(
    "telegram_bots",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("token_encrypted"),
    text_column("api_url"),
    text_column("username"),
    int_column("update_offset"),
    int_column("polled_until_us"),
    int_column("version"),
    Unique("shop_id", name="uq_telegram_bots_shop"),
)
