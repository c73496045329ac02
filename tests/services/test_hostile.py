"""What clients cannot do, whatever they write and however often VK tells of it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sigma.domain.billing.invoice import Invoice
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.errors import Refused
from sigma.domain.messaging.auto_reply import AutoAnswers
from sigma.domain.money import Money
from sigma.services.accounts import users
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.catalogue.services import Offer
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Buyer
from sigma.services.invoice_cards import auto_reply, cards
from sigma.store.engine.interface import Database
from sigma.store.messaging import communities
from tests.dialog_money import in_dialog, issued, mark_at_vk, opens
from tests.vk_world import VkWorld
from tests.world import World


async def test_an_event_that_came_both_ways_is_acted_upon_once(vk_world: VkWorld) -> None:
    """The callback and the long poll number the same events differently."""
    await services.save(
        vk_world.ctx,
        vk_world.member,
        None,
        Offer("Маникюр", price=PriceKind.FIXED, amount=Money(150_000)),
    )
    await auto_reply.save(vk_world.ctx, vk_world.member, AutoAnswers(on=True))
    for text in ("Добрый день", "Маникюр"):
        await vk_world.client_writes(text)
    told = await vk_world.told()
    others = [one | {"event_id": f"other-{n}"} for n, one in enumerate(told)]
    for pair in zip(told, others, strict=True):
        for event in pair:
            assert await vk_world.hook(event) == "ok"
        await vk_world.work()
    await vk_world.hooks(others)
    assert (await vk_world.conversation()).unread == 2
    assert len(await vk_world.messages()) == len(await vk_world.texts_at_vk()) == 4
    made = await invoices.listing(vk_world.ctx, vk_world.member)
    assert len(made.data) == 1


HUGE = 2**62
STRANGE: tuple[dict[str, Any], ...] = (
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
OTHERS = (
    *("message_allow", "message_deny", "user_block", "user_unblock", "message_event"),
    *("group_change_settings", "group_change_photo", "market_order_new", "market_order_edit"),
)


async def test_whatever_an_event_holds_the_next_message_is_heard(vk_world: VkWorld) -> None:
    """Also what no database takes, and what only somebody who knows our secret could send."""
    await vk_world.client_writes("Первое")
    (event,) = await vk_world.told()
    assert await vk_world.hook(event) == "ok"
    said = event["object"]["message"]
    thing = {"id": HUGE, "comment": "\x00", "display_order_id": "\x00", "key": "\x00", "changes": 7}
    thing |= {"user_id": HUGE, "peer_id": said["peer_id"], "event_id": "\x00"}
    for n, strange in enumerate(STRANGE):
        message = said | {"conversation_message_id": 100 + n} | strange
        told = event | {"event_id": f"strange-{n}", "object": {"message": message}}
        assert await vk_world.hook(told) == "ok"
    for kind in OTHERS:
        for n, what in enumerate(({}, thing, thing | {"user_id": said["peer_id"]})):
            told = event | {"type": kind, "event_id": f"{kind}-{n}", "object": what}
            assert await vk_world.hook(told) == "ok"
    await vk_world.work()
    last = said | {"conversation_message_id": 500, "text": "Последнее"}
    await vk_world.hooks([event | {"event_id": "last", "object": {"message": last}}])
    assert (await vk_world.texts())[-1] == "Последнее"
    async with vk_world.ctx.db.read() as tx:
        waiting = await communities.unhandled(tx, vk_world.community_id, f"peer:{said['peer_id']}")
    assert waiting == []


async def test_many_who_buy_at_the_same_moment_are_measured_too(vk_world: VkWorld) -> None:
    ctx, member = vk_world.ctx, vk_world.member
    await storefront.save_slug(ctx, member, "nail-studio")
    offer = Offer("Маникюр", price=PriceKind.FIXED, amount=Money(150_000))
    service = await services.save(ctx, member, None, offer)
    buyers = [Buyer(f"browser-{n}", "203.0.113.7") for n in range(3 * storefront.PER_ADDRESS)]
    came = await asyncio.gather(
        *(storefront.buy(ctx, "nail-studio", service.id, one) for one in buyers),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Invoice) for one in came) == storefront.PER_ADDRESS
    assert {str(one) for one in came if not isinstance(one, Invoice)} == {"too_many_requests"}


async def test_many_passwords_at_the_same_moment_are_counted_each(world: World) -> None:
    ctx, login = world.ctx, "owner@example.org"
    came = await asyncio.gather(
        *(users.sign_in(ctx, login, f"guess {n}", ip="203.0.113.7") for n in range(20)),
        return_exceptions=True,
    )
    assert [str(one) for one in came].count("unauthorized") == users.TRIES
    with pytest.raises(Refused, match="too_many_requests"):
        await users.sign_in(ctx, login, world.password, ip="203.0.113.7")
    assert await users.sign_in(ctx, login, world.password, ip="203.0.113.8")


class ReadOnly:
    """A database in which nobody can begin to write."""

    def __init__(self, inner: Database) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self) -> Any:
        raise AssertionError("it must not come to that")


async def test_whoever_tries_marks_holds_up_nobody_who_writes(vk_world: VkWorld) -> None:
    invoice = await in_dialog(vk_world)
    other = await issued(vk_world)
    await vk_world.work()
    mark = await mark_at_vk(vk_world)  # of the other one
    looking = replace(vk_world.ctx, db=ReadOnly(vk_world.ctx.db))  # type: ignore[arg-type]
    for guess in ("A" * 16, mark, mark[::-1], "", "crd_1.0"):
        await cards.opened(looking, invoice.token, guess, "browser")
    await cards.opened(looking, "nobodys-token", mark, "browser")
    await opens(vk_world, other)
    for _ in range(3):
        await cards.opened(looking, other.token, mark, "another browser")
