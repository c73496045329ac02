"""YooKassa transport: responses of proxies, gateways and hostile servers; keys, TLS, clients."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from sigma.domain.billing.connection import Connection
from sigma.domain.money import Money
from sigma.providers.base import (
    ConnectionAccess,
    Provider,
    RefundRequest,
    RejectedError,
    UnknownOutcomeError,
    connection_access,
)
from sigma.providers.registry import close_providers, open_providers
from sigma.providers.yookassa.adapter import YooKassa
from tests.outbound.local import open_local_client
from tests.providers.contract_requests import payment_request
from tests.providers.scripted_server import (
    ScriptedServer,
    http_response,
    make_private_ca,
    run_scripted_server,
)
from tests.providers.yookassa_samples import PAYMENT_ID, pending, refund, succeeded

PAGE = b"<!doctype html><h1>Somebody else</h1>"


@pytest.fixture
async def yookassa() -> AsyncIterator[Provider]:
    providers = open_providers(open_local_client)
    yield providers["yookassa"]
    await close_providers(providers)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with run_scripted_server() as server:
        yield server


def access_to_server(server: ScriptedServer, account: str = "100500") -> ConnectionAccess:
    return ConnectionAccess(account, "test_secret", server.url, timeout_s=2)


def json_reply(body: object) -> bytes:
    return http_response(200, json.dumps(body).encode(), "content-type: application/json")


def error_reply(status: int, **more: str) -> bytes:
    return http_response(status, json.dumps({"type": "error", "id": "1", **more}).encode())


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
async def test_yookassa_error_object_is_rejection_with_code(
    yookassa: Provider, server: ScriptedServer, status: int, code: str
) -> None:
    server.response = error_reply(status, description="Неверная сумма", parameter="amount.value")
    with pytest.raises(RejectedError) as caught:
        await yookassa.start_payment(access_to_server(server), payment_request())
    assert caught.value.code == code
    if status != 401:
        assert (caught.value.detail, caught.value.parameter) == ("Неверная сумма", "amount.value")
    assert "Неверная" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        http_response(400, PAGE),
        http_response(403, PAGE),
        http_response(404, PAGE),
        http_response(404, b'{"detail": "Not Found"}'),
        error_reply(408),
        error_reply(429),
        error_reply(500),
        error_reply(503),
        http_response(502, PAGE),
        http_response(201, json.dumps(pending()).encode()),
        http_response(204, b""),
        http_response(200, PAGE),
        http_response(200, b""),
        http_response(200, b"[" * 90_000),
        http_response(200, b"{}", "content-encoding: gzip"),
        http_response(200, b'{"type": "error"}'),
        http_response(301, b"", "location: /v3/payments"),
        http_response(302, b"", "location: http://127.0.0.1:1/"),
        http_response(200, json.dumps(pending()).encode())[:-20],
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
        error_reply(400, parameter="Idempotence-Key"),
    ],
    ids=range(23),
)
async def test_any_other_response_is_unknown_outcome(
    yookassa: Provider, server: ScriptedServer, answer: bytes
) -> None:
    server.response = answer
    with pytest.raises(UnknownOutcomeError) as caught:
        await yookassa.start_payment(access_to_server(server), payment_request())
    assert len(server.request_heads) == 1
    assert "test_secret" not in str(caught.value)
    assert server.url not in str(caught.value)


async def test_html_401_response_is_credentials_rejection(
    yookassa: Provider, server: ScriptedServer
) -> None:
    server.response = http_response(401, PAGE)
    with pytest.raises(RejectedError, match="credentials"):
        await yookassa.describe_account(access_to_server(server))


async def test_429_response_carries_retry_delay(yookassa: Provider, server: ScriptedServer) -> None:
    server.response = http_response(429, PAGE, "retry-after: 7")
    with pytest.raises(UnknownOutcomeError) as caught:
        await yookassa.describe_account(access_to_server(server))
    assert caught.value.retry_after_s == 7


async def test_slowly_dripping_response_times_out(
    yookassa: Provider, server: ScriptedServer
) -> None:
    server.response, server.byte_interval_s = json_reply(pending()), 0.02
    started = time.monotonic()
    with pytest.raises(UnknownOutcomeError, match=r"^no answer$"):
        await yookassa.fetch_payment(replace(access_to_server(server), timeout_s=0.2), PAYMENT_ID)
    assert time.monotonic() - started < 1.5


async def test_too_large_response_is_refused(yookassa: Provider, server: ScriptedServer) -> None:
    server.response = http_response(200, b" " * 3_000_000)
    with pytest.raises(UnknownOutcomeError, match=r"^no answer$"):
        await yookassa.describe_account(access_to_server(server))


async def test_response_about_another_payment_is_unknown_outcome(
    yookassa: Provider, server: ScriptedServer
) -> None:
    server.response = json_reply(pending(metadata={"payment": "pay_2"}))
    with pytest.raises(UnknownOutcomeError, match="another payment"):
        await yookassa.start_payment(access_to_server(server), payment_request(1))
    server.response = json_reply(refund(payment_id="2e0b0c1f-000f-5000-8000-000000000000"))
    with pytest.raises(UnknownOutcomeError, match="another payment"):
        await yookassa.start_refund(
            access_to_server(server), RefundRequest("ref_1", "key", PAYMENT_ID, Money(500_00))
        )


async def test_each_call_sends_its_own_credentials_and_no_cookie(
    yookassa: Provider, server: ScriptedServer
) -> None:
    server.response = http_response(
        200, json.dumps(succeeded()).encode(), "set-cookie: shop=100500; Path=/"
    )
    for account in ("100500", "100501"):
        await yookassa.fetch_payment(access_to_server(server, account), PAYMENT_ID)
    authorizations = [_header(head, "authorization") for head in server.request_heads]
    assert authorizations == ["Basic MTAwNTAwOnRlc3Rfc2VjcmV0", "Basic MTAwNTAxOnRlc3Rfc2VjcmV0"]
    assert [_header(head, "cookie") for head in server.request_heads] == ["", ""]


async def test_capture_sends_idempotence_key(yookassa: Provider, server: ScriptedServer) -> None:
    server.response = json_reply(succeeded())
    await yookassa.capture(access_to_server(server), PAYMENT_ID, Money(1_500_00), "capture-1")
    assert server.request_heads[0].startswith(f"POST /v3/payments/{PAYMENT_ID}/capture ")
    assert _header(server.request_heads[0], "idempotence-key") == "capture-1"


async def test_certificates_apply_only_to_their_connection(
    yookassa: Provider, tmp_path: Path
) -> None:
    tls, bundle = make_private_ca(tmp_path)
    async with run_scripted_server(tls) as server:
        server.response = json_reply(succeeded())
        trusted = replace(access_to_server(server), ca_certificates=bundle.read_text())
        assert (await yookassa.fetch_payment(trusted, PAYMENT_ID)).provider_id == PAYMENT_ID
        other_folder = tmp_path / "other"
        other_folder.mkdir()
        other_ca = make_private_ca(other_folder)[1].read_text()
        # A path is not opened: it is a text that contains no certificate.
        for wrong in (None, other_ca, str(bundle), (tmp_path / "key.pem").read_text()):
            with pytest.raises(UnknownOutcomeError):
                await yookassa.fetch_payment(replace(trusted, ca_certificates=wrong), PAYMENT_ID)
        assert len(server.request_heads) == 1


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
async def test_invalid_base_url_is_unknown_outcome(yookassa: Provider, url: str) -> None:
    with pytest.raises(UnknownOutcomeError):
        await yookassa.describe_account(ConnectionAccess("100500", "test_secret", url, timeout_s=1))


async def test_http_client_is_shared_per_origin_and_closed_at_the_end(
    server: ScriptedServer,
) -> None:
    opened: list[httpx.AsyncClient] = []

    def open_counted(ca_certificates: str | None) -> httpx.AsyncClient:
        opened.append(open_local_client(ca_certificates))
        return opened[-1]

    provider = YooKassa(open_counted)
    server.response = json_reply(succeeded())
    async with run_scripted_server() as other_server:
        other_server.response = server.response
        for target in (server, server, other_server):
            await provider.fetch_payment(access_to_server(target), PAYMENT_ID)
    assert len(opened) == 2
    await provider.aclose()
    assert [client.is_closed for client in opened] == [True, True]


async def test_connection_settings_default_to_provider_values_and_are_bounded(
    yookassa: Provider,
) -> None:
    plain = Connection("con_1", "shp_1", "yookassa", "", "100500", "ciphertext", 0)
    default = connection_access(yookassa, plain, "secret")
    assert (default.base_url, default.ca_certificates) == ("https://api.yookassa.ru/v3", None)
    settings = {
        "base_url": "http://127.0.0.1:8001/bank/v3/",
        "timeout_s": 9000,
        "ca_certificates": "",
    }
    configured = connection_access(yookassa, replace(plain, settings=settings), "secret")
    assert (configured.base_url, configured.timeout_s) == ("http://127.0.0.1:8001/bank/v3", 120)
    assert "secret" not in repr(configured)


def _header(head: str, name: str) -> str:
    for row in head.split("\r\n"):
        key, _, value = row.partition(": ")
        if key.lower() == name:
            return value
    return ""
