"""The metadata of the whole schema. Each module of tables adds its own when it is imported."""

from typing import Final

from sqlalchemy import MetaData

from sigma.store.schema import (
    account_tables,
    catalogue_tables,
    customer_tables,
    exchange_tables,
    list_tables,
    messaging_tables,
    notification_tables,
    personal_data_tables,
    platform_tables,
    reconciliation_tables,
    reminder_tables,
    tables,
)

TABLE_MODULES: Final = (
    tables,
    account_tables,
    catalogue_tables,
    messaging_tables,
    reconciliation_tables,
    personal_data_tables,
    list_tables,
    customer_tables,
    platform_tables,
    notification_tables,
    exchange_tables,
    reminder_tables,
)
ALL_TABLES: Final[MetaData] = tables.metadata
