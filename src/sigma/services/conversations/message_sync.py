"""What VK tells of a dialog, written down once: told twice, late or in another order, by an event
or by the history, it comes to the same rows.
"""

import re
from dataclasses import replace

from sigma.channels.vk import events
from sigma.channels.vk.events import Told
from sigma.channels.vk.messages import Sent
from sigma.domain.change import Change, Job, Saved
from sigma.domain.messaging.auto_reply import FRESH
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation, came, gap, waits, went
from sigma.domain.messaging.message import CLIENT, STEP, Body, Message, Status
from sigma.services.context import SECOND, Context
from sigma.services.conversations import message_codec, search_index
from sigma.services.conversations.delivery import arrived
from sigma.store import changes
from sigma.store.billing import connections
from sigma.store.catalogue import services
from sigma.store.engine.interface import Conflict, Tx
from sigma.store.messaging import cards, conversations

IN_VK = "vk:"  # the author of what a person wrote in VK itself; of VK's own robots it is "vk:0"
_REF = re.compile(r"svc_[0-9a-z]{23}", re.ASCII)
_LINK = re.compile(r"/s/[^\s/?#]{1,100}/(svc_[0-9a-z]{23})(?![0-9a-z])", re.ASCII)


async def opened(ctx: Context, community: Community, peer_id: int) -> Conversation:
    """The dialog with a person, as it is or as it begins now; then the profile is read soon."""
    while True:
        async with ctx.db.read() as tx:
            known = await conversations.by_peer(tx, community.id, peer_id)
        if known is not None:
            return known
        now = ctx.now()
        fresh = Conversation(
            id=ctx.new_id("dlg", community.shop_id),
            shop_id=community.shop_id,
            connection_id=community.id,
            peer_id=peer_id,
            created_at=now,
            changed_at=now,
        )
        job = Job("person.read", fresh.id, fresh.shop_id)
        try:
            await changes.commit(ctx.db, Change((fresh,), jobs=(job,)), now)
        except Conflict:
            continue  # another event of the same person was faster


async def hear(
    ctx: Context,
    community: Community,
    told: Told,
    *,
    live: bool = True,
    unread: bool = True,
    notice_id: str = "",
) -> Message | None:
    """Writes down one message as VK tells it; its event is handled in the same transaction.

    `live`: told as it happens, not read from the history. `unread`: nobody has seen it in VK yet.
    Returns a client's message that was not known before.
    """
    conversation = await opened(ctx, community, told.peer_id)
    if told.from_id == -community.group_id:
        told = replace(told, out=True)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        known = await conversations.by_cmid(tx, locked.id, told.cmid)
        fresh, changed = None, True
        if known is not None:
            changed = await _once_more(ctx, tx, locked, known, told)
        elif told.out:
            await _ours(ctx, tx, locked, told, live=live)
        else:
            fresh = await _theirs(ctx, tx, community, locked, told, live=live, unread=unread)
        if notice_id:
            await connections.mark_handled(tx, notice_id, ctx.now())
    if changed:
        await ctx.db.notify("inbox")
    return fresh


async def _once_more(
    ctx: Context, tx: Tx, conversation: Conversation, known: Message, told: Told
) -> bool:
    """What is already here changes only when VK says that it was edited, later than we know."""
    body = message_codec.read(ctx.sealer, known.body_sealed)
    edited = told.edited_us >= (known.edited_at or 1) // SECOND * SECOND and told.edited
    if edited and (body.text, body.attachments) != (told.text, told.attachments):
        after = replace(body, text=told.text, attachments=told.attachments)
    elif known.out and not any(one.url for one in body.attachments) and told.attachments:
        after = replace(body, attachments=told.attachments)  # VK's address of our own picture
    else:
        return False
    if after == body:
        return False
    now, saved = ctx.now(), replace(conversation)
    if conversation.last_cmid == known.cmid and after.text != body.text:
        saved = replace(saved, preview_sealed=message_codec.seal_preview(ctx.sealer, after))
    message = replace(
        known,
        body_sealed=message_codec.seal(ctx.sealer, after),
        edited_at=told.edited_us if edited and after.text != body.text else known.edited_at,
    )
    await changes.write(tx, Change((replace(saved, changed_at=now), message)), now)
    await search_index.index(tx, ctx.sealer, known.shop_id, known.conversation_id, after.text)
    return True


