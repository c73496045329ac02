"""Access keys of VK communities: inspect a pasted key and explain why it cannot be used."""

import re
from dataclasses import dataclass

from sigma.channels.vk import groups
from sigma.channels.vk.client import VkClient
from sigma.channels.vk.errors import PermanentError, RetryLaterError, VkError
from sigma.channels.vk.groups import Group
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.connection import Connection, Status
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.messaging.checklist import (
    OPTIONAL_RIGHTS,
    RECOMMENDED_RIGHTS,
    REQUIRED_RIGHTS,
)
from sigma.domain.messaging.community import Community
from sigma.domain.time_units import HOUR_US
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.store.billing import connections
from sigma.store.encryption import DecryptionError
from sigma.store.messaging import communities

PROVIDER = "vk"
TICKET_PURPOSE = "form.access_key"  # a ticket is bound to it and to the shop, as if to a cell
_KEY_FORMAT = re.compile(r"[A-Za-z0-9._-]{20,1024}", re.ASCII)
# VK error codes; sigma.channels.vk.errors explains them.
_OUTDATED_KEY_CODES = {1117, 3609}
_NOT_COMMUNITY_KEY_CODES = {27, 28}


@dataclass(frozen=True, slots=True)
class InspectedKey:
    """What VK says about a pasted key. `existing`: the shop's row of the community, or None."""

    group: Group
    rights: tuple[str, ...]
    existing: Community | None
    is_connected: bool

    @property
    def missing_required(self) -> tuple[str, ...]:
        """Required rights that the key lacks."""
        return tuple(name for name in REQUIRED_RIGHTS if name not in self.rights)

    @property
    def missing_recommended(self) -> tuple[str, ...]:
        """Recommended rights that the key lacks."""
        return tuple(name for name in RECOMMENDED_RIGHTS if name not in self.rights)

    @property
    def rights_with_state(self) -> tuple[tuple[str, bool], ...]:
        """All rights that Sigma can use, each with whether the key has it."""
        return tuple(
            (name, name in self.rights)
            for name in (*REQUIRED_RIGHTS, *RECOMMENDED_RIGHTS, *OPTIONAL_RIGHTS)
        )


async def inspect(ctx: Context, member: Member, key: str) -> InspectedKey:
    """Ask VK which community a key belongs to and which rights it has. Stores nothing.

    Raises RefusedError: "validation" with the problem of the key, "vk_silent".
    """
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        lang = await community_client.shop_language(tx, member.shop_id)
    vk = ctx.vk.for_key(new_connection(ctx, member, "", ""), clean_key(key), lang)
    group, rights = await _fetch_group_and_rights(vk)
    async with ctx.db.read() as tx:
        known = await communities.find_by_group(tx, member.shop_id, group.id)
        connection = await connections.get(tx, known.id) if known else None
    connected = connection is not None and connection.status is Status.ACTIVE
    return InspectedKey(group, rights, known, connected)


def clean_key(key: str) -> str:
    """Return the key without copied white space. Raises RefusedError("validation")."""
    key = "".join(key.split())
    if not key:
        raise validation_error(Problem("key", "required"))
    if not _KEY_FORMAT.fullmatch(key):
        raise validation_error(Problem("key", "vk_key_shape"))
    return key


async def _fetch_group_and_rights(vk: VkClient) -> tuple[Group, tuple[str, ...]]:
    """Fetch the community and the rights of a key from VK. Raises RefusedError."""
    try:
        # Only community keys have permissions: keys of users and apps fail here.
        rights = tuple(sorted(await groups.fetch_permissions(vk)))
    except PermanentError:
        raise validation_error(Problem("key", "vk_key_kind")) from None
    except VkError as error:
        raise _to_key_refusal(error) from None
    try:
        return await groups.fetch_group(vk), rights
    except VkError as error:
        raise _to_key_refusal(error) from None


def _to_key_refusal(error: VkError) -> RefusedError:
    if isinstance(error, RetryLaterError):
        return RefusedError("vk_silent")
    if error.code in _NOT_COMMUNITY_KEY_CODES:
        return validation_error(Problem("key", "vk_key_kind"))
    if error.code in _OUTDATED_KEY_CODES:
        return validation_error(Problem("key", "vk_key_old"))
    if error.code == 5:
        return validation_error(Problem("key", "vk_key_wrong"))
    if error.code == 42:
        return validation_error(Problem("key", "vk_key_address"))
    return validation_error(Problem("key", "vk_key_person", {"code": error.code}))


def require_usable(inspected: InspectedKey) -> None:
    """Raise RefusedError("validation") if the community is deactivated or a right is missing."""
    if inspected.group.deactivated:
        raise validation_error(Problem("key", "vk_group_gone", {"name": inspected.group.name}))
    for right in inspected.missing_required:
        raise validation_error(Problem("key", f"vk_no_{right}"))


def new_connection(ctx: Context, member: Member, connection_id: str, account: str) -> Connection:
    """Return a new VK connection with the configured URLs and no key. It is not stored."""
    return Connection(
        id=connection_id,
        shop_id=member.shop_id,
        provider=PROVIDER,
        title="",
        account=account,
        secret_encrypted="",
        created_at_us=ctx.now_us(),
        settings={"api_url": ctx.settings.vk_api_url, "site_url": ctx.settings.vk_site_url},
    )


def issue_ticket(ctx: Context, member: Member, key: str) -> str:
    """Encrypt a pasted key for the confirmation page, so that it never appears in plain text."""
    values = {"key": clean_key(key), "issued_at_us": ctx.now_us()}
    return ctx.cipher.encrypt(values, TICKET_PURPOSE, member.shop_id)


def read_ticket(ctx: Context, member: Member, ticket: str) -> str:
    """Return the key of a ticket.

    Raises RefusedError("validation") when it is older than an hour or of another shop.
    """
    try:
        values = ctx.cipher.decrypt(ticket, TICKET_PURPOSE, member.shop_id)
    except DecryptionError:
        values = {}
    if ctx.now_us() - values.get("issued_at_us", 0) > HOUR_US:
        raise validation_error(Problem("key", "vk_key_again"))
    return str(values["key"])
