"""Tables of users, members, invitations, sessions, second factors, API keys, rate counters.

A user may be a member of several shops.
"""

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table
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

users = Table(
    "users",
    metadata,
    id_column(),
    text_column("login"),
    text_column("password_hash"),
    text_column("name"),
    text_column("locale"),
    int_column("created_at_us"),
    int_column("password_changed_at_us"),
    int_column("version"),
    Unique("login", name="uq_users_login"),
)

members = Table(
    "members",
    metadata,
    text_column("shop_id"),
    Column("user_id", TextC, ForeignKey("users.id"), nullable=False),
    text_column("role"),
    int_column("created_at_us"),
    PrimaryKeyConstraint("shop_id", "user_id"),
    Index("ix_members_user", "user_id", "shop_id"),
)

# Who has left a team: their names stay in the history of the shop.
former_members = Table(
    "former_members",
    metadata,
    text_column("shop_id"),
    text_column("user_id"),
    int_column("left_at_us"),
    PrimaryKeyConstraint("shop_id", "user_id"),
)

# Users who administer the installation: they create shops and set quotas.
administrators = Table(
    "administrators",
    metadata,
    Column("user_id", TextC, ForeignKey("users.id"), primary_key=True),
    int_column("created_at_us"),
)

invitations = Table(
    "invitations",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("login"),
    text_column("role"),
    text_column("token_hash"),
    text_column("created_by"),
    int_column("created_at_us"),
    int_column("expires_at_us"),
    Column("accepted_at_us", BigInt),
    Column("revoked_at_us", BigInt),
    int_column("version"),
    Unique("token_hash", name="uq_invitations_token"),
    Index("ix_invitations_expires", "expires_at_us"),
    partial_index(
        "ix_invitations_open", "shop_id id", "accepted_at_us IS NULL AND revoked_at_us IS NULL"
    ),
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret_hash", TextC, primary_key=True),
    text_column("user_id"),
    text_column("shop_id"),
    text_column("csrf_token"),
    int_column("created_at_us"),
    int_column("expires_at_us"),
    text_column("id"),
    int_column("used_at_us"),
    int_column("authenticated_at_us"),
    text_column("proofs"),
    text_column("address"),
    text_column("device_name"),
    flag_column("is_pending"),
    Index("ix_sessions_user", "user_id", "shop_id"),
    Index("ix_sessions_expires", "expires_at_us"),
)

api_keys = Table(
    "api_keys",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("name"),
    text_column("prefix"),
    text_column("secret_hash"),
    Column("scopes", Json, nullable=False),
    Column("allowed_networks", Json, nullable=False),
    text_column("created_by"),
    int_column("created_at_us"),
    Column("expires_at_us", BigInt),
    int_column("used_at_us"),
    Column("revoked_at_us", BigInt),
    Unique("secret_hash", name="uq_api_keys_secret"),
    Index("ix_api_keys_shop", "shop_id", "id"),
    Index("ix_api_keys_maker", "created_by", "id"),
)

passkeys = Table(
    "passkeys",
    metadata,
    id_column(),
    Column("user_id", TextC, ForeignKey("users.id"), nullable=False),
    text_column("credential_id"),
    text_column("public_key"),
    text_column("name"),
    int_column("created_at_us"),
    int_column("sign_count"),
    text_column("transports"),
    flag_column("is_backed_up"),
    int_column("used_at_us"),
    int_column("version"),
    Unique("credential_id", name="uq_passkeys_credential"),
    Index("ix_passkeys_user", "user_id", "id"),
)

authenticator_apps = Table(
    "authenticator_apps",
    metadata,
    id_column(),
    Column("user_id", TextC, ForeignKey("users.id"), nullable=False),
    text_column("secret_encrypted"),
    int_column("created_at_us"),
    int_column("last_step"),
    int_column("drift_s"),
    int_column("version"),
    Unique("user_id", name="uq_authenticator_apps_user"),
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    id_column(),
    Column("user_id", TextC, ForeignKey("users.id"), nullable=False),
    text_column("prefix"),
    text_column("code_hash"),
    int_column("created_at_us"),
    Column("used_at_us", BigInt),
    int_column("version"),
    Unique("user_id", "prefix", name="uq_recovery_codes_prefix"),
)

# Requests for a new password, also for unknown addresses: they must not be told apart.
password_resets = Table(
    "password_resets",
    metadata,
    id_column(),
    text_column("content_encrypted"),
    text_column("token_hash"),
    int_column("created_at_us"),
    int_column("expires_at_us"),
    int_column("version"),
    Unique("token_hash", name="uq_password_resets_token"),
    Index("ix_password_resets_expires", "expires_at_us"),
)

# What the mails about a change of somebody's access say.
security_notices = Table(
    "security_notices",
    metadata,
    id_column(),
    shop_id_column(),
    text_column("user_id"),
    text_column("kind"),
    int_column("occurred_at_us"),
    text_column("detail_encrypted"),
    int_column("version"),
    Index("ix_security_notices_occurred", "occurred_at_us"),
)

# Attempts counted by the keyed hash of a limit and its subject, for all processes together.
rate_counters = Table(
    "rate_counters",
    metadata,
    Column("key", TextC, primary_key=True),
    int_column("count"),
    int_column("last_at_us"),
    int_column("expires_at_us"),
    Index("ix_rate_counters_expires", "expires_at_us"),
)
