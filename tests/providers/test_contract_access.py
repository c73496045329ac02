"""Contract of every acquirer adapter: credentials, secrecy, notices."""

from dataclasses import replace

import pytest

from sigma.domain.billing.payment import Event, PaymentReply
from sigma.providers.base import ConnectionAccess, RejectedError, UnknownOutcomeError
from tests.providers.contract_requests import AMOUNT, payment_request, start_payment
from tests.providers.harness import ProviderHarness


async def test_wrong_credentials_are_rejected(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    created = await start_payment(harness, access)
    wrong_access = harness.with_wrong_secret(access)
    for call in (
        harness.provider.describe_account(wrong_access),
        harness.provider.start_payment(wrong_access, payment_request(2)),
        harness.provider.fetch_payment(wrong_access, created.provider_id),
    ):
        with pytest.raises(RejectedError) as caught:
            await call
        assert caught.value.code == "credentials"


async def test_check_describes_the_account(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    assert access.account in await harness.provider.describe_account(access)


@pytest.mark.parametrize(
    "unknown_id", ["no-such-payment", "", "..", "../refunds", "a/b", "x" * 65, "ж"]
)
async def test_unknown_id_is_rejected_as_not_found(
    harness: ProviderHarness, access: ConnectionAccess, unknown_id: str
) -> None:
    with pytest.raises(RejectedError, match="not_found"):
        await harness.provider.fetch_payment(access, unknown_id)
    with pytest.raises(RejectedError, match="not_found"):
        await harness.provider.fetch_refund(access, unknown_id)
    with pytest.raises(RejectedError, match="not_found"):
        await harness.provider.capture(access, unknown_id, AMOUNT, "capture-1")


async def test_payment_of_another_account_is_not_found(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    created = await start_payment(harness, access)
    with pytest.raises(RejectedError, match="not_found"):
        await harness.provider.fetch_payment(harness.access(), created.provider_id)


async def test_notice_names_the_payment(harness: ProviderHarness) -> None:
    reply = PaymentReply("2e0b0c1f-000f-5000-8000-18db351245c7", Event.CAPTURED, payment_id="pay_1")
    notice = harness.provider.parse_notice(harness.make_notice(reply))
    assert (notice.object_kind, notice.claimed_id) == ("payment", "pay_1")
    assert notice.object_id == notice.payment_provider_id == reply.provider_id


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
async def test_malformed_notice_is_refused(harness: ProviderHarness, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        harness.provider.parse_notice(body)


async def test_secret_is_absent_from_reprs_and_errors(
    harness: ProviderHarness, access: ConnectionAccess
) -> None:
    texts = [repr(access), repr(harness.provider)]
    for failing_access in (
        harness.with_wrong_secret(access),
        replace(access, base_url="http://127.0.0.1:1"),
    ):
        with pytest.raises((RejectedError, UnknownOutcomeError)) as caught:
            await harness.provider.describe_account(failing_access)
        texts += [repr(caught.value), str(caught.value)]
        assert failing_access.secret not in "".join(texts)
