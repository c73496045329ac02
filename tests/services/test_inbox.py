"""The dialogs of a shop as its people see them: lists, searches, one dialog, who answers."""

import asyncio
import re
from dataclasses import replace

import pytest

from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.billing.invoice import Draft
from sigma.domain.catalogue.service import Service
from sigma.domain.change import Change
from sigma.domain.errors import Refused
from sigma.domain.messaging.card import Card, Face
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Body, Message, Shown, Status
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.conversations import (
    change_feed,
    conversation_page,
    inbox,
    message_codec,
    outbox,
    search_index,
)
from sigma.services.conversations.change_feed import Live, Told
from sigma.store import changes
from sigma.store.accounts import users
from tests.vk_world import VkWorld


async def colleague(vk_world: VkWorld, name: str = "Анна") -> Member:
    """One more operator of the shop."""
    ctx, now = vk_world.ctx, vk_world.ctx.now()
    user = User(
        ctx.new_id("usr", vk_world.shop.id), f"{name}@example.org".lower(), "", name, "ru", now
    )
    async with ctx.db.write() as tx:
        await users.save(tx, user)
        await users.add_member(tx, vk_world.shop.id, user.id, Role.OPERATOR, now)
    return Member(user.id, vk_world.shop.id, Role.OPERATOR)


async def dialog(vk_world: VkWorld, name: str, said: str = "", **more: object) -> Conversation:
    """A dialog written as a row, older than those written before it."""
    ctx = vk_world.ctx
    vk_world.keys += 1
    at = ctx.now() - vk_world.keys * 60_000_000
    made = Conversation(
        id=ctx.new_id("dlg", vk_world.shop.id),
        shop_id=vk_world.shop.id,
        connection_id=vk_world.community_id,
        peer_id=500 + vk_world.keys,
        created_at=at,
        name=name,
        last_at=at,
        changed_at=at,
        preview_sealed=ctx.sealer.seal(said),
    )
    made = replace(made, **more)  # type: ignore[arg-type]
    async with ctx.db.write() as tx:
        await changes.write(tx, Change((made,)), at)
        await search_index.index(tx, ctx.sealer, vk_world.shop.id, made.id, said)
    return replace(made, version=1)


async def names(vk_world: VkWorld, **asked: object) -> list[str]:
    """Who is in the list."""
    listed = await inbox.listing(vk_world.ctx, vk_world.member, **asked)  # type: ignore[arg-type]
    return [row.conversation.name for row in listed.rows]


async def test_the_list_says_who_wrote_what_waits_and_what_became_of_the_invoice(
    vk_world: VkWorld,
) -> None:
    service = Service(
        vk_world.ctx.new_id("svc", vk_world.shop.id),
        vk_world.shop.id,
        "Маникюр",
        vk_world.ctx.now(),
    )
    await changes.commit(vk_world.ctx.db, Change((service,)), vk_world.ctx.now())
    anna = await dialog(
        vk_world, "Анна", "Можно завтра?", service_id=service.id, unread=2, unanswered=True
    )
    await dialog(vk_world, "Борис", "Спасибо", last_out=True)
    for minor, face in ((100_000, Face.EXPIRED), (150_000, Face.OPENED)):
        draft = Draft("Маникюр", Money(minor), conversation_id=anna.id)
        invoice = await invoices.create(vk_world.ctx, vk_world.member, draft)
        card = Card(
            vk_world.ctx.new_id("crd", vk_world.shop.id),
            vk_world.shop.id,
            invoice.id,
            anna.id,
            vk_world.ctx.now(),
            vk_world.member.actor,
            face=face,
        )
        await changes.commit(vk_world.ctx.db, Change((card,)), vk_world.ctx.now())
    listed = await inbox.listing(vk_world.ctx, vk_world.member)
    first, second = listed.rows
    assert (first.conversation.name, first.preview) == ("Анна", "Можно завтра?")
    assert (first.service, first.face, first.answering) == ("Маникюр", Face.OPENED, "")
    assert (second.preview, second.face, second.conversation.last_out) == ("Спасибо", None, True)
    assert (listed.unread, listed.unanswered) == (1, 1)
    assert list(listed.communities.values()) == ["Студия «Лак»"]


