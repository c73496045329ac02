"""What we write to clients: a row first, then VK, one after another in each dialog, once each."""

import hashlib
from dataclasses import replace
from typing import Any

from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import Final, Later, NeedsPerson, VkError
from sigma.channels.vk.photos import kind_of, message_photo
from sigma.domain.accounts.member import Member
from sigma.domain.change import Change, Job
from sigma.domain.errors import Problem, Refused, has_controls, invalid
from sigma.domain.messaging.conversation import Conversation, next_place, went
from sigma.domain.messaging.message import AUTO, MAX_TEXT, Body, Message, Shown, Status, move
from sigma.services.context import Context
from sigma.services.conversations import delivery, inbox, message_codec
from sigma.services.vk import community_client
from sigma.services.vk.community_client import Line
from sigma.store import changes
from sigma.store.engine.interface import Conflict
from sigma.store.messaging import cards, conversations

__all__ = ["again", "may_write", "post", "queue", "resume", "rewrite", "send"]

send = delivery.send


def queue(
    ctx: Context,
    conversation: Conversation,
    body: Body,
    *,
    author: str,
    key: str,
    now: int,
    answers: bool = True,
) -> tuple[Message, Change]:
    """A message of ours and what must be written, for a caller that holds the dialog's lock.

    `author` is a user's id, or AUTO. What Sigma says by itself, and what does not answer, leaves
    the client waiting. One `key` of a shop is one message: a second one is a Conflict when it is
    written.
    """
    message_id = ctx.new_id("msg", conversation.shop_id)
    message = Message(
        id=message_id,
        shop_id=conversation.shop_id,
        conversation_id=conversation.id,
        out=True,
        author=author,
        body_sealed=message_codec.seal(ctx.sealer, body),
        at=now,
        place=next_place(conversation),
        status=Status.QUEUED,
        key=key,
        random_id=_random_id(message_id),
    )
    preview = message_codec.seal_preview(ctx.sealer, body)
    after = went(
        conversation, cmid=None, at=now, place=message.place, preview_sealed=preview, now=now
    )
    if author == AUTO or not answers:
        after = replace(after, unread=conversation.unread, unanswered=conversation.unanswered)
    if answers and author == conversation.answering_by:
        after = replace(after, answering_by="", answering_until=0)
    job = Job("message.send", message.id, message.shop_id)
    return message, Change((after, message), jobs=(job,))


def _random_id(message_id: str) -> int:
    """VK's guard against sending twice: the same at every try, never 0."""
    digest = hashlib.sha256(message_id.encode()).digest()
    return int.from_bytes(digest[:4], "big") % (2**31 - 1) + 1


async def post(
    ctx: Context,
    member: Member,
    conversation_id: str,
    text: str,
    *,
    key: str,
    photo: bytes | None = None,
    keyboard: dict[str, Any] | None = None,
) -> Message:
    """An operator's message: the dialog is from now on a person's. The same key is one message.

    Raises Refused: not_found, validation, cannot_write, no_community; with a photo also vk_silent
    and vk_refused.
    """
    conversation = await inbox.get(ctx, member, conversation_id)
    wish = f"post:{key}"
    if known := await _known(ctx, conversation, wish):
        return known
    text = _checked(text, photo)
    await may_write(ctx, conversation)
    body = Body(text, keyboard=keyboard)
    if photo is not None:
        attachment = await _uploaded(ctx, conversation, photo)
        body = replace(body, attachment=attachment, attachments=(Shown("photo"),))
    try:
        async with ctx.db.write() as tx:
            locked = await conversations.lock(tx, conversation.id)
            taken_over = replace(locked, by_hand=True)
            now = ctx.now()
            message, change = queue(ctx, taken_over, body, author=member.actor, key=wish, now=now)
            await changes.write(tx, change, now)
    except Conflict:
        known = await _known(ctx, conversation, wish)
        if known is None:
            raise
        return known
    await ctx.db.notify("inbox")
    return replace(message, version=1)


async def _known(ctx: Context, conversation: Conversation, key: str) -> Message | None:
    async with ctx.db.read() as tx:
        known = await conversations.by_key(tx, conversation.shop_id, key)
    if known and known.conversation_id != conversation.id:
        raise Refused("idempotency_key_reused")
    return known


def _checked(text: str, photo: bytes | None) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text and photo is None:
        raise invalid(Problem("text", "required"))
    if len(text) > MAX_TEXT:
        raise invalid(Problem("text", "too_long", {"max": MAX_TEXT}))
    if has_controls(text, lines=True):
        raise invalid(Problem("text", "characters"))
    if photo is not None:
        try:
            kind_of(photo)
        except ValueError:
            raise invalid(Problem("photo", "choose")) from None
    return text


async def may_write(ctx: Context, conversation: Conversation) -> None:
    """A closed dialog is looked at once more: the person may have opened it meanwhile.

    Raises Refused: cannot_write, no_community.
    """
    if not conversation.closed:
        return
    line = await community_client.line(ctx, conversation.connection_id)
    try:
        may = await vk_messages.allowed(line.vk, line.community.group_id, conversation.peer_id)
    except VkError:
        may = False
    if not may:
        raise Refused("cannot_write", reason=conversation.closed)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        if locked.closed:
            now, again = ctx.now(), await cards.anew(tx, locked.id)
            after = replace(locked, closed="", changed_at=now)
            await changes.write(tx, Change((after,), jobs=again), now)


