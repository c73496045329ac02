"""Notifications to members: by every way, once each, grouped, never after a switch is off."""

from dataclasses import replace

import pytest

from sigma.channels.vk.errors import NeedsOwnerError
from sigma.domain.accounts.member import Role
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.change import Change
from sigma.domain.notifications.kind import Kind, Way
from sigma.services.accounts import team
from sigma.services.billing import refunds
from sigma.services.conversations import inbox
from sigma.services.notifications import links, settings
from sigma.services.notifications.announcements import announce
from sigma.services.vk import community_client
from sigma.store import changes
from sigma.store.accounts import members
from sigma.store.schema.notification_tables import notification_addresses, notifications
from tests.notification_ways import Ways, captured_event, statuses
from tests.people import add_person
from tests.push_service import PushService
from tests.reconciliation import fetch_rows
from tests.vk_world import VkWorld

both_databases = pytest.mark.both_databases
ALL = dict.fromkeys(Way, 1)
NONE = dict.fromkeys(Way, 0)


@both_databases
async def test_payment_arrives_once_by_every_way(vk_world: VkWorld, ways: Ways) -> None:
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    assert await ways.counts() == ALL
    (vk_text,), (chat_text,) = await ways.vk_texts(), await ways.telegram_texts()
    (payload,), (mail,) = ways.push_payloads(), ways.mails()
    title = "Деньги пришли: 1\u00a0500,00\u00a0₽"
    assert vk_text == chat_text
    assert vk_text.startswith(f"{title}\nСчёт № 1\nСтудия\nhttp://127.0.0.1:8000/payments/pay_")
    assert payload["title"] == title
    assert payload["url"].startswith("http://127.0.0.1:8000/payments/pay_")
    assert mail.startswith(title)
    vk_world.clock.advance(hours=2)
    await vk_world.run_jobs()
    assert await ways.counts() == ALL


async def test_notification_has_no_personal_data_of_clients(vk_world: VkWorld, ways: Ways) -> None:
    await vk_world.complete_payment()
    await vk_world.write_as_client("Меня зовут Секретова, 8 916 765-43-21")
    await vk_world.poll_events()
    texts = [*await ways.vk_texts(), *await ways.telegram_texts(), *map(str, ways.push_payloads())]
    conversation = await vk_world.conversation()
    for secret in ("client@example.net", "765-43-21", "без лака", "Секретова", conversation.name):
        assert not [text for text in texts if secret in text]


@both_databases
async def test_announcing_twice_adds_nothing(vk_world: VkWorld, ways: Ways) -> None:
    payment = await vk_world.complete_payment()
    await vk_world.run_jobs()
    await announce(vk_world.ctx, await captured_event(vk_world, payment.id))
    vk_world.clock.advance(hours=2)
    await vk_world.run_jobs()
    assert await ways.counts() == ALL


@both_databases
async def test_hundred_payments_are_two_messages(vk_world: VkWorld, ways: Ways) -> None:
    """The first one at once, the others together at the end of the window."""
    await ways.choose(Way.TELEGRAM, Way.PUSH)
    invoice = await vk_world.create_invoice(max_payments=None)
    for n in range(12):
        payment = await vk_world.complete_payment(invoice, payer=f"browser-{n}")
        assert payment.captured_at_us
        await vk_world.run_jobs()
    assert len(await ways.telegram_texts()) == 1
    vk_world.clock.advance(minutes=5)
    await vk_world.run_jobs()
    _, digest = await ways.telegram_texts()
    assert digest.startswith("Деньги пришли: 11 платежей, 16\u00a0500,00\u00a0₽\nСтудия\n")
    assert digest.endswith("/payments")
    assert len(ways.push_payloads()) == 2
    vk_world.clock.advance(hours=1)
    await vk_world.run_jobs()
    assert len(await ways.telegram_texts()) == 2


