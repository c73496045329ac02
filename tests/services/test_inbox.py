"""The inbox: the list of conversations, search, access rights, read and answered marks."""

import re
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.invoice import Draft
from sigma.domain.catalogue.service import Service
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.card import Card, CardState
from sigma.domain.messaging.message import MessageAttachment, Status
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.conversations import conversation_page, inbox, search_index
from sigma.store import changes
from tests.services.conversation_rows import add_conversation, add_operator
from tests.vk_world import VkWorld

pytestmark = pytest.mark.both_databases


async def list_names(vk_world: VkWorld, **filters: Any) -> list[str]:
    """Return the client names of the listed conversations."""
    listed = await inbox.list_conversations(vk_world.ctx, vk_world.member, **filters)
    return [row.conversation.name for row in listed.rows]


async def test_list_shows_preview_service_card_and_counts(vk_world: VkWorld) -> None:
    service = Service(
        vk_world.ctx.new_id("svc", vk_world.shop.id),
        vk_world.shop.id,
        "Маникюр",
        vk_world.ctx.now_us(),
    )
    await changes.commit(vk_world.ctx.db, Change((service,)), vk_world.ctx.now_us())
    anna = await add_conversation(
        vk_world, "Анна", "Можно завтра?", service_id=service.id, unread_count=2, is_unanswered=True
    )
    await add_conversation(vk_world, "Борис", "Спасибо", is_last_outgoing=True)
    for minor, state in ((100_000, CardState.EXPIRED), (150_000, CardState.OPENED)):
        draft = Draft("Маникюр", Money(minor), conversation_id=anna.id)
        invoice = await invoices.create(vk_world.ctx, vk_world.member, draft)
        card = Card(
            vk_world.ctx.new_id("crd", vk_world.shop.id),
            vk_world.shop.id,
            invoice.id,
            anna.id,
            vk_world.ctx.now_us(),
            vk_world.member.actor,
            state=state,
        )
        await changes.commit(vk_world.ctx.db, Change((card,)), vk_world.ctx.now_us())
    listed = await inbox.list_conversations(vk_world.ctx, vk_world.member)
    first, second = listed.rows
    assert (first.conversation.name, first.preview) == ("Анна", "Можно завтра?")
    assert (first.service_title, first.card_state, first.answering_name) == (
        "Маникюр",
        CardState.OPENED,
        "",
    )
    assert (second.preview, second.card_state, second.conversation.is_last_outgoing) == (
        "Спасибо",
        None,
        True,
    )
    assert (listed.unread_count, listed.unanswered_count) == (1, 1)
    assert list(listed.community_names.values()) == ["Студия «Лак»"]


async def test_list_is_filtered_by_unread_and_unanswered(vk_world: VkWorld) -> None:
    await add_conversation(vk_world, "Анна", unread_count=1, is_unanswered=True)
    await add_conversation(vk_world, "Борис", is_unanswered=True)
    await add_conversation(vk_world, "Вера")
    assert await list_names(vk_world, status_filter="unread") == ["Анна"]
    assert await list_names(vk_world, status_filter="unanswered") == ["Анна", "Борис"]
    assert await list_names(vk_world) == ["Анна", "Борис", "Вера"]
    assert await inbox.count_unread(vk_world.ctx, vk_world.member) == 1


