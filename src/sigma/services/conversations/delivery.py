"""One message of ours on its way to VK: tried, waited for, looked for after a lost answer, sent or
failed. Nothing is lost and nothing is sent twice.
"""

from dataclasses import dataclass, replace

from sigma.channels.vk import messages as vk_messages
from sigma.channels.vk.errors import Final, Later, NeedsPerson
from sigma.channels.vk.fields import flag, number
from sigma.channels.vk.messages import PAGE, Sent
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.messaging.conversation import Conversation, gap, numbered
from sigma.domain.messaging.message import STEP, Body, Message, Shown, Status, move
from sigma.services.context import HOUR, MINUTE, SECOND, Context
from sigma.services.conversations import message_codec, search_index
from sigma.services.vk import community_client
from sigma.services.vk.community_client import Line
from sigma.store import changes
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations

LOOK_BACK = 2000  # messages of a dialog that are searched for one of ours
KEYBOARD_REFUSED = (911, 912)  # bot features are off, or this form is not taken: words still are
NOT_ALLOWED = 901
SOON = 5 * SECOND
# VK's codes after which nothing can be written to this person at all.
CLOSING = frozenset(
    {18, 900, 901, 902, 917, 932, 936, 945, 950, 979, 983, 984, 985, 986, 987, 988, 1012, 1021}
)


@dataclass(frozen=True, slots=True)
class _Ready:
    line: Line
    conversation: Conversation
    message: Message
    body: Body