async def _uploaded(ctx: Context, conversation: Conversation, photo: bytes) -> str:
    """Gives a picture to VK, and returns its name there."""
    line = await community_client.line(ctx, conversation.connection_id)
    try:
        return await message_photo(line.vk, conversation.peer_id, photo)
    except Later as later:
        raise Refused("vk_silent") from later
    except NeedsPerson as no:
        await community_client.broken(ctx, line.community.id, no)
        raise Refused("vk_refused", reason=str(no.code)) from no
    except Final as no:
        raise Refused("vk_refused", reason=str(no.code)) from no


async def rewrite(ctx: Context, message_id: str, body: Body, *, surely: bool = False) -> bool:
    """Makes a message of ours say something else, in VK and here.

    What VK has not got is changed here only. `surely`: VK is told even what it should say already.
    False when VK refuses for good: it is too old, say.
    Raises Later, also while it is not known whether the old words have arrived; NeedsPerson;
    Refused("no_community").
    """
    message = await _changed_here(ctx, message_id, body, surely)
    if message is None:
        return True
    assert message.cmid is not None, "what was sent has VK's number"
    async with ctx.db.read() as tx:
        conversation = await conversations.get(tx, message.conversation_id)
    assert conversation is not None, "a message has its dialog"
    line = await community_client.line(ctx, conversation.connection_id)
    try:
        await _edit(line, conversation.peer_id, message.cmid, body)
    except NeedsPerson as no:
        await community_client.broken(ctx, line.community.id, no)
        raise
    except Final:
        return False
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        message = await conversations.message(tx, message_id)
        assert message is not None, "a message is never deleted"
        await changes.write(tx, _rewritten(ctx, locked, message, body, edited=True), ctx.now())
    await ctx.db.notify("inbox")
    return True


async def _edit(line: Line, peer_id: int, cmid: int, body: Body) -> None:
    """Changes the words in VK; without the buttons where VK does not take them."""
    try:
        await vk_messages.edit(line.vk, peer_id, cmid, body.text, body.keyboard, body.attachment)
    except Final as no:
        if no.code not in delivery.KEYBOARD_REFUSED or not body.keyboard:
            raise
        await vk_messages.edit(line.vk, peer_id, cmid, body.text, None, body.attachment)


async def _changed_here(ctx: Context, message_id: str, body: Body, surely: bool) -> Message | None:
    """Changes what VK surely has not got; the message when VK must be asked, None when all is
    done. Raises Later.
    """
    async with ctx.db.write() as tx:
        message = await conversations.message(tx, message_id)
        assert message is not None and message.out, "only what we wrote is rewritten"
        locked = await conversations.lock(tx, message.conversation_id)
        message = await conversations.message(tx, message_id)
        assert message is not None, "a message is never deleted"
        same = _same(message_codec.read(ctx.sealer, message.body_sealed), body)
        if message.status is Status.SENT and (surely or not same):
            return message
        if same:
            return None
        if message.tried_at is not None and message.status is Status.QUEUED:
            raise Later(0, words="it may be on its way with the old words")
        await changes.write(tx, _rewritten(ctx, locked, message, body, edited=False), ctx.now())
    return None


def _same(one: Body, other: Body) -> bool:
    return (one.text, one.keyboard, one.attachment) == (
        other.text,
        other.keyboard,
        other.attachment,
    )


def _rewritten(
    ctx: Context, conversation: Conversation, message: Message, body: Body, *, edited: bool
) -> Change:
    now = ctx.now()
    last = message.place >= conversation.last_place
    preview = message_codec.seal_preview(ctx.sealer, body) if last else conversation.preview_sealed
    return Change(
        (
            replace(conversation, preview_sealed=preview, changed_at=now),
            replace(
                message,
                body_sealed=message_codec.seal(ctx.sealer, body),
                edited_at=now if edited else message.edited_at,
            ),
        )
    )


async def again(ctx: Context, member: Member, message_id: str) -> None:
    """A person tries a failed message once more: the same row, the same guard against sending
    twice. Raises Refused: not_found, cannot_write.
    """
    async with ctx.db.read() as tx:
        message = await conversations.message(tx, message_id)
    if message is None or not message.out:
        raise Refused("not_found", what="message")
    conversation = await inbox.get(ctx, member, message.conversation_id)
    await may_write(ctx, conversation)
    async with ctx.db.write() as tx:
        locked = await conversations.lock(tx, conversation.id)
        message = await conversations.message(tx, message_id)
        assert message is not None, "a message is never deleted"
        if message.status is not Status.FAILED:
            return
        now, place = ctx.now(), next_place(locked)
        queued = replace(
            message, status=move(message, Status.QUEUED), failure="", place=place, at=now
        )
        after = replace(locked, last_place=place, changed_at=now)
        job = Job("message.send", message.id, message.shop_id)
        await changes.write(tx, Change((after, queued), jobs=(job,)), now)
    await ctx.db.notify("inbox")


async def resume(ctx: Context, community_id: str) -> int:
    """After a key was mended: promises every waiting message again; returns how many."""
    async with ctx.db.read() as tx:
        waiting = await conversations.queued_of(tx, community_id)
    promised = tuple(Job("message.send", one, shop_id) for one, shop_id in waiting)
    if promised:
        await changes.commit(ctx.db, Change(jobs=promised), ctx.now())
    return len(promised)
