"""Hostile input: repeated and malformed events, bursts over a limit, guessed signatures."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.billing.invoice import Invoice
from sigma.domain.catalogue.service import PriceKind, ServiceFields
from sigma.domain.errors import RefusedError
from sigma.domain.limits import PURCHASE_ADDRESS
from sigma.domain.messaging.auto_reply import AutoReplySettings
from sigma.domain.money import Money
from sigma.services.accounts import api_keys, shops
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Buyer
from sigma.services.communities import event_intake
from sigma.services.invoice_cards import auto_reply, cards
from sigma.store.engine.interface import Database
from sigma.store.messaging import vk_events
from tests.conversation_invoices import (
    issue_and_send,
    issue_invoice,
    link_signature,
    open_payment_link,
)
from tests.leaks import captured_log
from tests.vk_world import VkWorld
from tests.world import World

pytestmark = pytest.mark.both_databases


async def test_event_by_callback_and_long_poll_is_processed_once(vk_world: VkWorld) -> None:
    """The callback and the long poll give the same event different event ids."""
    await services.save(
        vk_world.ctx,
        vk_world.member,
        None,
        ServiceFields("Маникюр", price_kind=PriceKind.FIXED, amount=Money(150_000)),
    )
    await auto_reply.save_settings(vk_world.ctx, vk_world.member, AutoReplySettings(enabled=True))
    for text in ("Добрый день", "Маникюр"):
        await vk_world.write_as_client(text)
    callback_events = await vk_world.take_events()
    long_poll_events = [
        event | {"event_id": f"other-{n}"} for n, event in enumerate(callback_events)
    ]
    for pair in zip(callback_events, long_poll_events, strict=True):
        for event in pair:
            assert await vk_world.deliver_callback(event) == "ok"
        await vk_world.run_jobs()
    await vk_world.deliver_callbacks(long_poll_events)
    assert (await vk_world.conversation()).unread_count == 2
    assert len(await vk_world.messages()) == len(await vk_world.vk_texts()) == 4
    listed = await invoices.list_page(vk_world.ctx, vk_world.member)
    assert len(listed.data) == 1


HUGE = 2**62
HOSTILE_MESSAGES: tuple[dict[str, Any], ...] = (
    {"text": "ok"},
    {"text": "a\x00b", "ref": "a\x00b", "ref_source": "\x00", "payload": '{"service":"a\\u0000b"}'},
    {"text": "😀" * 16_000},
    {"text": " ".join(f"w{n:x}" for n in range(4000))},
    {"text": "market/product/" + "a-1-" * 3900},
    {"text": "[id1|" * 3000},
    {"conversation_message_id": 2**31},
    {"conversation_message_id": HUGE},
    {"id": HUGE},
    {"out": 1, "random_id": HUGE, "admin_author_id": HUGE},
    {"update_time": HUGE},
    {"date": HUGE},
    {"peer_id": 2**53 - 1},
    {"payload": {"service": {"a": [1]}, "command": ["start"]}},
    {"payload": "[" * 2000 + "]" * 2000},
    {"attachments": [None, 7, {"type": None}, {"type": "market"}, {"type": "photo", "photo": 7}]},
    {
        "attachments": [
            {"type": "market", "market": {"id": HUGE, "owner_id": -HUGE, "title": "\x00"}}
        ]
    },
    {
        "attachments": [
            {"type": "link", "link": {"url": "javascript:alert(1)", "title": "T" * 9999}}
        ]
    },
    {
        "fwd_messages": [{"text": "x" * 400}] * 200,
        "reply_message": {"text": 7},
        "geo": {"place": 7},
    },
)
OTHER_EVENT_TYPES = (
    *("message_allow", "message_deny", "user_block", "user_unblock", "message_event"),
    *("group_change_settings", "group_change_photo", "market_order_new", "market_order_edit"),
)


async def test_every_skipped_event_is_logged_also_after_an_unreadable_message(
    vk_world: VkWorld,
) -> None:
    skipped = [
        {"type": kind, "group_id": vk_world.group_id, "event_id": f"e{n}", "object": {}}
        for n, kind in enumerate(("message_new", "made_up", "message_new"))
    ]
    with captured_log() as out:
        await event_intake.accept_long_poll(vk_world.ctx, vk_world.community_id, skipped, "2")
    logged = [
        (line["event"], line["type"]) for line in map(json.loads, out.getvalue().split("\n")[:-1])
    ]
    assert logged == [
        ("vk_event.unreadable", "message_new"),
        ("vk_event.ignored", "made_up"),
        ("vk_event.unreadable", "message_new"),
    ]


async def test_hostile_event_does_not_block_the_next_message(vk_world: VkWorld) -> None:
    """Includes values that no database column accepts and events that need our callback secret."""
    await vk_world.write_as_client("Первое")
    (event,) = await vk_world.take_events()
    assert await vk_world.deliver_callback(event) == "ok"
    valid_message = event["object"]["message"]
    peer_id = valid_message["peer_id"]
    hostile_object = {
        "id": HUGE,
        "comment": "\x00",
        "display_order_id": "\x00",
        "key": "\x00",
        "changes": 7,
    }
    hostile_object |= {"user_id": HUGE, "peer_id": peer_id, "event_id": "\x00"}
    for n, strange in enumerate(HOSTILE_MESSAGES):
        message = valid_message | {"conversation_message_id": 100 + n} | strange
        hostile_event = event | {"event_id": f"strange-{n}", "object": {"message": message}}
        assert await vk_world.deliver_callback(hostile_event) == "ok"
    for kind in OTHER_EVENT_TYPES:
        for n, body in enumerate(({}, hostile_object, hostile_object | {"user_id": peer_id})):
            hostile_event = event | {"type": kind, "event_id": f"{kind}-{n}", "object": body}
            assert await vk_world.deliver_callback(hostile_event) == "ok"
    await vk_world.run_jobs()
    last = valid_message | {"conversation_message_id": 500, "text": "Последнее"}
    await vk_world.deliver_callbacks([event | {"event_id": "last", "object": {"message": last}}])
    assert (await vk_world.texts())[-1] == "Последнее"
    async with vk_world.ctx.db.read() as tx:
        waiting = await vk_events.list_unprocessed(tx, vk_world.community_id, f"peer:{peer_id}")
    assert waiting == []


async def test_purchase_limit_holds_for_concurrent_buyers(vk_world: VkWorld) -> None:
    ctx, member = vk_world.ctx, vk_world.member
    await storefront.save_slug(ctx, member, "nail-studio")
    fields = ServiceFields("Маникюр", price_kind=PriceKind.FIXED, amount=Money(150_000))
    service = await services.save(ctx, member, None, fields)
    buyers = [Buyer(f"browser-{n}", "203.0.113.7") for n in range(3 * PURCHASE_ADDRESS.amount)]
    results = await asyncio.gather(
        *(storefront.buy(ctx, "nail-studio", service.id, buyer) for buyer in buyers),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Invoice) for result in results) == PURCHASE_ADDRESS.amount
    refusals = {str(result) for result in results if not isinstance(result, Invoice)}
    assert refusals == {"too_many_requests"}


class ReadOnlyDatabase:
    """A database whose `write` fails the test: only reads are allowed."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self) -> Any:
        raise AssertionError("a write transaction was opened")


