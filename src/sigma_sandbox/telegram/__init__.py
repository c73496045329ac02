"""The sandbox Telegram: the wire of the Bot API for any bot, and its private chats."""
