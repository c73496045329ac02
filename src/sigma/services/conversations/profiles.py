"""Who writes to us: the public names and pictures of profiles, read from VK."""

from collections.abc import Iterable
from dataclasses import replace

from sigma.channels.vk.errors import Final, NeedsPerson
from sigma.channels.vk.users import Person, profiles
from sigma.domain.change import Change
from sigma.domain.errors import Refused
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.messaging import conversations


async def read(ctx: Context, conversation_id: str) -> int | None:
    """Job: reads the name and the picture of a dialog's person. Raises Later."""
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, conversation_id)
    if conversation is None or conversation.name:
        return None
    try:
        line = await community_client.line(ctx, conversation.connection_id)
        found = await profiles(line.vk, [conversation.peer_id])
    except (Refused, Final):
        return None  # disconnected, or VK does not tell: the history may name everybody later
    except NeedsPerson as no:
        await community_client.broken(ctx, conversation.connection_id, no)
        return None
    await name(ctx, conversation.connection_id, found)
    return None


async def name(ctx: Context, community_id: str, people: Iterable[Person]) -> None:
    """Writes what is known of these people into their dialogs, if it is news."""
    changed = False
    for person in people:
        async with ctx.db.read() as tx:
            seen = await conversations.by_peer(tx, community_id, person.id)
        if seen is None or not person.name or (seen.name, seen.photo_url) == person_of(person):
            continue
        async with ctx.db.write() as tx:
            locked = await conversations.lock(tx, seen.id)
            now = ctx.now()
            after = replace(locked, name=person.name, photo_url=person.photo, changed_at=now)
            await changes.write(tx, Change((after,)), now)
        changed = True
    if changed:
        await ctx.db.notify("inbox")


def person_of(person: Person) -> tuple[str, str]:
    """What a dialog keeps of a profile."""
    return person.name, person.photo
