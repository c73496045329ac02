"""A shop's accounts at acquirers. Connections to the same account are compared as one.

Otherwise a payment of one connection would be foreign to the other, because the acquirer lists
payments by account.
"""

from dataclasses import dataclass

from sigma.domain.billing.connection import Connection, Status
from sigma.providers.base import ConnectionAccess, Provider, connection_access
from sigma.services.billing.acquirer_calls import guard_calls
from sigma.services.connection_secrets import decrypt_secret
from sigma.services.context import Context
from sigma.store.billing import connections


@dataclass(frozen=True, slots=True)
class Account:
    """One account at an acquirer. `connection` has the credentials: the newest active one."""

    provider: Provider
    access: ConnectionAccess
    connection: Connection
    connection_ids: tuple[str, ...]


async def open_accounts(ctx: Context, shop_id: str) -> list[Account]:
    """Return the shop's accounts, the one with the oldest connection first."""
    async with ctx.db.read() as tx:
        rows = await connections.list_for_shop(tx, shop_id)
    groups: dict[tuple[str, ...], list[Connection]] = {}
    for row in rows:
        if row.provider in ctx.providers:
            base_url = row.settings.get("base_url") or ctx.providers[row.provider].base_url
            groups.setdefault((row.provider, row.account, str(base_url)), []).append(row)
    return [_account(ctx, group) for group in groups.values()]


def _account(ctx: Context, group: list[Connection]) -> Account:
    active = [connection for connection in group if connection.status is Status.ACTIVE]
    connection = (active or group)[-1]
    provider = ctx.providers[connection.provider]
    secret = decrypt_secret(ctx.cipher, connection)
    access = connection_access(provider, connection, secret)
    return Account(guard_calls(ctx, provider), access, connection, tuple(one.id for one in group))