async def test_guessed_signatures_open_no_write_transaction(vk_world: VkWorld) -> None:
    invoice = await issue_and_send(vk_world)
    other_invoice = await issue_invoice(vk_world)
    await vk_world.run_jobs()
    signature = await link_signature(vk_world)  # of the other invoice
    read_only_ctx = replace(vk_world.ctx, db=ReadOnlyDatabase(vk_world.ctx.db))
    for guess in ("A" * 16, signature, signature[::-1], "", "crd_1.0"):
        await cards.mark_opened(read_only_ctx, invoice.token, guess, "browser")
    await cards.mark_opened(read_only_ctx, "nobodys-token", signature, "browser")
    await open_payment_link(vk_world, other_invoice)
    for _ in range(3):
        await cards.mark_opened(read_only_ctx, other_invoice.token, signature, "another browser")


async def test_card_number_is_refused_in_names_that_the_owner_types(world: World) -> None:
    card = "4111 1111 1111 1111"
    for call in (
        api_keys.create(world.ctx, world.member, card),
        shops.save_mail(world.ctx, world.member, from_name=card, reply_to="", smtp_url=None),
    ):
        with pytest.raises(RefusedError) as caught:
            await call
        assert [problem.code for problem in caught.value.problems] == ["card_number"]
    with pytest.raises(RefusedError) as caught:
        await api_keys.create(world.ctx, world.member, "\u3164\u200b")
    assert [problem.code for problem in caught.value.problems] == ["required"]