@both_databases
async def test_nothing_arrives_after_a_switch_is_off(vk_world: VkWorld, ways: Ways) -> None:
    """The event has happened and is announced; only then two ways are switched off."""
    await ways.be_quiet(1)
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    assert await ways.counts() == NONE
    off = (Way.VK, Way.EMAIL)
    left = frozenset(one for one in (await ways.stored()).choices if one[1] not in off)
    await settings.save(
        vk_world.ctx, vk_world.member, choices=left, quiet=None, digest_minutes=5, has_sound=False
    )
    vk_world.clock.advance(hours=2)
    await vk_world.run_jobs()
    assert await ways.counts() == ALL | dict.fromkeys(off, 0)
    assert sorted(await statuses(vk_world)) == ["dropped", "dropped", "sent", "sent"]


async def test_quiet_hours_hold_back_and_deliver_one_message_after(
    vk_world: VkWorld, ways: Ways
) -> None:
    await ways.be_quiet(8)
    invoice = await vk_world.create_invoice(max_payments=None)
    for n in range(3):
        await vk_world.complete_payment(invoice, payer=f"browser-{n}")
        await vk_world.run_jobs()
        vk_world.clock.advance(hours=2)
    await vk_world.run_jobs()
    assert await ways.counts() == NONE
    vk_world.clock.advance(hours=2, minutes=2)
    await vk_world.run_jobs()
    assert await ways.counts() == ALL
    assert (await ways.vk_texts())[0].startswith("Деньги пришли: 3 платежа")


async def test_retry_does_not_reach_into_quiet_hours(
    vk_world: VkWorld, ways: Ways, push_service: PushService
) -> None:
    await ways.choose(Way.PUSH)
    push_service.statuses = [503]
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    await ways.be_quiet(8)
    vk_world.clock.advance(hours=1)
    await vk_world.run_jobs()
    assert ways.push_payloads() == []
    vk_world.clock.advance(hours=8)
    await vk_world.run_jobs()
    assert len(ways.push_payloads()) == 1


async def test_retry_is_not_sent_after_the_switch_is_off(
    vk_world: VkWorld, ways: Ways, push_service: PushService
) -> None:
    await ways.choose(Way.PUSH)
    push_service.statuses = [503]
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    await ways.choose()
    vk_world.clock.advance(hours=1)
    await vk_world.run_jobs()
    assert push_service.requests == []
    assert await statuses(vk_world) == ["dropped"]


async def test_client_message_is_announced_and_not_after_it_was_read(
    vk_world: VkWorld, ways: Ways
) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    assert await ways.counts() == ALL
    assert (await ways.vk_texts())[0].startswith("Клиент написал\nСтудия\n")
    await vk_world.write_as_client("Есть окошко?")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    last = (await vk_world.messages())[-1]
    await inbox.mark_read(vk_world.ctx, vk_world.member, conversation.id, last.cmid or 0)
    vk_world.clock.advance(hours=1)
    await vk_world.run_jobs()
    assert await ways.counts() == ALL


async def test_own_vk_page_of_a_member_is_no_client(vk_world: VkWorld, ways: Ways) -> None:
    await vk_world.write_as_client("Спасибо, вижу", ways.person_id)
    await vk_world.poll_events()
    assert await ways.counts() == NONE
    conversation = await vk_world.conversation(ways.person_id)
    assert (await vk_world.messages(ways.person_id))[0].author == "client"
    assert conversation.unread_count == 1, "the message itself is in the inbox, the code is not"


