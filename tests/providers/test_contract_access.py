"""The contract of every acquirer adapter: who may ask, what is shown, what comes to the door."""

from dataclasses import replace

import pytest

from sigma.domain.billing.payment import Event, Reply
from sigma.providers.base import Access, Rejected, Unknown
from tests.providers.orders import SUM, order, start
from tests.providers.stage import Stage


async def test_wrong_credentials_are_a_plain_no(stage: Stage, access: Access) -> None:
    made = await start(stage, access)
    stranger = stage.without_rights(access)
    for ask in (
        stage.provider.check(stranger),
        stage.provider.start_payment(stranger, order(2)),
        stage.provider.fetch_payment(stranger, made.provider_id),
    ):
        with pytest.raises(Rejected) as refused:
            await ask
        assert refused.value.code == "credentials"


async def test_a_good_connection_is_told_in_a_few_words(stage: Stage, access: Access) -> None:
    assert access.account in await stage.provider.check(access)


@pytest.mark.parametrize(
    "strange", ["no-such-payment", "", "..", "../refunds", "a/b", "x" * 65, "ж"]
)
async def test_what_is_not_there_is_a_plain_no(stage: Stage, access: Access, strange: str) -> None:
    with pytest.raises(Rejected, match="not_found"):
        await stage.provider.fetch_payment(access, strange)
    with pytest.raises(Rejected, match="not_found"):
        await stage.provider.fetch_refund(access, strange)
    with pytest.raises(Rejected, match="not_found"):
        await stage.provider.capture(access, strange, SUM, "capture-1")


async def test_a_payment_of_another_account_is_not_seen(stage: Stage, access: Access) -> None:
    made = await start(stage, access)
    with pytest.raises(Rejected, match="not_found"):
        await stage.provider.fetch_payment(stage.access(), made.provider_id)


async def test_a_notice_says_whom_to_ask_about(stage: Stage) -> None:
    reply = Reply("2e0b0c1f-000f-5000-8000-18db351245c7", Event.CAPTURED, our_id="pay_1")
    read = stage.provider.read_notice(stage.notice(reply))
    assert (read.object_kind, read.our_id) == ("payment", "pay_1")
    assert read.object_id == read.payment_provider_id == reply.provider_id


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"type":"notification","event":1,"object":[]}',
        b'{"padding":"' + b"x" * 1_000_000 + b'"}',
    ],
    ids=range(9),
)
async def test_rubbish_at_the_door_is_refused(stage: Stage, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        stage.provider.read_notice(body)


async def test_no_secret_is_shown(stage: Stage, access: Access) -> None:
    shown = [repr(access), repr(stage.provider)]
    for caller in (stage.without_rights(access), replace(access, base_url="http://127.0.0.1:1")):
        with pytest.raises((Rejected, Unknown)) as refused:
            await stage.provider.check(caller)
        shown += [repr(refused.value), str(refused.value), caller.secret]
        assert caller.secret not in "".join(shown[:-1])
        shown.pop()
