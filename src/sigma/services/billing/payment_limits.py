"""Which amounts and currencies the shop's acquirer takes, and what stops an invoice being paid.

The only place that compares an amount with the limits of a connection: the invoice form, the API,
phrases, auto-replies, the public page and the CLI issue through `sigma.services.billing.invoices`,
which calls `check_amount`.
"""

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.connection import (
    AmountLimits,
    Connection,
    check_limits,
    is_amount_accepted,
)
from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.errors import Problem
from sigma.domain.money import Money
from sigma.providers.base import amount_limits
from sigma.services.connection_secrets import decrypt_secret, is_secret_readable
from sigma.services.context import Context
from sigma.store.billing import connections
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx

NO_CONNECTION = "no_connection"
SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a code
AMOUNT_NOT_ACCEPTED = "amount_not_accepted"


def connection_limits(ctx: Context, connection: Connection) -> dict[str, AmountLimits]:
    """Return the limits of one payment by currency; empty when the acquirer names none.

    While the secret cannot be decrypted, those of a live account.
    """
    provider = ctx.providers[connection.provider]
    try:
        return dict(amount_limits(provider, decrypt_secret(ctx.cipher, connection)))
    except DecryptionError:
        return dict(provider.capabilities.limits)


def check_connection_amount(ctx: Context, connection: Connection, amount: Money) -> list[Problem]:
    """Return why a connection does not take an amount, as problems of the field "amount"."""
    return check_limits(amount, connection_limits(ctx, connection), connection.provider)


async def check_amount(ctx: Context, shop_id: str, amount: Money) -> list[Problem]:
    """Return why the shop's active connection does not take an amount; empty without one."""
    async with ctx.db.read() as tx:
        connection = await connections.find_active(tx, shop_id)
    return check_connection_amount(ctx, connection, amount) if connection else []


async def accepted_currencies(ctx: Context, member: Member) -> frozenset[str]:
    """Return the ISO 4217 codes that the shop's active connection takes; RUB without one."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        connection = await connections.find_active(tx, member.shop_id)
    limits = connection_limits(ctx, connection) if connection else {}
    return frozenset(limits) or frozenset({"RUB"})


async def is_payable(ctx: Context, tx: Tx, shop_id: str, provider: str, amount: Money) -> bool:
    """Return whether the shop's active connection, of the acquirer `provider`, takes the amount.

    Reads the connection only for an amount that a live or a test account would refuse, because
    every view of a payment page asks.
    """
    capabilities = ctx.providers[provider].capabilities
    every_limit = [limits for limits in (capabilities.limits, capabilities.test_limits) if limits]
    if all(is_amount_accepted(amount, limits) for limits in every_limit):
        return True
    connection = await connections.find_active(tx, shop_id)
    return connection is not None and not check_connection_amount(ctx, connection, amount)


async def list_warnings(
    ctx: Context, member: Member, *invoices: Invoice
) -> dict[str, tuple[str, ...]]:
    """Return invoice id → why clients cannot pay it now: NO_CONNECTION, SECRET_UNREADABLE
    (the key of the connection is encrypted with a missing key) or AMOUNT_NOT_ACCEPTED.

    Each invoice has an entry; it is empty when the invoice can be paid or is not open.
    """
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        connection = await connections.find_active(tx, member.shop_id)
    limits = connection_limits(ctx, connection) if connection else {}
    warnings: dict[str, tuple[str, ...]] = {}
    for invoice in invoices:
        if invoice.status_at(ctx.now_us()) is not Status.OPEN:
            warnings[invoice.id] = ()
        elif connection is None:
            warnings[invoice.id] = (NO_CONNECTION,)
        elif not is_secret_readable(ctx.cipher, connection):
            warnings[invoice.id] = (SECRET_UNREADABLE,)
        else:
            is_accepted = is_amount_accepted(invoice.amount, limits)
            warnings[invoice.id] = () if is_accepted else (AMOUNT_NOT_ACCEPTED,)
    return warnings


async def connection_warnings(ctx: Context, member: Member) -> tuple[str, ...]:
    """Return why clients can pay no invoice now: NO_CONNECTION, SECRET_UNREADABLE; usually none."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        connection = await connections.find_active(tx, member.shop_id)
    if connection is None:
        return (NO_CONNECTION,)
    return () if is_secret_readable(ctx.cipher, connection) else (SECRET_UNREADABLE,)
