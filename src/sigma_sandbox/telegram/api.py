"""`/telegram/bot<token>/<method>`: getMe, getUpdates, sendMessage, as core.telegram.org/bots/api.

`POST /telegram/test/write` writes as a person, `/telegram/test/block` blocks the bot,
`GET /telegram/test/chats/<bot>/<chat>` returns a chat.
"""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from sigma_sandbox.faults import Effect
from sigma_sandbox.responses import AnyRequest, json_response, render_page
from sigma_sandbox.server import abort_connection
from sigma_sandbox.telegram.world import Telegram, parse_bot_id, username_of

MAX_TEXT_CHARS = 4096
DESCRIPTIONS = {
    400: "Bad Request: chat not found",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    429: "Too Many Requests: retry after 1",
}


class BotApiError(Exception):
    """A refused call, with Telegram's code and description."""

    def __init__(self, code: int, description: str = "") -> None:
        super().__init__(description)
        self.code = code
        self.description = description or DESCRIPTIONS.get(code, "Internal Server Error")


def get_telegram(request: AnyRequest) -> Telegram:
    """Return the state of the sandbox Telegram."""
    telegram = request.app.state["telegram"]
    assert isinstance(telegram, Telegram)
    return telegram


@post("/{bot:str}/{method:str}", status_code=200)
async def call_method(
    request: AnyRequest, bot: FromPath[str], method: FromPath[str]
) -> Response[bytes]:
    """Serve one call of a bot, with the faults that `/control` has set for it."""
    telegram = get_telegram(request)
    token = bot.removeprefix("bot")
    bot_id = parse_bot_id(token) if bot.startswith("bot") else None
    shop = str(bot_id) if bot_id else None
    try:
        if bot_id is None:
            raise BotApiError(401)
        code = telegram.faults.consume(Effect.TELEGRAM_ERROR, method, shop)
        if code is not None:
            raise BotApiError(code)
        fields = msgspec.json.decode(await request.body())
        result = _METHODS[method](telegram, bot_id, fields)
    except KeyError:
        return _refusal(BotApiError(404))
    except (ValueError, TypeError):
        return _refusal(BotApiError(400, "Bad Request: wrong parameters"))
    except BotApiError as error:
        return _refusal(error)
    if telegram.faults.consume(Effect.TELEGRAM_CUT_ANSWER, method, shop):
        await abort_connection(request.scope)
    return json_response({"ok": True, "result": result})


def _refusal(error: BotApiError) -> Response[bytes]:
    body: dict[str, Any] = {
        "ok": False,
        "error_code": error.code,
        "description": error.description,
    }
    if error.code == 429:
        body["parameters"] = {"retry_after": 1}
    return json_response(body, error.code)


def _get_me(_: Telegram, bot_id: int, __: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": bot_id,
        "is_bot": True,
        "first_name": "Бот песочницы",
        "username": username_of(bot_id),
    }


def _get_updates(telegram: Telegram, bot_id: int, fields: dict[str, Any]) -> list[dict[str, Any]]:
    updates = telegram.list_updates(bot_id, int(fields.get("offset") or 0))
    return [
        {
            "update_id": one.update_id,
            "message": {
                "message_id": one.update_id,
                "from": {"id": one.chat_id, "is_bot": False, "first_name": "Анна"},
                "chat": {"id": one.chat_id, "type": "private", "first_name": "Анна"},
                "date": 0,
                "text": one.text,
            },
        }
        for one in updates[:100]
    ]


def _send_message(telegram: Telegram, bot_id: int, fields: dict[str, Any]) -> dict[str, Any]:
    chat_id, text = fields.get("chat_id"), fields.get("text")
    if not isinstance(text, str) or not text:
        raise BotApiError(400, "Bad Request: message text is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise BotApiError(400, "Bad Request: message is too long")
    chat = telegram.chats.get((bot_id, chat_id)) if isinstance(chat_id, int) else None
    if chat is None:
        raise BotApiError(400)
    if chat.has_blocked:
        raise BotApiError(403)
    message = telegram.add_message(chat, text, is_from_bot=True)
    return {
        "message_id": message.message_id,
        "chat": {"id": chat.chat_id, "type": "private"},
        "date": message.sent_at_us // 1_000_000,
        "text": text,
    }


_METHODS = {"getMe": _get_me, "getUpdates": _get_updates, "sendMessage": _send_message}


@post("/test/write", status_code=200)
async def write(request: AnyRequest) -> Response[bytes]:
    """Write to a bot as a person: `{"bot_id", "chat_id", "text"}`. Also unblocks the bot."""
    telegram, fields = get_telegram(request), msgspec.json.decode(await request.body())
    chat = telegram.get_or_create_chat(int(fields["bot_id"]), int(fields["chat_id"]))
    chat.has_blocked = False
    message = telegram.add_message(chat, str(fields["text"]), is_from_bot=False)
    return json_response(message)


@post("/test/block", status_code=200)
async def block(request: AnyRequest) -> Response[bytes]:
    """Block a bot as a person: `{"bot_id", "chat_id"}`."""
    telegram, fields = get_telegram(request), msgspec.json.decode(await request.body())
    chat = telegram.get_or_create_chat(int(fields["bot_id"]), int(fields["chat_id"]))
    chat.has_blocked = True
    telegram.save_chat(chat)
    return json_response(chat)


@get("/test/chats/{bot_id:int}/{chat_id:int}")
async def get_chat(
    request: AnyRequest, bot_id: FromPath[int], chat_id: FromPath[int]
) -> Response[bytes]:
    """Return a chat with its messages, oldest first."""
    return json_response(get_telegram(request).get_or_create_chat(bot_id, chat_id))


@get("/")
async def show_chats(request: AnyRequest) -> Response[bytes]:
    """Show all chats, the latest message first."""
    chats = [one for one in get_telegram(request).chats.values() if one.messages]
    chats.sort(key=lambda one: one.messages[-1].sent_at_us, reverse=True)
    return render_page(request, "telegram.html", chats=chats, username_of=username_of)


HANDLERS = [call_method, write, block, get_chat, show_chats]