async def send(ctx: Context, message_id: str) -> int | None:
    """Gives a queued message to VK, in its turn. Returns when to try again, None when it is sent,
    failed, or waits for something else that will promise it anew.
    """
    ready = await _ready(ctx, message_id)
    if ready is None:
        return None
    try:
        sent = await _deliver(ctx, ready)
    except Later as later:
        await _waits(ctx, ready.message, str(later.code), surely_not=not later.lost)
        age = max(ctx.now() - ready.message.at, 0)
        return ctx.now() + max(int(later.retry_after_s * SECOND), min(age // 4, 10 * MINUTE))
    except NeedsPerson as no:
        await community_client.broken(ctx, ready.line.community.id, no)
        await _waits(ctx, ready.message, str(no.code), surely_not=not no.lost)
        return None
    except Final as no:
        if no.lost:  # refused now, but an earlier try may be there: the history knows
            await _waits(ctx, ready.message, str(no.code))
            return ctx.now() + SOON
        await _failed(ctx, ready.message, no)
        return None
    if sent is not None and not sent.cmid:  # there, but where is told by the history only
        return ctx.now() + SOON
    if sent is not None:
        await _sent(ctx, ready, sent)
    return None


async def _ready(ctx: Context, message_id: str) -> _Ready | None:
    """What is needed to send, if it is this message's turn and there is a key to send with."""
    async with ctx.db.read() as tx:
        message = await conversations.message(tx, message_id)
        if message is None or message.status is not Status.QUEUED:
            return None
        if (await conversations.queued_in(tx, message.conversation_id))[:1] != [message_id]:
            return None  # the one before it promises it
        conversation = await conversations.get(tx, message.conversation_id)
    assert conversation is not None, "a message has its dialog"
    try:
        line = await community_client.line(ctx, conversation.connection_id)
    except Refused as refused:
        await _waits(ctx, message, refused.code)
        return None
    if line.community.trouble.isdigit():
        await _waits(ctx, message, line.community.trouble)
        return None
    return _Ready(line, conversation, message, message_codec.read(ctx.sealer, message.body_sealed))


async def _deliver(ctx: Context, ready: _Ready) -> Sent | None:
    """VK's numbers of the message; None when it became another's business meanwhile."""
    vk, peer_id = ready.line.vk, ready.conversation.peer_id
    # VK forgets a random_id after an hour or a hundred messages; its history does not.
    if ready.message.tried_at is not None and (found := await _look_for(ready)):
        return found
    if ready.conversation.closed:
        raise Final(int(ready.conversation.closed))
    group_id, silent = ready.line.community.group_id, not ready.conversation.last_in_at
    if silent and not await vk_messages.allowed(vk, group_id, peer_id):
        raise Final(NOT_ALLOWED)
    body = await _tried(ctx, ready.message)
    if body is None:
        return None
    given = (vk, peer_id, body.text, ready.message.random_id)
    try:
        return await vk_messages.send(*given, body.keyboard, body.attachment)
    except Final as no:
        if no.code not in KEYBOARD_REFUSED or not body.keyboard:
            raise
    return await vk_messages.send(*given, None, body.attachment)


async def _tried(ctx: Context, message: Message) -> Body | None:
    """Remembers that VK may have it from now on; the words that are given, as they are now."""
    async with ctx.db.write() as tx:
        await conversations.lock(tx, message.conversation_id)
        known = await conversations.message(tx, message.id)
        if known is None or known.status is not Status.QUEUED:
            return None
        if known.tried_at is None:
            now = ctx.now()
            await changes.write(tx, Change((replace(known, tried_at=now),)), now)
    return message_codec.read(ctx.sealer, known.body_sealed)


async def _look_for(ready: _Ready) -> Sent | None:
    """Looks in VK's history for a message whose answer may have been lost."""
    since = (ready.message.tried_at or 0) - HOUR
    for offset in range(0, LOOK_BACK, PAGE):
        page = await vk_messages.history(ready.line.vk, ready.conversation.peer_id, PAGE, offset)
        for one in page:
            if flag(one, "out") and number(one, "random_id") == ready.message.random_id:
                return Sent(number(one, "id"), number(one, "conversation_message_id"))
        if len(page) < PAGE or number(page[-1], "date") * SECOND < since:
            break
    return None


async def _sent(ctx: Context, ready: _Ready, sent: Sent) -> None:
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, ready.conversation.id)
        message = await conversations.message(tx, ready.message.id)
        assert message is not None, "a message is never deleted"
        if message.status is Status.SENT:
            return  # VK's event was faster than its answer
        await arrived(ctx, tx, conversation, message, sent)
    await ctx.db.notify("inbox")


async def arrived(
    ctx: Context,
    tx: Tx,
    conversation: Conversation,
    message: Message,
    sent: Sent,
    shown: tuple[Shown, ...] = (),
) -> None:
    """Writes that VK has a message of ours, in a transaction that holds the dialog's lock, and
    promises the next one. `shown` is what hangs on it as VK shows it.
    """
    now = ctx.now()
    body = message_codec.read(ctx.sealer, message.body_sealed)
    body = replace(body, attachments=shown or body.attachments)
    there = replace(
        message,
        status=move(message, Status.SENT),
        cmid=sent.cmid,
        vk_id=sent.message_id or message.vk_id,
        place=sent.cmid * STEP,
        at=message.at if now - message.at < MINUTE else now,
        failure="",
        body_sealed=message_codec.seal(ctx.sealer, body),
    )
    after = numbered(
        conversation,
        cmid=sent.cmid,
        at=there.at,
        place=there.place,
        preview_sealed=message_codec.seal_preview(ctx.sealer, body),
        now=now,
    )
    jobs = await _next(tx, message) + gap(conversation, sent.cmid, now)
    await changes.write(tx, Change((after, there), jobs=jobs), now)
    await search_index.index(tx, ctx.sealer, message.shop_id, message.conversation_id, body.text)


async def _next(tx: Tx, done: Message) -> tuple[Job, ...]:
    """The work of the message that waited for this one."""
    waiting = await conversations.queued_in(tx, done.conversation_id)
    other = next((one for one in waiting if one != done.id), None)
    return (Job("message.send", other, done.shop_id),) if other else ()


async def _waits(ctx: Context, seen: Message, why: str, *, surely_not: bool = False) -> None:
    """The operator sees why a message is not sent yet. `surely_not`: this try has not arrived."""
    failure = f"waits:{why}"
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, seen.conversation_id)
        message = await conversations.message(tx, seen.id)
        assert message is not None, "a message is never deleted"
        tried_at = None if surely_not and seen.tried_at is None else message.tried_at
        same = message.failure == failure and message.tried_at == tried_at
        if message.status is not Status.QUEUED or same:
            return
        now = ctx.now()
        waits = replace(message, failure=failure, tried_at=tried_at)
        await changes.write(tx, Change((replace(conversation, changed_at=now), waits)), now)
    await ctx.db.notify("inbox")


async def _failed(ctx: Context, seen: Message, no: Final) -> None:
    """VK will never take it: the operator sees the code, and whether anything can be written."""
    async with ctx.db.write() as tx:
        conversation = await conversations.lock(tx, seen.conversation_id)
        message = await conversations.message(tx, seen.id)
        assert message is not None, "a message is never deleted"
        if message.status is not Status.QUEUED:
            return
        now = ctx.now()
        failed = replace(message, status=move(message, Status.FAILED), failure=str(no.code))
        closed = str(no.code) if no.code in CLOSING else conversation.closed
        after = replace(conversation, closed=closed, changed_at=now)
        await changes.write(tx, Change((after, failed), jobs=await _next(tx, message)), now)
    await ctx.db.notify("inbox")
