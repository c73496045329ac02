"""docs/security/personal-data.md agrees with the code: classes of data and periods."""

from sigma.domain.audit.verification import FaultKind
from sigma.domain.personal_data.retention import DEFAULT_DAYS, MIN_DAYS, DataKind
from sigma.store.encrypted_columns import EncryptedColumn
from tests.docs.markdown import names_in_cell, read, tables

PAGE = read("docs/security/personal-data.md")
# What the table of classes calls the data of each encrypted column.
CLASSES = {
    EncryptedColumn.INSTALLATION_KEY: ("A", "keys"),
    EncryptedColumn.SHOP_SMTP_URL: ("A", "mail server"),
    EncryptedColumn.CONNECTION_SECRET: ("A", "keys of acquirers"),
    EncryptedColumn.COMMUNITY_CALLBACK_SECRET: ("A", "communities"),
    EncryptedColumn.ANSWER_VALUES: ("B", "answers"),
    EncryptedColumn.CONSENT_EVIDENCE: ("B", "consent evidence"),
    EncryptedColumn.CONVERSATION_PREVIEW: ("B", "messages"),
    EncryptedColumn.MESSAGE_BODY: ("B", "messages"),
    EncryptedColumn.VK_ORDER_BODY: ("B", "orders"),
    EncryptedColumn.VK_EVENT_BODY: ("B", "VK events"),
    EncryptedColumn.ACQUIRER_NOTICE_BODY: ("B", "acquirer notices"),
    EncryptedColumn.MAIL_CONTENT: ("B", "mails that wait"),
    EncryptedColumn.INVOICE_RECIPIENT_EMAIL: ("B", "addresses that invoices were sent to"),
    EncryptedColumn.AUTHENTICATOR_SECRET: ("A", "authenticator apps"),
    EncryptedColumn.PASSWORD_RESET_CONTENT: ("A", "links for new passwords"),
    EncryptedColumn.SECURITY_NOTICE_DETAIL: ("A", "notices about access"),
    EncryptedColumn.CUSTOMER_NAME: ("B", "cards of customers"),
    EncryptedColumn.CUSTOMER_DETAILS: ("B", "cards of customers"),
    EncryptedColumn.CUSTOMER_IDENTITY: ("B", "cards of customers"),
    EncryptedColumn.EXPORT_FILTER: ("B", "exported files and their filters"),
    EncryptedColumn.EXPORT_PART: ("B", "exported files and their filters"),
    EncryptedColumn.IMPORT_CONTENT: ("B", "rows of imported tables"),
    EncryptedColumn.NOTIFICATION_ADDRESS: ("A", "addresses of notifications"),
    EncryptedColumn.NOTIFICATION_CODE: ("A", "the codes that link them"),
    EncryptedColumn.TELEGRAM_TOKEN: ("A", "Telegram bots"),
}


def table(header: list[str], page: str = PAGE) -> list[list[str]]:
    """Return the rows of the table with this header."""
    (found,) = [one for one in tables(page) if one[0] == header]
    return found[1:]


def test_every_encrypted_column_belongs_to_a_class() -> None:
    assert set(CLASSES) == set(EncryptedColumn)
    described = {row[0][0]: row[1] for row in table(["Class", "Data", "Protection"])}
    for letter, words in CLASSES.values():
        assert words in described[letter], words


def test_periods_are_those_of_the_code() -> None:
    rows = table(["Kind", "Default, days", "At least", "What is deleted"])
    documented = {row[0].strip("`"): (int(row[1]), int(row[2])) for row in rows}
    assert documented == {kind.value: (DEFAULT_DAYS[kind], MIN_DAYS[kind]) for kind in DataKind}


def test_every_fault_of_the_audit_log_is_documented() -> None:
    page = read("docs/security/audit-log.md")
    rows = table(["Fault", "What it means"], page)
    documented = {name for row in rows for name in names_in_cell(row[0])}
    assert documented == {kind.value for kind in FaultKind}
