"""The deeds that the audit log records.

To add one: a member here, a sentence in `audit.toml` of both languages, and one call of
`sigma.services.platform.audit_log.record` in the transaction of the deed.
"""

from enum import StrEnum


class Deed(StrEnum):
    """What somebody did: `noun.participle`, stored and shown; a stored name never changes."""

    # Access
    OWNER_CREATED = "owner.created"
    SIGNED_IN = "session.opened"
    SIGN_IN_FAILED = "session.refused"
    SIGNED_OUT = "session.closed"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of a deed
    PASSWORD_RESET = "password.reset"  # noqa: S105 - by a link
    RESET_LINK_CREATED = "password_link.created"  # by the administrator of the server
    FACTOR_ADDED = "second_factor.added"
    FACTOR_REMOVED = "second_factor.removed"
    FACTOR_REFUSED = "second_factor.refused"  # a wrong second step of a sign-in
    RECOVERY_CODES_CREATED = "recovery_codes.created"
    SESSION_ENDED = "session.ended"  # by its owner, from another one
    IDENTITY_REFUSED = "identity.refused"  # a wrong confirmation in an open session
    SECURITY_RULES_CHANGED = "security_rules.changed"
    # The team: recorded where members and roles are changed
    INVITATION_CREATED = "invitation.created"
    INVITATION_REVOKED = "invitation.revoked"
    OWNERSHIP_HANDED_OVER = "ownership.handed_over"
    REFUND_LIMITS_CHANGED = "refund_limits.changed"
    MEMBER_ADDED = "member.added"
    MEMBER_REMOVED = "member.removed"
    ROLE_CHANGED = "member.role_changed"
    # Settings
    SHOP_CHANGED = "shop.changed"
    MAIL_CHANGED = "mail_settings.changed"
    AUTO_REPLIES_CHANGED = "auto_replies.changed"
    REMINDERS_CHANGED = "reminders.changed"
    STOREFRONT_CHANGED = "storefront.changed"
    RETENTION_CHANGED = "retention.changed"
    KEY_CREATED = "api_key.created"
    KEY_REVOKED = "api_key.revoked"
    CONNECTION_ADDED = "connection.added"
    CONNECTION_CHANGED = "connection.changed"
    CONNECTION_SWITCHED_ON = "connection.switched_on"
    CONNECTION_SWITCHED_OFF = "connection.switched_off"
    COMMUNITY_CONNECTED = "community.connected"
    COMMUNITY_KEY_REPLACED = "community.key_replaced"
    COMMUNITY_CHANGED = "community.changed"
    COMMUNITY_DISCONNECTED = "community.disconnected"
    # Notifications to a member
    NOTIFICATIONS_CHANGED = "notifications.changed"
    NOTIFICATION_LINK_STARTED = "notification_address.requested"
    NOTIFICATION_LINKED = "notification_address.linked"
    NOTIFICATION_UNLINKED = "notification_address.removed"
    TELEGRAM_BOT_CHANGED = "telegram_bot.changed"
    TELEGRAM_BOT_REMOVED = "telegram_bot.removed"
    # The installation
    SHOP_CREATED = "shop.created"
    QUOTAS_CHANGED = "quotas.changed"
    ADMINISTRATOR_ADDED = "administrator.added"
    ADMINISTRATOR_REMOVED = "administrator.removed"
    # Money
    INVOICE_VOIDED = "invoice.voided"
    INVOICE_MAILED = "invoice.mailed"
    REMINDERS_SILENCED = "invoice.reminders_silenced"
    REMINDERS_ALLOWED = "invoice.reminders_allowed"
    PAYMENT_CAPTURED = "payment.capture_requested"
    PAYMENT_CANCELED = "payment.cancel_requested"
    PAYMENT_ACCEPTED = "payment.accepted"
    REFUND_REQUESTED = "refund.requested"
    DIFFERENCE_REPAIRED = "difference.repaired"
    DIFFERENCE_CLOSED = "difference.closed"
    STATEMENT_DOWNLOADED = "statement.downloaded"
    # Catalogue and jobs
    PRICE_LIST_IMPORTED = "price_list.imported"
    PRICE_LIST_EXPORTED = "price_list.exported"
    INVOICES_IMPORTED = "invoices.imported"
    IMPORT_UNDONE = "invoices.import_undone"
    EXPORT_REQUESTED = "export.requested"
    EXPORT_DOWNLOADED = "export.downloaded"
    JOB_RETRIED = "job.retried"
    JOB_DISMISSED = "job.dismissed"
    # Personal data
    ANSWERS_VIEWED = "answers.viewed"
    RECEIPT_RESENT = "receipt.resent"
    CLIENT_EXPORTED = "client.exported"
    CLIENT_ERASED = "client.erased"
    CUSTOMER_CHANGED = "customer.changed"
    CUSTOMERS_MERGED = "customers.merged"
    CUSTOMER_SPLIT = "customer.split"
    CUSTOMER_MOVE_UNDONE = "customer_move.undone"
    SUGGESTION_DISMISSED = "customer_suggestion.dismissed"
    # Lists
    VIEW_SHARED = "saved_view.shared"
    VIEW_REMOVED = "saved_view.removed"
    # The log itself
    AUDIT_EXPORTED = "audit_log.exported"
    CHAIN_STARTED = "audit_log.started"
    KEYS_ROTATED = "encryption_keys.rotated"


class ActorKind(StrEnum):
    """Who acted, by the `actor` of a member."""

    USER = "user"
    KEY = "key"
    CLI = "cli"  # the administrator of the server, by the command line
    SYSTEM = "system"  # Sigma itself
    UNKNOWN = "unknown"  # the request has no session


def actor_kind(actor: str) -> ActorKind:
    """Return what kind of actor an `actor` of an entry is."""
    if actor.startswith("usr_"):
        return ActorKind.USER
    if actor.startswith("key_"):
        return ActorKind.KEY
    if actor == "cli":
        return ActorKind.CLI
    return ActorKind.SYSTEM if actor else ActorKind.UNKNOWN
