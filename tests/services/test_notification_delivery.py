"""Deliveries by each way: broken ones, lost answers, crashes at any step."""

import contextlib

import pytest

from sigma.domain.notifications.kind import Topic, Way
from sigma.domain.notifications.notification import Recipient
from sigma.services.notifications import delivery, links, settings
from sigma.services.notifications.announcements import announce
from tests.crash_injection import CrashPlan, ProcessKilledError, with_crash_plan
from tests.notification_ways import Ways, captured_event, statuses
from tests.push_service import PushService
from tests.vk_world import VkWorld


async def test_subscription_that_is_gone_removes_itself_and_another_way_reports_it(
    vk_world: VkWorld, ways: Ways, push_service: PushService
) -> None:
    await ways.choose(Way.PUSH)
    push_service.statuses = [410]
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    current = await settings.get(vk_world.ctx, vk_world.member)
    assert current.linked(Way.PUSH) == []
    assert current.latest[Way.PUSH].reply == "HTTP 410"
    (report,) = await ways.vk_texts()
    assert report.startswith("Уведомления не доходят\nУведомления не доходят: Браузер.")
    await vk_world.complete_payment()
    vk_world.clock.advance(hours=1)
    await vk_world.run_jobs()
    assert len(await ways.vk_texts()) == 1
    assert len(push_service.requests) == 0


async def test_silent_service_is_reported_by_another_way_and_gets_it_later(
    vk_world: VkWorld, ways: Ways, push_service: PushService
) -> None:
    await ways.choose(Way.PUSH)
    push_service.statuses = [503] * 9
    await vk_world.complete_payment()
    for _ in range(10):
        await vk_world.run_jobs()
        vk_world.clock.advance(hours=1)
    assert [text.split("\n")[0] for text in await ways.vk_texts()] == ["Уведомления не доходят"]
    (payload,) = ways.push_payloads()
    assert payload["title"].startswith("Деньги пришли")
    assert await statuses(vk_world) == ["sent", "sent"]


async def test_new_notifications_do_not_shorten_the_pauses_of_a_refused_one(
    vk_world: VkWorld, ways: Ways, push_service: PushService
) -> None:
    """Otherwise a busy shop uses up all attempts in the first minute of an outage."""
    await ways.choose(Way.PUSH)
    push_service.statuses = [429] * 40
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    for _ in range(3):
        await vk_world.complete_payment()
        await vk_world.run_jobs()
    assert len(push_service.statuses) == 39
    push_service.statuses.clear()
    vk_world.clock.advance(minutes=10)
    await vk_world.run_jobs()
    first, second = [one["title"] for one in ways.push_payloads()]
    assert "платежа" not in first
    assert second.startswith("Деньги пришли: 3 платежа")
    assert await statuses(vk_world) == ["sent"] * 4


async def test_browser_that_has_a_message_does_not_wait_half_a_day_for_another_one(
    vk_world: VkWorld, ways: Ways, push_service: PushService
) -> None:
    await ways.choose(Way.PUSH)
    other = push_service.new_browser()
    p256dh, auth = other.keys
    await links.subscribe(vk_world.ctx, vk_world.member, other.endpoint, p256dh, auth, "Firefox")
    push_service.statuses = [201, *[429] * 3]
    await vk_world.complete_payment()
    for _ in range(3):
        await vk_world.run_jobs()
        vk_world.clock.advance(seconds=20)
    assert push_service.statuses == []
    assert await statuses(vk_world) == ["sent"]
    assert len(ways.push_payloads()) == 1


async def test_blocked_bot_is_unlinked_and_reported(vk_world: VkWorld, ways: Ways) -> None:
    await ways.choose(Way.TELEGRAM)
    body = {"bot_id": ways.bot_id, "chat_id": ways.chat_id}
    await vk_world.http.post(f"{vk_world.sandbox.base_url}/telegram/test/block", json=body)
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    current = await settings.get(vk_world.ctx, vk_world.member)
    assert current.linked(Way.TELEGRAM) == []
    assert current.latest[Way.TELEGRAM].reply == "403 Forbidden: bot was blocked by the user"
    assert [text.split("\n")[1] for text in await ways.vk_texts()] == [
        "Уведомления не доходят: Telegram. Откройте настройки и нажмите «Проверить»."
    ]


async def test_person_who_denies_messages_is_unlinked(vk_world: VkWorld, ways: Ways) -> None:
    await ways.choose(Way.VK)
    await vk_world.act_as_client("deny", ways.person_id)
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    current = await settings.get(vk_world.ctx, vk_world.member)
    assert current.linked(Way.VK) == []
    assert current.latest[Way.VK].reply.startswith("901")
    assert ways.push_payloads()[0]["title"] == "Уведомления не доходят"


async def test_lost_answer_of_vk_sends_once(vk_world: VkWorld, ways: Ways) -> None:
    await ways.choose(Way.VK)
    await vk_world.inject_vk_faults(vk_cut_answer={"on": "messages.send", "times": 4})
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    await vk_world.advance_clocks(hours=2)
    await vk_world.run_jobs()
    assert len(await ways.vk_texts()) == 1
    assert await statuses(vk_world) == ["sent"]


async def test_mail_server_that_is_busy_gets_the_mail_later(vk_world: VkWorld, ways: Ways) -> None:
    await ways.choose(Way.EMAIL)
    url = f"{vk_world.sandbox.base_url}/control"
    await vk_world.http.post(url, json={"mail_busy": {"on": "owner@example.org", "times": 1}})
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    assert ways.mails() == []
    vk_world.clock.advance(minutes=1)
    await vk_world.run_jobs()
    assert len(ways.mails()) == 1


@pytest.mark.parametrize("way", Way)
async def test_crash_at_any_step_sends_once(vk_world: VkWorld, ways: Ways, way: Way) -> None:
    """A mail keeps its Message-ID and a push its tag, so a repeated one is the same message. Only
    Telegram has no such key: a crash between its answer and the COMMIT sends the text twice.
    """
    await ways.choose(way)
    recipient = Recipient(vk_world.shop.id, vk_world.member.actor, way, Topic.MONEY)
    crash_step, has_crashed = 0, True
    while has_crashed:
        crash_step += 1
        payment = await vk_world.complete_payment()
        await announce(vk_world.ctx, await captured_event(vk_world, payment.id))
        plan = CrashPlan(crash_step)
        with contextlib.suppress(ProcessKilledError):
            await delivery.send(with_crash_plan(vk_world.ctx, plan), recipient.key)
        has_crashed = plan.has_crashed
        vk_world.clock.advance(minutes=10)
        await vk_world.run_jobs()
        assert await distinct_messages(ways, way) == crash_step
        vk_world.clock.advance(minutes=10)
    assert crash_step > 10


async def distinct_messages(ways: Ways, way: Way) -> int:
    """Return how many different messages have arrived by a way."""
    if way is Way.PUSH:
        return len({one["tag"] for one in ways.push_payloads()})
    if way is Way.EMAIL:
        return len(set(ways.mails()))
    texts = await (ways.vk_texts() if way is Way.VK else ways.telegram_texts())
    # Each payment has a link of its own.
    assert way is not Way.VK or len(set(texts)) == len(texts)
    return len(set(texts))
