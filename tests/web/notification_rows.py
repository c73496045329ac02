"""Rows of notifications that no page creates by one form."""

from sigma.domain.notifications.address import Address
from sigma.domain.notifications.kind import Way
from sigma.domain.notifications.telegram_bot import TelegramBot
from sigma.services.notifications.addresses import telegram_hashes, with_number
from sigma.store.encrypted_columns import EncryptedColumn
from tests.vk_world import VkWorld


def notification_rows(vk: VkWorld) -> tuple[Address, TelegramBot]:
    """Return a chat of the owner and the bot of the shop, which Telegram does not know."""
    ctx, shop_id = vk.ctx, vk.shop.id
    waiting = Address(
        ctx.new_id("nad", shop_id), shop_id, vk.member.actor, Way.TELEGRAM, ctx.now_us()
    )
    bot_id, column = ctx.new_id("tgb", shop_id), EncryptedColumn.TELEGRAM_TOKEN
    token = ctx.cipher.encrypt("1234567:" + "a" * 35, column, bot_id)
    bot = TelegramBot(bot_id, shop_id, token, f"{vk.sandbox.base_url}/telegram", "studio_bot")
    return with_number(ctx, waiting, 77, telegram_hashes(ctx, 77)[0]), bot
