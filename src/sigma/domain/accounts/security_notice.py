"""Notices by mail about a change of somebody's access: a new device, a key, a password."""

from dataclasses import dataclass
from enum import StrEnum


class NoticeKind(StrEnum):
    """What has happened. texts: mail.security.<kind>."""

    NEW_DEVICE = "new_device"
    KEY_CREATED = "key_created"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of an event
    PASSWORD_RESET = "password_reset"  # noqa: S105
    CONNECTION_CHANGED = "connection_changed"
    COMMUNITY_CHANGED = "community_changed"
    MAIL_SERVER_CHANGED = "mail_server_changed"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    RECOVERY_CODES_CREATED = "recovery_codes_created"
    RECOVERY_CODE_USED = "recovery_code_used"


@dataclass(frozen=True, slots=True)
class SecurityNotice:
    """What the mails about one event say. `user_id` is who did it.

    `detail_encrypted` holds address, device and the name of the thing (key, connection, factor).
    """

    id: str
    shop_id: str
    user_id: str
    kind: NoticeKind
    occurred_at_us: int
    detail_encrypted: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class NoticeDetail:
    """The decrypted detail of a notice.

    `subject` is the name of the key or connection, "proof:name" of a second factor, the number of
    recovery codes that are left.
    """

    subject: str = ""
    address: str = ""
    device_name: str = ""
