"""What we write to clients: in order, once, and whatever VK answers, the operator sees it."""

import io

import pytest
from PIL import Image

from sigma.channels.vk.errors import Later
from sigma.domain.errors import Refused
from sigma.domain.messaging.message import Body, Message, Status
from sigma.services.conversations import outbox
from tests.vk_world import VkWorld


@pytest.fixture
async def vk_world(vk_world: VkWorld) -> VkWorld:
    """A client has written; so he may be answered."""
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    return vk_world


async def last(world: VkWorld) -> Message:
    return (await world.messages())[-1]


async def refused(world: VkWorld, text: str = "Ещё") -> str:
    with pytest.raises(Refused) as no:
        await world.write(text)
    return no.value.code


async def test_an_answer_is_shown_at_once_and_sent(vk_world: VkWorld) -> None:
    message = await vk_world.write("Добрый день")
    conversation = await vk_world.conversation()
    assert not conversation.unanswered
    assert conversation.by_hand
    assert message.status is Status.QUEUED
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Добрый день"]
    sent = await last(vk_world)
    assert (sent.id, sent.status, sent.cmid) == (message.id, Status.SENT, 2)


async def test_one_wish_sent_twice_is_one_message(vk_world: VkWorld) -> None:
    one = await vk_world.write("Добрый день", key="form-1")
    two = await vk_world.write("Добрый день", key="form-1")
    assert one.id == two.id
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Добрый день"]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 4097, "a\x00b"])
async def test_what_cannot_be_sent_is_not_taken(vk_world: VkWorld, text: str) -> None:
    assert await refused(vk_world, text) == "validation"


async def test_a_picture_is_sent(vk_world: VkWorld) -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "#336699").save(out, "PNG")
    await vk_world.write("", photo=out.getvalue())
    await vk_world.work()
    (_, there) = (await vk_world.dialog_at_vk())["messages"]
    assert there["attachments"][0]["type"] == "photo"
    await vk_world.hear()
    assert vk_world.body(await last(vk_world)).attachments[0].url


async def test_nothing_overtakes_what_was_written_before(vk_world: VkWorld) -> None:
    await vk_world.vk_control(vk_error={"on": "messages.send", "value": 9, "times": 1})
    for text in ("Раз", "Два", "Три"):
        await vk_world.write(text)
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте"]
    first = (await vk_world.messages())[1]
    assert (first.status, first.failure) == (Status.QUEUED, "waits:9")
    await vk_world.move(minutes=11)
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Раз", "Два", "Три"]


@pytest.mark.parametrize(
    ("code", "too_soon", "long_enough"),
    [(6, 0.0001, 0.1), (9, 9, 11), (10, 0.01, 0.2), (29, 170, 185)],
)
async def test_vk_asks_to_wait_and_is_waited_for(
    vk_world: VkWorld, code: int, too_soon: float, long_enough: float
) -> None:
    await vk_world.vk_control(vk_error={"on": "messages.send", "value": code})
    await vk_world.write("Добрый день")
    await vk_world.work()
    assert (await last(vk_world)).failure == f"waits:{code}"
    await vk_world.vk_control(vk_error=None)
    await vk_world.move(minutes=too_soon)
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте"]
    await vk_world.move(minutes=long_enough)
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Добрый день"]
    assert (await last(vk_world)).failure == ""


@pytest.mark.parametrize("trouble", ["vk_cut_answer", "vk_cut_request", "vk_http_500"])
async def test_a_lost_answer_sends_nothing_twice_even_when_vk_has_forgotten(
    vk_world: VkWorld, trouble: str
) -> None:
    await vk_world.vk_control(**{trouble: {"on": "messages.send", "times": 4}})
    await vk_world.write("Добрый день")
    await vk_world.work()
    assert (await last(vk_world)).failure == "waits:0"
    await vk_world.told()  # the event about it is lost too
    await vk_world.move(hours=2)
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Добрый день"]
    assert (await last(vk_world)).status is Status.SENT


async def test_a_lost_answer_is_looked_for_behind_many_messages(vk_world: VkWorld) -> None:
    await vk_world.vk_control(vk_cut_answer={"on": "messages.send", "times": 4})
    await vk_world.write("Добрый день")
    await vk_world.work()
    for n in range(210):
        vk_world.sandbox.vk.write(vk_world.person, vk_world.group_id, str(n))
    await vk_world.move(minutes=30)
    await vk_world.work()
    assert (await vk_world.texts_at_vk()).count("Добрый день") == 1
    sent = next(one for one in await vk_world.messages() if one.out)
    assert (sent.status, sent.cmid) == (Status.SENT, 2)