async def test_refund_receipt_and_key_problems_are_announced(vk_world: VkWorld, ways: Ways) -> None:
    await ways.choose(Way.TELEGRAM)
    payment = await vk_world.complete_payment()
    await vk_world.run_jobs()
    await vk_world.inject_faults(refund_decline="insufficient_funds")
    await refunds.request(vk_world.ctx, vk_world.member, payment.id, payment.amount, "")
    await vk_world.run_jobs()
    texts = await ways.telegram_texts()
    assert texts[1].startswith("Возврат не прошёл: 1\u00a0500,00\u00a0₽\nСчёт № 1\n")
    vk_world.clock.advance(hours=1)
    mail = Mail("mail_x", vk_world.shop.id, "receipt", "again", payment.id, 0)
    await changes.commit(vk_world.ctx.db, Change((mail,)), vk_world.ctx.now_us())
    failed = replace(mail, status=MailStatus.FAILED, version=1)
    await changes.commit(vk_world.ctx.db, Change((failed,)), vk_world.ctx.now_us())
    await vk_world.run_jobs()
    assert (await ways.telegram_texts())[2].startswith("Квитанция не ушла\nСчёт № 1\n")
    vk_world.clock.advance(hours=1)
    await community_client.mark_key_broken(vk_world.ctx, vk_world.community_id, NeedsOwnerError(5))
    await vk_world.run_jobs()
    assert (await ways.telegram_texts())[3].startswith("Ключ ВКонтакте не работает\nСтудия\n")
    vk_world.clock.advance(hours=1)
    await vk_world.set_acquirer_secret("wrong_secret")
    await vk_world.start_payment()
    await vk_world.run_jobs()
    last = (await ways.telegram_texts())[4]
    assert last.startswith("Эквайер не принимает ключ магазина")
    assert last.endswith(f"/settings/connections/{vk_world.connection.id}")


@pytest.mark.parametrize(
    ("role", "kinds"),
    [
        (Role.VIEWER, {"payment_received"}),
        (Role.OPERATOR, {"payment_received", "client_message"}),
    ],
)
async def test_member_hears_only_of_what_the_role_may_see(
    vk_world: VkWorld, push_service: PushService, role: Role, kinds: set[str]
) -> None:
    member = await add_person(vk_world.ctx, vk_world.shop.id, "worker@example.org", role)
    browser = push_service.new_browser()
    await links.subscribe(vk_world.ctx, member, browser.endpoint, *browser.keys, "Chrome")
    # A row that was written before the role was cut: the check is made at each event.
    everything = frozenset((kind, Way.PUSH) for kind in Kind if kind is not Kind.WAY_BROKEN)
    ways = Ways(vk_world, push_service, browser, 0, 0, 0, frozenset())
    owner, vk_world.member = vk_world.member, member
    await ways.change(choices=everything)
    vk_world.member = owner
    await vk_world.complete_payment()
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    await community_client.mark_key_broken(vk_world.ctx, vk_world.community_id, NeedsOwnerError(5))
    await vk_world.run_jobs()
    rows = await fetch_rows(vk_world.ctx.db, notifications, vk_world.shop.id)
    assert {one["kind"] for one in rows} == kinds
    assert len(push_service.requests) == len(kinds)


async def test_removed_member_hears_nothing(vk_world: VkWorld, push_service: PushService) -> None:
    shop_id = vk_world.shop.id
    member = await add_person(vk_world.ctx, shop_id, "worker@example.org", Role.OPERATOR)
    browser = push_service.new_browser()
    await links.subscribe(vk_world.ctx, member, browser.endpoint, *browser.keys, "Chrome")
    await vk_world.complete_payment()
    assert await fetch_rows(vk_world.ctx.db, notification_addresses, vk_world.shop.id)
    await team.remove(vk_world.ctx, vk_world.member, member.actor)
    await vk_world.run_jobs()
    await vk_world.complete_payment()
    await vk_world.run_jobs()
    assert push_service.requests == []
    assert await fetch_rows(vk_world.ctx.db, notification_addresses, vk_world.shop.id) == []


async def test_role_that_was_cut_before_sending_is_obeyed(
    vk_world: VkWorld, push_service: PushService
) -> None:
    shop_id = vk_world.shop.id
    member = await add_person(vk_world.ctx, shop_id, "worker@example.org", Role.OPERATOR)
    browser = push_service.new_browser()
    await links.subscribe(vk_world.ctx, member, browser.endpoint, *browser.keys, "Chrome")
    push_service.statuses = [503]
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    async with vk_world.ctx.db.write() as tx:
        await members.set_role(tx, vk_world.shop.id, member.actor, Role.VIEWER)
    vk_world.clock.advance(hours=1)
    await vk_world.run_jobs()
    assert push_service.requests == []
