"""What clients cannot do, whatever they write and however often VK tells of it."""

from sigma.domain.autoanswer import AutoAnswers
from sigma.domain.money import Money
from sigma.domain.service import PriceKind
from sigma.services import autoanswer, catalogue, invoices
from sigma.services.catalogue import Offer
from tests.vk_world import VkWorld


async def test_an_event_that_came_both_ways_is_acted_upon_once(vk_world: VkWorld) -> None:
    """The callback and the long poll number the same events differently."""
    await catalogue.save(
        vk_world.ctx,
        vk_world.member,
        None,
        Offer("Маникюр", price=PriceKind.FIXED, amount=Money(150_000)),
    )
    await autoanswer.save(vk_world.ctx, vk_world.member, AutoAnswers(on=True))
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
