"""What a pasted key is: whose, what it may, and in kind words why it will not do."""

import re
from dataclasses import dataclass

from sigma.channels.vk import groups
from sigma.channels.vk.client import Vk
from sigma.channels.vk.errors import Final, Later, VkError
from sigma.channels.vk.groups import Group
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.connection import Connection, Status
from sigma.domain.errors import Problem, Refused, invalid
from sigma.domain.messaging.community import Community
from sigma.services.communities.checklist import NEEDED, OPTIONAL, WISHED
from sigma.services.context import HOUR, Context
from sigma.store.billing import connections
from sigma.store.encryption import Unsealable
from sigma.store.messaging import communities

PROVIDER = "vk"
_KEY = re.compile(r"[A-Za-z0-9._-]{20,1024}", re.ASCII)
_NEEDS_EXCHANGE = {1117, 3609}
_NO_GROUP_KEY = {27, 28}


@dataclass(frozen=True, slots=True)
class Found:
    """What a pasted key opens. `known` is the shop's row of this group, connected now or once."""

    group: Group
    rights: tuple[str, ...]
    known: Community | None
    connected: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """Rights without which it cannot be connected."""
        return tuple(name for name in NEEDED if name not in self.rights)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Rights that would be good to have."""
        return tuple(name for name in WISHED if name not in self.rights)

    @property
    def shown(self) -> tuple[tuple[str, bool], ...]:
        """The rights that matter here, and whether the key has each."""
        return tuple((name, name in self.rights) for name in (*NEEDED, *WISHED, *OPTIONAL))


async def look(ctx: Context, member: Member, key: str) -> Found:
    """Whose key this is and what it may; nothing is stored.

    Raises Refused: "validation" with what is wrong with the key, vk_refused, vk_silent.
    """
    member.must(Permission.SETTINGS)
    vk = ctx.vk.of(connection_of(ctx, member, "", ""), read_key(key))
    group, rights = await _opened(vk)
    async with ctx.db.read() as tx:
        known = await communities.by_group(tx, member.shop_id, group.id)
        connection = await connections.get(tx, known.id) if known else None
    connected = connection is not None and connection.status is Status.ACTIVE
    return Found(group, rights, known, connected)


def read_key(key: str) -> str:
    """The key without what comes along when it is copied. Raises Refused("validation")."""
    key = "".join(key.split())
    if not key:
        raise invalid(Problem("key", "required"))
    if not _KEY.fullmatch(key):
        raise invalid(Problem("key", "vk_key_shape"))
    return key


async def _opened(vk: Vk) -> tuple[Group, tuple[str, ...]]:
    """The community and the rights of a key. Raises Refused."""
    try:
        # Only a community's key has these, so a person's or an app's key is known at once.
        rights = tuple(sorted(await groups.permissions(vk)))
    except Final:
        raise invalid(Problem("key", "vk_key_kind")) from None
    except VkError as error:
        raise _key_refusal(error) from None
    try:
        return await groups.who(vk), rights
    except VkError as error:
        raise _key_refusal(error) from None


def _key_refusal(error: VkError) -> Refused:
    if isinstance(error, Later):
        return Refused("vk_silent")
    if error.code in _NO_GROUP_KEY:
        return invalid(Problem("key", "vk_key_kind"))
    if error.code in _NEEDS_EXCHANGE:
        return invalid(Problem("key", "vk_key_old"))
    if error.code == 5:
        return invalid(Problem("key", "vk_key_wrong"))
    if error.code == 42:
        return invalid(Problem("key", "vk_key_address"))
    return invalid(Problem("key", "vk_key_person", {"code": error.code}))


def must_fit(found: Found) -> None:
    """Raises Refused("validation") when Sigma could do nothing with this key."""
    if found.group.deactivated:
        raise invalid(Problem("key", "vk_group_gone", {"name": found.group.name}))
    for right in found.missing:
        raise invalid(Problem("key", f"vk_no_{right}"))


def connection_of(ctx: Context, member: Member, connection_id: str, account: str) -> Connection:
    """A fresh connection to VK, as the settings say where it is. It keeps no key yet."""
    return Connection(
        id=connection_id,
        shop_id=member.shop_id,
        provider=PROVIDER,
        title="",
        account=account,
        secret_sealed="",
        created_at=ctx.now(),
        settings={"api_url": ctx.settings.vk_api_url, "site_url": ctx.settings.vk_site_url},
    )


def ticket(ctx: Context, member: Member, key: str) -> str:
    """A pasted key, sealed for the page that asks "is it this one?": it is never shown again."""
    return ctx.sealer.seal({"key": read_key(key), "shop": member.shop_id, "at": ctx.now()})


def from_ticket(ctx: Context, member: Member, sealed: str) -> str:
    """The key of a ticket. Raises Refused("validation") when it is too old or not ours."""
    try:
        told = ctx.sealer.open(sealed)
    except Unsealable:
        told = {}
    if told.get("shop") != member.shop_id or ctx.now() - told.get("at", 0) > HOUR:
        raise invalid(Problem("key", "vk_key_again"))
    return str(told["key"])
