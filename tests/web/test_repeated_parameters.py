"""A name counts once in forms and queries; refused input is a security event."""

import json
from urllib.parse import urlencode

import pytest

from tests.leaks import captured_log
from tests.web.cabinet_harness import BASE_URL, CabinetBrowser
from tests.web.test_security_log import security_lines
from tests.world import World

OWN = {
    "origin": BASE_URL,
    "sec-fetch-site": "same-origin",
    "content-type": "application/x-www-form-urlencoded",
}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/sign-in", [("login", "a@example.org"), ("login", "b@example.org"), ("password", "x")]),
        ("/settings/access/rules", [("refund_confirmation", "1"), ("refund_confirmation", "2")]),
        ("/settings/keys", [("name", "a"), ("name", "b"), ("scope", "invoices:read")]),
        ("/settings/mail", [("smtp_url", "smtp://a.example"), ("smtp_url", "smtp://b.example")]),
    ],
)
async def test_repeated_field_of_a_form_is_refused(
    owner_browser: CabinetBrowser, path: str, fields: list[tuple[str, str]]
) -> None:
    body = urlencode([("csrf", owner_browser.csrf), *fields])
    with captured_log() as log:
        response = await owner_browser.http.post(path, content=body, headers=OWN)
    assert response.status_code == 400
    (event,) = security_lines(log.getvalue())
    assert (event["event"], event["reason"]) == ("security.input_refused", "repeated_field")
    assert "example" not in log.getvalue()


async def test_field_that_is_a_list_may_be_repeated(owner_browser: CabinetBrowser) -> None:
    scopes = [("scope", "invoices:read"), ("scope", "payments:read")]
    body = urlencode([("csrf", owner_browser.csrf), ("name", "Two"), *scopes])
    response = await owner_browser.http.post("/settings/keys", content=body, headers=OWN)
    assert response.status_code < 400


@pytest.mark.parametrize(
    "path", ["/payments?q=a&q=b", "/sign-in?next=/&next=//evil", "/?lang=ru&lang=en"]
)
async def test_repeated_parameter_of_a_page_is_refused(
    owner_browser: CabinetBrowser, path: str
) -> None:
    assert (await owner_browser.http.get(path)).status_code == 400


async def test_repeated_parameter_of_a_link_does_not_stop_a_client(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice()
    page = await owner_browser.http.get(f"/i/{invoice.token}?utm=a&utm=b&lang=en&lang=ru")
    assert page.status_code == 200
    assert '<html lang="en"' in page.text


async def test_repeated_parameter_of_the_api_is_refused_with_its_own_code(
    owner_browser: CabinetBrowser,
) -> None:
    response = await owner_browser.http.get("/api/v1/invoices?limit=1&limit=100")
    assert (response.status_code, response.json()["code"]) == (400, "repeated_field")


async def test_question_with_one_answer_takes_one(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice()
    path = f"/i/{invoice.token}"
    body = urlencode([("email", "a@example.net"), ("email", "b@example.net")])
    response = await owner_browser.http.post(path, content=body, headers=OWN)
    assert response.status_code == 422
    assert "одно значение" in response.text
    twice = urlencode([("nonce", "a"), ("nonce", "b")])
    assert (await owner_browser.http.post(path, content=twice, headers=OWN)).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "reason"),
    [
        ("POST", "/api/v1/invoices", {"content-type": "application/json"}, b"{", None),
        ("DELETE", "/sign-in", {}, b"", "method_not_allowed"),
        ("GET", "/sign-in?a=%00", {}, b"", "bad_request"),
        ("POST", "/sign-in", {"content-type": OWN["content-type"]}, b"&" * 30_000, "too_large"),
    ],
)
async def test_hostile_request_is_a_security_event(
    anonymous_browser: CabinetBrowser,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    reason: str | None,
) -> None:
    with captured_log() as log:
        await anonymous_browser.http.request(method, path, headers=headers, content=body)
    reasons = [line.get("reason") for line in security_lines(log.getvalue())]
    assert reasons == [reason]
    request = json.loads(log.getvalue().splitlines()[-1])
    assert request["event"] == "request"
