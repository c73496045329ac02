"""The line to YooKassa: what a proxy, a gateway or a liar may answer, and what is kept."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sigma.domain.billing.connection import Connection
from sigma.domain.money import Money
from sigma.providers.base import Access, Provider, RefundOrder, Rejected, Unknown, access_to
from sigma.providers.registry import close_providers, open_client, open_providers
from sigma.providers.yookassa.adapter import YooKassa
from tests.providers.lines import Line, http, listening, own_authority
from tests.providers.orders import order
from tests.providers.samples import PAYMENT_ID, pending, refund, succeeded

PAGE = b"<!doctype html><h1>Somebody else</h1>"


@pytest.fixture
async def yookassa() -> AsyncIterator[Provider]:
    providers = open_providers()
    yield providers["yookassa"]
    await close_providers(providers)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with listening() as line:
        yield line


def access_on(line: Line, account: str = "100500") -> Access:
    return Access(account, "test_secret", line.url, timeout_s=2)


def said(thing: object) -> bytes:
    return http(200, json.dumps(thing).encode(), "content-type: application/json")


def refused(status: int, **more: str) -> bytes:
    return http(status, json.dumps({"type": "error", "id": "1", **more}).encode())


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_request"),
        (401, "credentials"),
        (403, "forbidden"),
        (404, "not_found"),
        (405, "bad_request"),
        (410, "gone"),
        (415, "bad_request"),
    ],
)
async def test_a_refusal_in_its_own_envelope_is_a_no(
    yookassa: Provider, line: Line, status: int, code: str
) -> None:
    line.answer = refused(status, description="Неверная сумма", parameter="amount.value")
    with pytest.raises(Rejected) as no:
        await yookassa.start_payment(access_on(line), order())
    assert no.value.code == code
    if status != 401:
        assert (no.value.detail, no.value.parameter) == ("Неверная сумма", "amount.value")
    assert "Неверная" not in str(no.value)


@pytest.mark.parametrize(
    "answer",
    [
        http(400, PAGE),
        http(403, PAGE),
        http(404, PAGE),
        http(404, b'{"detail": "Not Found"}'),
        refused(408),
        refused(429),
        refused(500),
        refused(503),
        http(502, PAGE),
        http(201, json.dumps(pending()).encode()),
        http(204, b""),
        http(200, PAGE),
        http(200, b""),
        http(200, b"[" * 90_000),
        http(200, b"{}", "content-encoding: gzip"),
        http(200, b'{"type": "error"}'),
        http(301, b"", "location: /v3/payments"),
        http(302, b"", "location: http://127.0.0.1:1/"),
        http(200, json.dumps(pending()).encode())[:-20],
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
        refused(400, parameter="Idempotence-Key"),
    ],
    ids=range(23),
)
async def test_anything_else_is_not_known(yookassa: Provider, line: Line, answer: bytes) -> None:
    line.answer = answer
    with pytest.raises(Unknown) as lost:
        await yookassa.start_payment(access_on(line), order())
    assert len(line.heard) == 1
    assert "test_secret" not in str(lost.value)
    assert line.url not in str(lost.value)


async def test_a_page_instead_of_a_401_is_still_about_credentials(
    yookassa: Provider, line: Line
) -> None:
    line.answer = http(401, PAGE)
    with pytest.raises(Rejected, match="credentials"):
        await yookassa.check(access_on(line))


async def test_a_busy_answer_says_when_to_come_back(yookassa: Provider, line: Line) -> None:
    line.answer = http(429, PAGE, "retry-after: 7")
    with pytest.raises(Unknown) as lost:
        await yookassa.check(access_on(line))
    assert lost.value.retry_after_s == 7


async def test_an_answer_that_drips_is_not_waited_for(yookassa: Provider, line: Line) -> None:
    line.answer, line.drip_s = said(pending()), 0.02
    started = time.monotonic()
    with pytest.raises(Unknown, match="in time"):
        await yookassa.fetch_payment(replace(access_on(line), timeout_s=0.2), PAYMENT_ID)
    assert time.monotonic() - started < 1.5


async def test_an_endless_answer_is_not_swallowed(yookassa: Provider, line: Line) -> None:
    line.answer = http(200, b" " * 3_000_000)
    with pytest.raises(Unknown, match="too large"):
        await yookassa.check(access_on(line))


async def test_an_answer_about_another_payment_is_not_believed(
    yookassa: Provider, line: Line
) -> None:
    line.answer = said(pending(metadata={"payment": "pay_2"}))
    with pytest.raises(Unknown, match="another payment"):
        await yookassa.start_payment(access_on(line), order(1))
    line.answer = said(refund(payment_id="2e0b0c1f-000f-5000-8000-000000000000"))
    with pytest.raises(Unknown, match="another payment"):
        await yookassa.start_refund(
            access_on(line), RefundOrder("ref_1", "key", PAYMENT_ID, Money(500_00))
        )


async def test_each_call_signs_in_for_itself_and_keeps_no_cookie(
    yookassa: Provider, line: Line
) -> None:
    line.answer = http(200, json.dumps(succeeded()).encode(), "set-cookie: shop=100500; Path=/")
    for account in ("100500", "100501"):
        await yookassa.fetch_payment(access_on(line, account), PAYMENT_ID)
    signed = [_header(head, "authorization") for head in line.heard]
    assert signed == ["Basic MTAwNTAwOnRlc3Rfc2VjcmV0", "Basic MTAwNTAxOnRlc3Rfc2VjcmV0"]
    assert [_header(head, "cookie") for head in line.heard] == ["", ""]


async def test_a_call_carries_its_key(yookassa: Provider, line: Line) -> None:
    line.answer = said(succeeded())
    await yookassa.capture(access_on(line), PAYMENT_ID, Money(1_500_00), "capture-1")
    assert line.heard[0].startswith(f"POST /v3/payments/{PAYMENT_ID}/capture ")
    assert _header(line.heard[0], "idempotence-key") == "capture-1"


async def test_a_bundle_of_authorities_belongs_to_its_connection(
    yookassa: Provider, tmp_path: Path
) -> None:
    tls, bundle = own_authority(tmp_path)
    async with listening(tls) as line:
        line.answer = said(succeeded())
        trusting = replace(access_on(line), ca_bundle=str(bundle))
        assert (await yookassa.fetch_payment(trusting, PAYMENT_ID)).provider_id == PAYMENT_ID
        for doubting in (None, str(tmp_path / "none.pem"), str(tmp_path / "key.pem")):
            with pytest.raises(Unknown):
                await yookassa.fetch_payment(replace(trusting, ca_bundle=doubting), PAYMENT_ID)
        assert len(line.heard) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nowhere",
        "http://[",
        "http://x:y:z",
        "http://127.0.0.1:99999999",
        "http://\x00",
        "ftp://127.0.0.1",
        "http://127.0.0.1:1",
        "http://" + "ж" * 300,
    ],
)
async def test_an_address_that_leads_nowhere_is_not_known(yookassa: Provider, url: str) -> None:
    with pytest.raises(Unknown):
        await yookassa.check(Access("100500", "test_secret", url, timeout_s=1))


async def test_one_client_for_each_address_closed_at_the_end(line: Line) -> None:
    opened: list[httpx.AsyncClient] = []

    def counting(ca_bundle: str | None) -> httpx.AsyncClient:
        opened.append(open_client(ca_bundle))
        return opened[-1]

    provider = YooKassa(counting)
    line.answer = said(succeeded())
    async with listening() as other:
        other.answer = line.answer
        for one in (line, line, other):
            await provider.fetch_payment(access_on(one), PAYMENT_ID)
    assert len(opened) == 2
    await provider.aclose()
    assert [client.is_closed for client in opened] == [True, True]


async def test_a_connection_fills_its_gaps_from_the_provider(yookassa: Provider) -> None:
    plain = Connection("con_1", "shp_1", "yookassa", "", "100500", "sealed", 0)
    live = access_to(yookassa, plain, "secret")
    assert (live.base_url, live.ca_bundle) == ("https://api.yookassa.ru/v3", None)
    settings = {"base_url": "http://127.0.0.1:8001/bank/v3/", "timeout_s": 9000, "ca_bundle": ""}
    tuned = access_to(yookassa, replace(plain, settings=settings), "secret")
    assert (tuned.base_url, tuned.timeout_s) == ("http://127.0.0.1:8001/bank/v3", 120)
    assert "secret" not in repr(tuned)


def _header(head: str, name: str) -> str:
    for row in head.split("\r\n"):
        key, _, value = row.partition(": ")
        if key.lower() == name:
            return value
    return ""
