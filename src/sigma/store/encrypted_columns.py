"""The encrypted columns of the schema. A ciphertext is bound to its column and row.

`tests/store/test_encryption.py` fails when a column `*_encrypted` is missing here.
"""

from enum import StrEnum

from sqlalchemy import Column, Table

from sigma.store.schema.all_tables import ALL_TABLES

SUFFIX = "_encrypted"


class EncryptedColumn(StrEnum):
    """`table.column`. The row id that a ciphertext is bound to is the row's primary key `id`."""

    # First: without these keys search and links do not work.
    INSTALLATION_KEY = "installation_keys.key_encrypted"
    SHOP_SMTP_URL = "shops.smtp_url_encrypted"
    CONNECTION_SECRET = "connections.secret_encrypted"  # noqa: S105 - the name of a column
    COMMUNITY_CALLBACK_SECRET = "communities.callback_secret_encrypted"  # noqa: S105
    ANSWER_VALUES = "answers.values_encrypted"
    CONSENT_EVIDENCE = "consents.evidence_encrypted"
    MAIL_CONTENT = "mail_contents.body_encrypted"
    INVOICE_RECIPIENT_EMAIL = "invoice_recipients.email_encrypted"
    CONVERSATION_PREVIEW = "conversations.preview_encrypted"
    MESSAGE_BODY = "messages.body_encrypted"
    VK_ORDER_BODY = "vk_orders.body_encrypted"
    VK_EVENT_BODY = "vk_events.body_encrypted"
    ACQUIRER_NOTICE_BODY = "acquirer_notices.body_encrypted"
    AUTHENTICATOR_SECRET = "authenticator_apps.secret_encrypted"  # noqa: S105
    PASSWORD_RESET_CONTENT = "password_resets.content_encrypted"  # noqa: S105
    SECURITY_NOTICE_DETAIL = "security_notices.detail_encrypted"
    CUSTOMER_NAME = "customers.name_encrypted"
    CUSTOMER_DETAILS = "customers.details_encrypted"
    CUSTOMER_IDENTITY = "customer_identities.value_encrypted"
    NOTIFICATION_ADDRESS = "notification_addresses.address_encrypted"
    NOTIFICATION_CODE = "notification_addresses.code_encrypted"
    TELEGRAM_TOKEN = "telegram_bots.token_encrypted"  # noqa: S105 - the name of a column
    IMPORT_CONTENT = "invoice_import_rows.content_encrypted"
    EXPORT_FILTER = "exports.filter_encrypted"
    EXPORT_PART = "export_parts.body_encrypted"

    @property
    def table(self) -> Table:
        """The table of the column."""
        return ALL_TABLES.tables[self.partition(".")[0]]

    @property
    def column(self) -> Column[str]:
        """The column itself."""
        return self.table.c[self.partition(".")[2]]
