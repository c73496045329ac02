"""The notification page of one member: what is chosen, what is linked, how each way works."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sigma.channels.delivery_error import DeliveryError
from sigma.domain.accounts.member import Member
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.connection import Status as ConnectionStatus
from sigma.domain.change import Change
from sigma.domain.errors import validation_error
from sigma.domain.limits import NOTIFICATION_TESTS
from sigma.domain.notifications.address import Address
from sigma.domain.notifications.kind import Kind, Way
from sigma.domain.notifications.notification import Delivery
from sigma.domain.notifications.preferences import (
    Choice,
    Preferences,
    QuietHours,
    available_kinds,
    check_preferences,
)
from sigma.domain.notifications.telegram_bot import TelegramBot
from sigma.services.billing.mails import smtp_url_of
from sigma.services.context import Context
from sigma.services.notifications import links, ways
from sigma.services.notifications.delivery import NO_ADDRESS
from sigma.services.notifications.rendering import render_trial
from sigma.services.notifications.ways import OutgoingNotification
from sigma.services.platform import audit_log
from sigma.services.vk import community_client
from sigma.services.vk.links import chat_url
from sigma.store import changes
from sigma.store.accounts import shops, users
from sigma.store.notifications import addresses, deliveries, preferences, telegram_bots
from sigma.texts import Translator


@dataclass(frozen=True, slots=True)
class CommunityChat:
    """A community of the shop, and the page where somebody writes to it."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """What the page shows. `latest`: the last delivery by each way that has had one.

    `communities`: those that a member can write a code to. `has_mail_server`: e-mail can be sent.
    """

    preferences: Preferences
    kinds: tuple[Kind, ...]
    addresses: tuple[Address, ...]
    latest: Mapping[Way, Delivery]
    communities: tuple[CommunityChat, ...]
    bot: TelegramBot | None
    has_mail_server: bool
    push_key: str

    def linked(self, way: Way) -> list[Address]:
        """Return the linked addresses of a way."""
        return [one for one in self.addresses if one.way == way and one.is_linked]


@dataclass(frozen=True, slots=True)
class TestResult:
    """The answer of a way to a test. `is_accepted`: its service has taken the message."""

    __test__ = False
    is_accepted: bool
    reply: str


async def get(ctx: Context, member: Member) -> NotificationSettings:
    """Return the notification settings of the acting member."""
    links.require_person(member)
    connected = await community_client.list_connected(ctx, member)
    async with ctx.db.read() as tx:
        chosen = await preferences.find(tx, member.shop_id, member.actor)
        linked = await addresses.list_for_member(tx, member.shop_id, member.actor)
        bot = await telegram_bots.find(tx, member.shop_id)
        shop = await shops.get(tx, member.shop_id)
        latest = {
            way: found
            for way in Way
            if (found := await deliveries.find_latest_of_way(tx, member.shop_id, member.actor, way))
        }
    assert shop is not None, "a member has a shop"
    return NotificationSettings(
        chosen or Preferences("", member.shop_id, member.actor),
        available_kinds(member),
        tuple(linked),
        latest,
        tuple(
            CommunityChat(community.name, chat_url(community, connection))
            for community, connection in connected
            if connection.status is ConnectionStatus.ACTIVE
        ),
        bot,
        ctx.mailer_factory(smtp_url_of(ctx, shop)) is not None,
        links.public_push_key(ctx),
    )


async def has_sound(ctx: Context, member: Member) -> bool:
    """Return whether open pages of the cabinet play a sound for this member."""
    async with ctx.db.read() as tx:
        chosen = await preferences.find(tx, member.shop_id, member.actor)
    return chosen is not None and chosen.has_sound


async def save(
    ctx: Context,
    member: Member,
    *,
    choices: frozenset[Choice],
    quiet: QuietHours | None,
    digest_minutes: int,
    has_sound: bool,
) -> None:
    """Store the choices. Kinds that the role may not see are left out.

    Raises RefusedError("validation").
    """
    links.require_person(member)
    kinds = available_kinds(member)
    allowed = frozenset(choice for choice in choices if choice[0] in kinds)
    async with ctx.db.write() as tx:
        stored = await links.get_preferences(ctx, tx, member)
        updated = replace(
            stored,
            choices=allowed,
            quiet=quiet,
            digest_minutes=digest_minutes,
            has_sound=has_sound,
        )
        if problems := check_preferences(updated):
            raise validation_error(*problems)
        await changes.write(tx, Change((updated,)), ctx.now_us())
        await audit_log.record(
            ctx,
            tx,
            member,
            Deed.NOTIFICATIONS_CHANGED,
            member.actor,
            choices=sorted(f"{kind}:{way}" for kind, way in allowed),
        )


async def send_test(ctx: Context, member: Member, way: Way) -> TestResult:
    """Send a test by a way at once and return the real answer of its service.

    Quiet hours and switches do not hold it back: the member has asked for it. Raises
    RefusedError("too_many_requests").
    """
    links.require_person(member)
    await ctx.limiter.require(NOTIFICATION_TESTS, f"{member.shop_id} {member.actor}")
    async with ctx.db.read() as tx:
        shop, user = await shops.get(tx, member.shop_id), await users.get(tx, member.actor)
        linked = await addresses.list_for_way(tx, member.shop_id, member.actor, way)
    assert shop is not None and user is not None, "a person is a user of a shop"
    targets: list[Address | None] = [None] if way is Way.EMAIL else [*linked]
    if not targets:
        return TestResult(False, NO_ADDRESS)
    text = render_trial(shop.name, ctx.settings.base_url, Translator(user.locale, shop.tz))
    delivery_id = ctx.new_id("ndl", member.shop_id)
    outgoing = OutgoingNotification(delivery_id, shop, user, text, links.new_random_id())
    results = [await _try(ctx, way, outgoing, target) for target in targets]
    accepted = [one for one in results if one.is_accepted]
    return (accepted or results)[0]


async def _try(
    ctx: Context, way: Way, outgoing: OutgoingNotification, target: Address | None
) -> TestResult:
    try:
        return TestResult(True, await ways.send(ctx, way, outgoing, target))
    except DeliveryError as error:
        if error.is_gone and target is not None:
            async with ctx.db.write() as tx:
                await addresses.remove(tx, target.shop_id, target.user_id, target.id)
        return TestResult(False, error.reply)