async def _theirs(
    ctx: Context,
    tx: Tx,
    community: Community,
    conversation: Conversation,
    told: Told,
    *,
    live: bool,
    unread: bool,
) -> Message:
    """A client's message that is new here."""
    now, newest = ctx.now(), told.cmid > conversation.last_cmid
    last = (
        None if newest else await conversations.by_cmid(tx, conversation.id, conversation.last_cmid)
    )
    if last and last.author.startswith(IN_VK):
        unread = False  # a person in VK has written after it
    message = _row(ctx, conversation, told, CLIENT)
    after = came(
        conversation,
        cmid=told.cmid,
        at=told.at_us,
        preview_sealed=message_codec.seal_preview(ctx.sealer, _body(told)),
        now=now,
        count=unread,
    )
    if unread and last and last.out:
        after = waits(after, told.at_us)  # we wrote without having seen it
    if newest:
        after = replace(after, closed="")  # whoever writes lets us answer
    if live and newest and told.client_info:
        after = replace(after, buttons=",".join(events.buttons(told.client_info)))
    after = await _came_for(tx, community, after, told, newest=newest)
    jobs = gap(conversation, told.cmid, now) if live else ()
    if unread and not after.by_hand:
        jobs += await _answer(tx, message, now)
    if conversation.closed and not after.closed:
        jobs += await cards.anew(tx, conversation.id)
    await _write(ctx, tx, (after, message), jobs, told.text, now)
    return message


async def _ours(
    ctx: Context, tx: Tx, conversation: Conversation, told: Told, *, live: bool
) -> None:
    """The echo of what we sent, or what somebody wrote in VK itself."""
    waiting = await conversations.open_one(tx, conversation.id, told.random_id)
    if told.random_id and waiting is not None:
        sent = Sent(told.message_id, told.cmid)
        await arrived(ctx, tx, conversation, waiting, sent, told.attachments)
        return
    now, person = ctx.now(), told.admin_author_id
    message = _row(ctx, conversation, told, f"{IN_VK}{person}")
    after = went(
        conversation,
        cmid=told.cmid,
        at=told.at_us,
        place=message.place,
        preview_sealed=message_codec.seal_preview(ctx.sealer, _body(told)),
        now=now,
    )
    if not person:  # a robot's word answers nobody
        after = replace(after, unread=conversation.unread, unanswered=conversation.unanswered)
    elif live:
        after = replace(after, by_hand=True)
    jobs = gap(conversation, told.cmid, now) if live else ()
    await _write(ctx, tx, (after, message), jobs, told.text, now)


def _body(told: Told) -> Body:
    return Body(told.text, told.attachments, payload=None if told.out else told.payload)


def _row(ctx: Context, conversation: Conversation, told: Told, author: str) -> Message:
    return Message(
        id=ctx.new_id("msg", conversation.shop_id),
        shop_id=conversation.shop_id,
        conversation_id=conversation.id,
        out=told.out,
        author=author,
        body_sealed=message_codec.seal(ctx.sealer, _body(told)),
        at=told.at_us,
        place=told.cmid * STEP,
        status=Status.SENT if told.out else Status.RECEIVED,
        cmid=told.cmid,
        vk_id=told.message_id or None,
        edited_at=told.edited_us or None,
    )


async def _write(
    ctx: Context,
    tx: Tx,
    saved: tuple[Saved, ...],
    jobs: tuple[Job, ...],
    text: str,
    now: int,
) -> None:
    message = saved[-1]
    assert isinstance(message, Message)
    await changes.write(tx, Change(saved, jobs=jobs), now)
    await search_index.index(tx, ctx.sealer, message.shop_id, message.conversation_id, text)


async def _answer(tx: Tx, message: Message, now: int) -> tuple[Job, ...]:
    """The promise to look whether a client's message is answered by itself. The history may tell
    of it before its event does, so its age decides and not who told it.
    """
    if now - message.at > FRESH:
        return ()
    wanted = await cards.auto_answers_of(tx, message.shop_id)
    return (Job("auto.answer", message.id, message.shop_id),) if wanted.get("on") else ()


async def _came_for(
    tx: Tx, community: Community, conversation: Conversation, told: Told, *, newest: bool
) -> Conversation:
    """The service that the client asks about. What the client's app says is only looked up."""
    if not newest and conversation.service_id:
        return conversation
    ref = told.ref_source or told.ref
    if ref and (newest or not conversation.ref):
        conversation = replace(conversation, ref=ref)
    service_id = await _service(tx, community, told)
    return replace(conversation, service_id=service_id) if service_id else conversation


async def _service(tx: Tx, community: Community, told: Told) -> str | None:
    """By trust: VK's own card of an item, the ref of our link, our button, a link in the words."""
    carried = any(one.kind == "market" for one in told.attachments)
    if carried and (found := await _by_item(tx, community, told)):
        return found
    for named in (told.ref, str((told.payload or {}).get("service", ""))):
        if _REF.fullmatch(named) and (found := await _by_id(tx, community, named)):
            return found
    if not carried and (found := await _by_item(tx, community, told)):
        return found
    linked = _LINK.search("\n".join([told.text, *(one.url for one in told.attachments)]))
    return await _by_id(tx, community, linked[1]) if linked else None


async def _by_item(tx: Tx, community: Community, told: Told) -> str | None:
    if told.market_item is None or told.market_item[0] != -community.group_id:
        return None
    service = await services.by_item(tx, community.id, told.market_item[1])
    return service.id if service and service.deleted_at is None else None


async def _by_id(tx: Tx, community: Community, service_id: str) -> str | None:
    service = await services.get(tx, service_id)
    good = service and service.shop_id == community.shop_id and service.deleted_at is None
    return service_id if good else None