async def test_list_pages_have_no_gaps_and_no_repeats(vk_world: VkWorld) -> None:
    now_us = vk_world.ctx.now_us()
    for n in range(7):
        # Three conversations share each time, so the cursor must break ties.
        await add_conversation(vk_world, f"Клиент {n}", last_at_us=now_us - n // 3)
    listed_names: list[str] = []
    cursor: str | None = None
    for _ in range(9):
        listed = await inbox.list_conversations(
            vk_world.ctx, vk_world.member, limit=2, cursor=cursor
        )
        listed_names += [row.conversation.name for row in listed.rows]
        if (cursor := listed.next_cursor) is None:
            break
    assert sorted(listed_names) == [f"Клиент {n}" for n in range(7)]


async def test_conversation_is_found_by_client_name_and_by_message_words(vk_world: VkWorld) -> None:
    await add_conversation(vk_world, "Анна Ёлкина", "Хочу маникюр на субботу")
    await add_conversation(vk_world, "Борис", "Маникюра не надо")
    await add_conversation(vk_world, "Вера", "в субботу удобно")
    assert await list_names(vk_world, query="елкин") == ["Анна Ёлкина"]
    assert await list_names(vk_world, query="маникюр") == ["Анна Ёлкина", "Борис"]
    assert await list_names(vk_world, query="суббота") == ["Анна Ёлкина", "Вера"]
    assert await list_names(vk_world, query="маникюр суббота") == ["Анна Ёлкина"]
    assert await list_names(vk_world, query="вера") == ["Вера"]
    assert await list_names(vk_world, query="%") == []
    assert await list_names(vk_world, query="педикюр") == []


async def test_search_hashes_differ_between_shops(vk_world: VkWorld) -> None:
    [own] = search_index.query_hashes(vk_world.ctx.cipher, vk_world.shop.id, "Маникюр")
    [foreign] = search_index.query_hashes(vk_world.ctx.cipher, "shp_other", "Маникюр")
    assert own != foreign


async def test_viewer_and_stranger_cannot_access_conversations(vk_world: VkWorld) -> None:
    anna = await add_conversation(vk_world, "Анна", unread_count=1)
    viewer = replace(vk_world.member, role=Role.VIEWER)
    stranger = replace(vk_world.member, shop_id="shp_other")
    for call in (
        inbox.list_conversations(vk_world.ctx, viewer),
        conversation_page.load_page(vk_world.ctx, viewer, anna.id),
    ):
        with pytest.raises(RefusedError, match="forbidden"):
            await call
    with pytest.raises(RefusedError, match="not_found"):
        await conversation_page.load_page(vk_world.ctx, stranger, anna.id)
    with pytest.raises(RefusedError, match="not_found"):
        await inbox.mark_answered(vk_world.ctx, stranger, anna.id)
    assert await inbox.count_unread(vk_world.ctx, viewer) == 0
    assert (await inbox.list_conversations(vk_world.ctx, stranger)).rows == []


async def test_reading_clears_the_unread_count_and_marks_read_in_vk(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Вы тут?")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    assert conversation.unread_count == 1
    assert await inbox.mark_read(
        vk_world.ctx, vk_world.member, conversation.id, conversation.last_cmid
    )
    await vk_world.run_jobs()
    conversation = await vk_world.conversation()
    assert (conversation.unread_count, conversation.is_unanswered) == (0, True), (
        "reading does not answer"
    )
    at_vk = await vk_world.fetch_vk_conversation()
    assert at_vk["in_read"] == conversation.last_cmid
    assert not await inbox.mark_read(
        vk_world.ctx, vk_world.member, conversation.id, conversation.last_cmid
    ), "already read"


async def test_message_received_while_reading_stays_unread(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Первое")
    await vk_world.poll_events()
    before = await vk_world.conversation()
    await vk_world.write_as_client("Второе")
    await vk_world.poll_events()
    assert not await inbox.mark_read(vk_world.ctx, vk_world.member, before.id, before.last_cmid)
    assert (await vk_world.conversation()).unread_count == 2


async def test_mark_read_is_retried_while_vk_is_unreachable(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Вы тут?")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    await vk_world.inject_vk_faults(vk_http_500=True)
    await inbox.mark_read(vk_world.ctx, vk_world.member, conversation.id, conversation.last_cmid)
    next_try_at_us = await inbox.mark_read_in_vk(vk_world.ctx, conversation.id)
    assert next_try_at_us is not None
    assert next_try_at_us > vk_world.ctx.now_us()
    await vk_world.advance_clocks(hours=2)
    assert await inbox.mark_read_in_vk(vk_world.ctx, conversation.id) is None, (
        "an outdated job does nothing"
    )
    await vk_world.inject_vk_faults(vk_http_500=None)


async def test_answered_mark_lasts_until_the_next_message(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Спасибо!")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    await inbox.mark_answered(vk_world.ctx, vk_world.member, conversation.id)
    assert not (await vk_world.conversation()).is_unanswered
    await vk_world.write_as_client("И ещё вопрос")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).is_unanswered


async def test_operators_see_who_is_answering(vk_world: VkWorld) -> None:
    anna = await add_conversation(vk_world, "Клиентка")
    colleague = await add_operator(vk_world, "Анна")
    await inbox.start_answering(vk_world.ctx, colleague, anna.id)
    assert (
        await conversation_page.load_page(vk_world.ctx, vk_world.member, anna.id)
    ).answering_name == "Анна"
    assert (await inbox.list_conversations(vk_world.ctx, vk_world.member)).rows[
        0
    ].answering_name == "Анна"
    assert (
        await conversation_page.load_page(vk_world.ctx, colleague, anna.id)
    ).answering_name == "", "an operator is not shown to himself"
    await inbox.start_answering(vk_world.ctx, vk_world.member, anna.id)
    assert (
        await conversation_page.load_page(vk_world.ctx, vk_world.member, anna.id)
    ).answering_name == "Анна", "opening the page does not replace an operator who types"
    await inbox.start_answering(vk_world.ctx, vk_world.member, anna.id, is_typing=True)
    assert (
        await conversation_page.load_page(vk_world.ctx, colleague, anna.id)
    ).answering_name == "Пётр"
    await vk_world.advance_clocks(minutes=2)
    assert (
        await conversation_page.load_page(vk_world.ctx, colleague, anna.id)
    ).answering_name == "", "the mark expires"


async def test_repeated_typing_mark_is_written_at_most_every_half_minute(vk_world: VkWorld) -> None:
    anna = await add_conversation(vk_world, "Клиентка")
    await inbox.start_answering(vk_world.ctx, vk_world.member, anna.id)
    first = (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).version
    await inbox.start_answering(vk_world.ctx, vk_world.member, anna.id, is_typing=True)
    assert (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).version == first
    await vk_world.advance_clocks(seconds=40)
    await inbox.start_answering(vk_world.ctx, vk_world.member, anna.id, is_typing=True)
    assert (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).version == first + 1


async def test_auto_replies_are_paused_and_resumed(vk_world: VkWorld) -> None:
    anna = await add_conversation(vk_world, "Клиентка")
    await inbox.set_auto_replies_paused(vk_world.ctx, vk_world.member, anna.id, paused=True)
    assert (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).handled_by_operator
    await inbox.set_auto_replies_paused(vk_world.ctx, vk_world.member, anna.id, paused=False)
    assert not (await inbox.get(vk_world.ctx, vk_world.member, anna.id)).handled_by_operator


async def test_conversation_and_message_rows_hold_no_plain_text(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("секретное слово лазанья")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    [message] = await vk_world.messages()
    stored = f"{conversation} {message}"
    assert not re.search("секретн|лазань", stored)
    assert message.status is Status.RECEIVED
    assert MessageAttachment("photo").url == ""