async def test_whoever_forbade_it_silently_is_not_written_to(vk_world: VkWorld) -> None:
    await vk_world.vk_control(vk_events_off=True)
    await vk_world.client_does("deny")
    await vk_world.vk_control(vk_events_off=None)
    message = await vk_world.write("Добрый день")
    await vk_world.work()
    failed = await last(vk_world)
    assert (failed.status, failed.failure) == (Status.FAILED, "901")
    assert (await vk_world.conversation()).closed == "901"
    assert await refused(vk_world) == "cannot_write"
    with pytest.raises(Refused):
        await outbox.again(vk_world.ctx, vk_world.member, message.id)
    await vk_world.client_does("allow")
    await outbox.again(vk_world.ctx, vk_world.member, message.id)
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Добрый день"]
    assert (await vk_world.conversation()).closed == ""


@pytest.mark.parametrize("code", [900, 902, 914, 936])
async def test_a_plain_no_is_shown_and_stops_nothing_else(vk_world: VkWorld, code: int) -> None:
    other = await vk_world.new_person()
    await vk_world.client_writes("Я другой", other)
    await vk_world.hear()
    await vk_world.vk_control(vk_error={"on": "messages.send", "value": code, "times": 1})
    await vk_world.write("Добрый день")
    await vk_world.work()
    failed = await last(vk_world)
    assert (failed.status, failed.failure) == (Status.FAILED, str(code))
    assert (await vk_world.conversation()).closed == ("" if code == 914 else str(code))
    await vk_world.write("И вам", other)
    await vk_world.work()
    assert await vk_world.texts_at_vk(other) == ["Я другой", "И вам"]


async def test_a_dead_key_holds_messages_until_there_is_a_good_one(vk_world: VkWorld) -> None:
    await vk_world.vk_test(f"communities/{vk_world.group_id}/revoke")
    await vk_world.write("Раз")
    await vk_world.work()
    await vk_world.write("Два")
    await vk_world.work()
    assert (await vk_world.community()).trouble == "5"
    waiting = (await vk_world.messages())[1:]
    assert [one.status for one in waiting] == [Status.QUEUED, Status.QUEUED]
    assert waiting[0].failure == "waits:5"
    await vk_world.move(days=2)
    await vk_world.work()
    made = await vk_world.new_key()
    await vk_world.set_token(made)
    await vk_world.change_community(trouble="")
    assert await outbox.resume(vk_world.ctx, vk_world.community_id) == 2
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Раз", "Два"]


async def test_words_go_without_buttons_where_buttons_are_off(vk_world: VkWorld) -> None:
    await vk_world.vk_test(f"communities/{vk_world.group_id}", bots_capabilities=False)
    action = {"type": "open_link", "label": "Оплатить", "link": "https://pay.example/i/1"}
    keyboard = {"inline": True, "buttons": [[{"action": action}]]}
    await vk_world.write("Оплатите: https://pay.example/i/1", keyboard=keyboard)
    await vk_world.work()
    (_, there) = (await vk_world.dialog_at_vk())["messages"]
    assert there["text"] == "Оплатите: https://pay.example/i/1"
    assert "keyboard" not in there


async def test_who_never_wrote_is_written_to_only_when_he_allows(vk_world: VkWorld) -> None:
    stranger = await vk_world.new_person()
    await vk_world.client_does("allow", stranger)
    await vk_world.hear()
    await vk_world.write("Ваш заказ готов", stranger)
    await vk_world.work()
    assert await vk_world.texts_at_vk(stranger) == ["Ваш заказ готов"]
    await vk_world.vk_control(vk_events_off=True)
    await vk_world.client_does("deny", stranger)
    await vk_world.vk_control(vk_events_off=None)
    await vk_world.vk_control(vk_error={"on": "messages.send", "value": 914})  # it is not asked
    await vk_world.write("И ещё", stranger)
    await vk_world.work()
    assert (await vk_world.messages(stranger))[-1].failure == "901"


async def test_a_message_is_rewritten_until_vk_finds_it_too_old(vk_world: VkWorld) -> None:
    message = await vk_world.write("Счёт на 100 ₽")
    assert await outbox.rewrite(vk_world.ctx, message.id, Body("Счёт на 200 ₽"))
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Счёт на 200 ₽"]
    assert await outbox.rewrite(vk_world.ctx, message.id, Body("Оплачено"))
    await vk_world.hear()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Оплачено"]
    assert await vk_world.texts() == ["Здравствуйте", "Оплачено"]
    preview = (await vk_world.conversation()).preview_sealed
    assert vk_world.ctx.sealer.open(preview) == "Оплачено"
    await vk_world.move(hours=25)
    assert not await outbox.rewrite(vk_world.ctx, message.id, Body("Возвращено"))
    assert await vk_world.texts() == ["Здравствуйте", "Оплачено"]


async def test_what_may_be_on_its_way_is_not_rewritten_yet(vk_world: VkWorld) -> None:
    await vk_world.vk_control(vk_cut_answer={"on": "messages.send", "times": 4})
    message = await vk_world.write("Счёт на 100 ₽")
    await vk_world.work()
    with pytest.raises(Later):
        await outbox.rewrite(vk_world.ctx, message.id, Body("Оплачено"))
    await vk_world.move(minutes=5)
    await vk_world.work()
    assert await outbox.rewrite(vk_world.ctx, message.id, Body("Оплачено"))
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Оплачено"]