async def test_the_list_is_narrowed_to_the_unread_and_to_the_unanswered(vk_world: VkWorld) -> None:
    await dialog(vk_world, "Анна", unread=1, unanswered=True)
    await dialog(vk_world, "Борис", unanswered=True)
    await dialog(vk_world, "Вера")
    assert await names(vk_world, only="unread") == ["Анна"]
    assert await names(vk_world, only="unanswered") == ["Анна", "Борис"]
    assert await names(vk_world) == ["Анна", "Борис", "Вера"]
    assert await inbox.unread(vk_world.ctx, vk_world.member) == 1


async def test_pages_of_the_list_follow_each_other_without_gap_or_repeat(vk_world: VkWorld) -> None:
    at = vk_world.ctx.now()
    for n in range(7):
        await dialog(vk_world, f"Клиент {n}", last_at=at - n // 3)  # several in the same moment
    found: list[str] = []
    cursor: str | None = None
    for _ in range(9):
        listed = await inbox.listing(vk_world.ctx, vk_world.member, limit=2, cursor=cursor)
        found += [row.conversation.name for row in listed.rows]
        if (cursor := listed.next_cursor) is None:
            break
    assert sorted(found) == [f"Клиент {n}" for n in range(7)]


async def test_a_dialog_is_found_by_a_name_and_by_words_written_in_it(vk_world: VkWorld) -> None:
    await dialog(vk_world, "Анна Ёлкина", "Хочу маникюр на субботу")
    await dialog(vk_world, "Борис", "Маникюра не надо")
    await dialog(vk_world, "Вера", "в субботу удобно")
    assert await names(vk_world, query="елкин") == ["Анна Ёлкина"]
    assert await names(vk_world, query="маникюр") == ["Анна Ёлкина", "Борис"]
    assert await names(vk_world, query="суббота") == ["Анна Ёлкина", "Вера"]
    assert await names(vk_world, query="маникюр суббота") == ["Анна Ёлкина"]
    assert await names(vk_world, query="вера") == ["Вера"]
    assert await names(vk_world, query="%") == []
    assert await names(vk_world, query="педикюр") == []


async def test_words_are_kept_as_hashes_of_this_shop_alone(vk_world: VkWorld) -> None:
    [ours] = search_index.marks(vk_world.ctx.sealer, vk_world.shop.id, "Маникюр")
    [theirs] = search_index.marks(vk_world.ctx.sealer, "shp_other", "Маникюр")
    assert ours != theirs


async def test_a_viewer_and_another_shop_see_nothing_of_the_dialogs(vk_world: VkWorld) -> None:
    anna = await dialog(vk_world, "Анна", unread=1)
    viewer = replace(vk_world.member, role=Role.VIEWER)
    stranger = replace(vk_world.member, shop_id="shp_other")
    for wish in (
        inbox.listing(vk_world.ctx, viewer),
        conversation_page.view(vk_world.ctx, viewer, anna.id),
    ):
        with pytest.raises(Refused, match="forbidden"):
            await wish
    with pytest.raises(Refused, match="not_found"):
        await conversation_page.view(vk_world.ctx, stranger, anna.id)
    with pytest.raises(Refused, match="not_found"):
        await inbox.answer_not_needed(vk_world.ctx, stranger, anna.id)
    assert await inbox.unread(vk_world.ctx, viewer) == 0
    assert (await inbox.listing(vk_world.ctx, stranger)).rows == []


async def test_a_dialog_shows_what_was_written_by_whom_and_the_money_of_it(
    vk_world: VkWorld,
) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    other = await colleague(vk_world)
    talk = await vk_world.conversation()
    await outbox.post(vk_world.ctx, other, talk.id, "Добрый день", key="key-of-anna")
    await vk_world.write("Слушаю вас")
    await vk_world.owner_replies("Пишу с телефона")
    await vk_world.hear()
    invoice = await vk_world.invoice(conversation_id=talk.id)
    paid = await vk_world.paid(invoice)
    seen = await conversation_page.view(vk_world.ctx, vk_world.member, talk.id)
    said = [(one.body.text, one.who, one.name) for one in seen.talk.said if one.body]
    assert said[0] == ("Здравствуйте", "client", "")
    assert ("Добрый день", "other", "Анна") in said
    assert ("Слушаю вас", "me", "") in said
    assert ("Пишу с телефона", "vk", "") in said
    assert [i.id for i, _ in seen.invoices] == [invoice.id]
    assert [(p.payment.id, p.invoice_number) for p in seen.payments] == [(paid.id, invoice.number)]
    assert seen.person_url.endswith(f"/id{vk_world.person}")


async def test_earlier_messages_come_page_by_page_from_the_end(vk_world: VkWorld) -> None:
    anna = await dialog(vk_world, "Анна")
    many = conversation_page.MESSAGES + 5
    sealed = message_codec.seal(vk_world.ctx.sealer, Body("привет"))
    rows = tuple(
        Message(f"msg_{n:04}", vk_world.shop.id, anna.id, False, "client", sealed, n, n, cmid=n)
        for n in range(1, many + 1)
    )
    await changes.commit(vk_world.ctx.db, Change(rows), vk_world.ctx.now())
    seen = await conversation_page.view(vk_world.ctx, vk_world.member, anna.id)
    assert [one.message.place for one in seen.talk.said] == list(range(6, many + 1))
    assert seen.talk.earlier == 6
    rest = await conversation_page.talk(vk_world.ctx, vk_world.member, anna.id, seen.talk.earlier)
    assert [one.message.place for one in rest.said] == [1, 2, 3, 4, 5]
    assert rest.earlier is None


async def test_what_another_key_sealed_is_said_to_be_so_and_hides_nothing_else(
    vk_world: VkWorld,
) -> None:
    anna = await dialog(vk_world, "Анна", preview_sealed="gAAAA-of-another-key")
    rows = tuple(
        Message(f"msg_{n}", vk_world.shop.id, anna.id, False, "client", sealed, n, n, cmid=n)
        for n, sealed in ((1, "broken"), (2, message_codec.seal(vk_world.ctx.sealer, Body("цело"))))
    )
    await changes.commit(vk_world.ctx.db, Change(rows), vk_world.ctx.now())
    [row] = (await inbox.listing(vk_world.ctx, vk_world.member)).rows
    assert row.preview is None
    said = (await conversation_page.view(vk_world.ctx, vk_world.member, anna.id)).talk.said
    assert [one.body.text if one.body else None for one in said] == [None, "цело"]


async def test_reading_a_dialog_clears_it_here_and_tells_the_client_in_vk(
    vk_world: VkWorld,
) -> None:
    await vk_world.client_writes("Вы тут?")
    await vk_world.hear()
    talk = await vk_world.conversation()
    assert talk.unread == 1
    assert await inbox.read(vk_world.ctx, vk_world.member, talk.id, talk.last_cmid)
    await vk_world.work()
    talk = await vk_world.conversation()
    assert (talk.unread, talk.unanswered) == (0, True), "read is not answered"
    at_vk = await vk_world.dialog_at_vk()
    assert at_vk["in_read"] == talk.last_cmid
    assert not await inbox.read(vk_world.ctx, vk_world.member, talk.id, talk.last_cmid), (
        "once is enough"
    )


async def test_what_came_while_a_dialog_was_being_read_stays_unread(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Первое")
    await vk_world.hear()
    shown = await vk_world.conversation()
    await vk_world.client_writes("Второе")
    await vk_world.hear()
    assert not await inbox.read(vk_world.ctx, vk_world.member, shown.id, shown.last_cmid)
    assert (await vk_world.conversation()).unread == 2


async def test_a_silent_vk_is_told_later_that_a_dialog_was_read(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Вы тут?")
    await vk_world.hear()
    talk = await vk_world.conversation()
    await vk_world.vk_control(vk_http_500=True)
    await inbox.read(vk_world.ctx, vk_world.member, talk.id, talk.last_cmid)
    again = await inbox.tell_read(vk_world.ctx, talk.id)
    assert again is not None
    assert again > vk_world.ctx.now()
    await vk_world.move(hours=2)
    assert await inbox.tell_read(vk_world.ctx, talk.id) is None, "nobody is told of old news"
    await vk_world.vk_control(vk_http_500=None)


async def test_no_answer_needed_is_remembered_until_the_client_writes_again(
    vk_world: VkWorld,
) -> None:
    await vk_world.client_writes("Спасибо!")
    await vk_world.hear()
    talk = await vk_world.conversation()
    await inbox.answer_not_needed(vk_world.ctx, vk_world.member, talk.id)
    assert not (await vk_world.conversation()).unanswered
    await vk_world.client_writes("И ещё вопрос")
    await vk_world.hear()
    assert (await vk_world.conversation()).unanswered


async def test_two_operators_see_each_other_answer(vk_world: VkWorld) -> None:
    anna = await dialog(vk_world, "Клиентка")
    other = await colleague(vk_world, "Анна")
    await inbox.answering(vk_world.ctx, other, anna.id)
    assert (
        await conversation_page.view(vk_world.ctx, vk_world.member, anna.id)
    ).answering == "Анна"
    assert (await inbox.listing(vk_world.ctx, vk_world.member)).rows[0].answering == "Анна"
    assert (await conversation_page.view(vk_world.ctx, other, anna.id)).answering == "", (
        "nobody is told of himself"
    )
    await inbox.answering(vk_world.ctx, vk_world.member, anna.id)
    assert (
        await conversation_page.view(vk_world.ctx, vk_world.member, anna.id)
    ).answering == "Анна", "a look is no word"
    await inbox.answering(vk_world.ctx, vk_world.member, anna.id, typing=True)
    assert (await conversation_page.view(vk_world.ctx, other, anna.id)).answering == "Пётр"
    await vk_world.move(minutes=2)
    assert (await conversation_page.view(vk_world.ctx, other, anna.id)).answering == "", (
        "a minute without a sign"
    )


async def test_a_sign_said_a_moment_ago_is_not_written_again(vk_world: VkWorld) -> None:
    anna = await dialog(vk_world, "Клиентка")
    await inbox.answering(vk_world.ctx, vk_world.member, anna.id)
    first = (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).version
    await inbox.answering(vk_world.ctx, vk_world.member, anna.id, typing=True)
    assert (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).version == first
    await vk_world.move(seconds=40)
    await inbox.answering(vk_world.ctx, vk_world.member, anna.id, typing=True)
    assert (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).version == first + 1


async def test_a_dialog_is_taken_over_and_given_back(vk_world: VkWorld) -> None:
    anna = await dialog(vk_world, "Клиентка")
    await inbox.take_over(vk_world.ctx, vk_world.member, anna.id, by_hand=True)
    assert (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).by_hand
    await inbox.take_over(vk_world.ctx, vk_world.member, anna.id, by_hand=False)
    assert not (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).by_hand


async def _next(stream: Live, shop_id: str, since: int) -> Told:
    async for told in stream.changes(shop_id, since):
        if told is not None:
            return told
    raise AssertionError("the stream has ended")


async def test_open_pages_are_told_of_a_message_as_it_comes(vk_world: VkWorld) -> None:
    stream = Live(vk_world.ctx)
    began = vk_world.ctx.now() + 10 * 1_000_000  # nothing that was before counts
    vk_world.clock.move(seconds=20)
    waiting = asyncio.create_task(_next(stream, vk_world.shop.id, began))
    elsewhere = asyncio.create_task(_next(stream, "shp_other", began))
    await asyncio.sleep(0.1)
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    told = await asyncio.wait_for(waiting, 4)
    talk = await vk_world.conversation()
    assert (told.ids, told.unread) == ((talk.id,), 1)
    again = await asyncio.wait_for(_next(stream, vk_world.shop.id, began), 4)
    assert again.ids == (talk.id,), "who comes back with an older cursor is told what he missed"
    assert not elsewhere.done(), "another shop is told nothing"
    stream.close()
    with pytest.raises(AssertionError, match="ended"):
        await asyncio.wait_for(elsewhere, 4)


async def test_a_change_committed_after_a_later_one_is_told_too(vk_world: VkWorld) -> None:
    vk_world.clock.move(seconds=20)
    anna, boris = await dialog(vk_world, "Анна"), await dialog(vk_world, "Борис")
    began = vk_world.ctx.now()
    stream = Live(vk_world.ctx)
    told: list[str] = []

    async def listen() -> None:
        async for news in stream.changes(vk_world.shop.id, began):
            told.extend(news.ids if news else ())

    reader = asyncio.create_task(listen())
    for late, at in ((anna, began + 2_000_000), (boris, began + 1_000_000)):
        await changes.commit(vk_world.ctx.db, Change((replace(late, changed_at=at),)), at)
        await change_feed.told(vk_world.ctx)
        await asyncio.sleep(0.5)
    stream.close()
    await asyncio.wait_for(reader, 4)
    assert told == [anna.id, boris.id]


async def test_nothing_that_was_written_lies_open_in_what_the_inbox_keeps(
    vk_world: VkWorld,
) -> None:
    await vk_world.client_writes("секретное слово лазанья")
    await vk_world.hear()
    talk = await vk_world.conversation()
    [message] = await vk_world.messages()
    kept = f"{talk} {message}"
    assert not re.search("секретн|лазань", kept)
    assert message.status is Status.RECEIVED
    assert Shown("photo").url == ""
