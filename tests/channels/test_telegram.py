"""The Bot API client against the sandbox Telegram, and the answers of the real one."""

import pytest

from sigma.channels.delivery_error import DeliveryError
from sigma.channels.telegram.client import TelegramClient, is_token
from sigma_sandbox.app import Sandbox
from tests.outbound.local import open_local_client

CHAT = 7_000_001


@pytest.fixture
def api_url(sandbox: Sandbox) -> str:
    return f"{sandbox.base_url}/telegram"


async def test_bot_greets_reads_and_writes(sandbox: Sandbox, api_url: str) -> None:
    client, token = TelegramClient(open_local_client), "6000001:" + "a" * 35
    profile = await client.fetch_profile(api_url, token)
    assert (profile.bot_id, profile.username) == (6_000_001, "sandbox_6000001_bot")
    chat = sandbox.telegram.get_or_create_chat(profile.bot_id, CHAT)
    sandbox.telegram.add_message(chat, "/start", is_from_bot=False)
    (update,) = await client.fetch_updates(api_url, token, 0)
    assert (update.chat_id, update.text) == (CHAT, "/start")
    assert await client.fetch_updates(api_url, token, update.update_id + 1) == ()
    reply = await client.send_message(api_url, token, CHAT, "Привет " * 1000)
    assert reply.startswith("ok, message ")
    assert len(chat.messages[-1].text) == 4000, "cut to Telegram's limit"
    await client.close()


@pytest.mark.parametrize(
    ("code", "is_gone", "is_permanent", "retry_after_s"),
    [
        (403, True, True, 0),
        (400, True, True, 0),  # chat not found
        (401, False, True, 0),
        (409, False, False, 0),
        (429, False, False, 1),
        (500, False, False, 0),
    ],
)
async def test_refusals(
    sandbox: Sandbox,
    api_url: str,
    code: int,
    *,
    is_gone: bool,
    is_permanent: bool,
    retry_after_s: float,
) -> None:
    client = TelegramClient(open_local_client)
    bot_id = 6_100_000 + code
    sandbox.faults.update({"telegram_error": {"value": code, "times": 1}, "shop": str(bot_id)})
    with pytest.raises(DeliveryError) as caught:
        await client.send_message(api_url, f"{bot_id}:{'a' * 35}", CHAT, "x")
    await client.close()
    error = caught.value
    assert error.reply.startswith(str(code))
    assert (error.is_gone, error.is_permanent) == (is_gone, is_permanent)
    assert error.retry_after_s == retry_after_s


async def test_lost_answer_is_no_answer(sandbox: Sandbox, api_url: str) -> None:
    client = TelegramClient(open_local_client)
    sandbox.telegram.get_or_create_chat(6_000_003, CHAT)
    sandbox.faults.update({"telegram_cut_answer": {"times": 1}, "shop": "6000003"})
    with pytest.raises(DeliveryError) as caught:
        await client.send_message(api_url, "6000003:" + "a" * 35, CHAT, "x")
    await client.close()
    assert (caught.value.reply, caught.value.is_permanent) == ("no_connection", False)


async def test_token_is_not_in_our_log(
    sandbox: Sandbox, api_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = TelegramClient(open_local_client)
    with pytest.raises(DeliveryError):
        await client.fetch_profile("http://127.0.0.1:1", "6000004:" + "Secret_" * 5)
    await client.close()
    printed = capsys.readouterr()
    assert "Secret_" not in printed.out + printed.err


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("123456789:" + "A" * 35, True),
        ("123456789:" + "A" * 35 + "/../", False),
        ("123:short", False),
        ("", False),
        ("123456789:" + "A" * 35 + "\n", False),
    ],
)
def test_form_of_a_token(text: str, *, is_valid: bool) -> None:
    assert is_token(text) is is_valid
