"""The metadata of the whole schema. Each module of tables adds its own when it is imported."""

from typing import Final

from sqlalchemy import MetaData

from sigma.store.schema import (
    account_tables,
    audit_tables,
    catalogue_tables,
    customer_tables,
    encryption_tables,
    export_tables,
    import_tables,
    list_tables,
    messaging_tables,
    notification_tables,
    personal_data_tables,
    platform_tables,
    reconciliation_tables,
    reminder_tables,
    report_tables,
    tables,
)

TABLE_MODULES: Final = (
    tables,
    account_tables,
    catalogue_tables,
    messaging_tables,
    reconciliation_tables,
    encryption_tables,
    audit_tables,
    personal_data_tables,
    list_tables,
    customer_tables,
    platform_tables,
    report_tables,
    notification_tables,
    export_tables,
    import_tables,
    reminder_tables,
)
ALL_TABLES: Final[MetaData] = tables.metadata
