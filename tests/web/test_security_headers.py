"""Security headers on every route; cookies and HSTS with an https base URL; form-action."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.urls import is_https_url, origin_of
from sigma.providers.base import redirect_origins
from sigma.settings import Settings
from sigma.web.checkout.responses import PAYER_COOKIE
from sigma.web.config import WebConfig
from sigma.web.cookies import page_cookie_name
from sigma.web.middleware.security import PERMISSIONS_POLICY, SecurityHeaders
from tests.vk_world import VkWorld
from tests.web.apps import web_app
from tests.web.routes import API_ROUTES, PUBLIC_ROUTES, REQUIRED_PERMISSIONS, request_route
from tests.web.two_shops import api_actor, create_all_objects, signed_in_actor
from tests.world import TestSettings, World

REQUIRED_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "origin-agent-cluster": "?1",
    "x-permitted-cross-domain-policies": "none",
    "permissions-policy": PERMISSIONS_POLICY,
}
# test_inbox_stream and test_list_stream check their headers.
ENDLESS_STREAMS = ("GET /inbox/live", "GET /payments/live", "GET /invoices/live")
HTTPS_URL = "https://pay.example.org"


def policy_of(response: httpx.Response) -> dict[str, str]:
    """Return the Content-Security-Policy: directive → sources."""
    parts = response.headers["content-security-policy"].split(";")
    return dict(part.strip().partition(" ")[::2] for part in parts)


def check_headers(response: httpx.Response, route: str) -> None:
    """Check what every response must have."""
    for name, value in REQUIRED_HEADERS.items():
        assert response.headers.get(name) == value, f"{route}: {name}"
    assert response.headers["referrer-policy"] in ("same-origin", "no-referrer"), route
    content_type = response.headers.get("content-type", "")
    assert content_type or not response.content, route
    is_text = re.match(r"text/|image/svg|application/(?:javascript|xml)", content_type)
    assert "charset=utf-8" in content_type.lower() or not is_text, f"{route}: {content_type}"
    policy = policy_of(response)
    assert policy["default-src"] == "'none'", route
    assert policy["base-uri"] == "'none'", route
    assert policy["form-action"], route
    if not response.headers.get("content-type", "").startswith("text/html"):
        is_data = re.search(r" /(?:api|hooks|healthz)", route)
        assert not is_data or policy["form-action"] == "'none'", route
    assert policy["frame-ancestors"] in ("'self'", "'none'"), route
    # No page of another origin may read a response.
    assert not [name for name in response.headers if name.startswith("access-control-")], route
    assert "unsafe" not in response.headers["content-security-policy"], route
    for source in policy.get("form-action", "").split():
        is_keyword = source in ("'self'", "'none'")
        assert is_keyword or origin_of(source) == source, f"{route}: {source}"


async def test_every_route_sends_the_security_headers(vk_world: VkWorld) -> None:
    ids = await create_all_objects(vk_world)
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as owner:
        for route in REQUIRED_PERMISSIONS:
            if route not in ENDLESS_STREAMS:
                check_headers(await request_route(owner, route, with_values(route, ids)), route)
        for route in PUBLIC_ROUTES:
            check_headers(await request_route(owner, route, with_values(route, ids)), route)
    async with api_actor(vk_world.ctx, vk_world.shop.id) as program:
        for route in API_ROUTES:
            check_headers(await request_route(program, route, with_values(route, ids)), route)
        check_headers(await program.http.get("/no/such/page"), "unknown path")


def with_values(route: str, ids: dict[str, str]) -> dict[str, str]:
    """Return a value for each parameter of the route: a made-up one where there is no id."""
    names = re.findall(r"{(\w+)}", route)
    return {name: ids.get(name, "nothing") for name in names if name not in ("kind", "name")}


@pytest.mark.parametrize("path", ["/", "/sign-in", "/api/v1/invoices", "/healthz", "/no/page"])
async def test_trace_and_preflights_are_answered_with_nothing(world: World, path: str) -> None:
    async with https_client(world) as http:
        for method in ("TRACE", "TRACK", "CONNECT", "PROPFIND"):
            response = await http.request(method, path, headers={"x-secret": "echo-me"})
            assert response.status_code in (404, 405), method
            assert "echo-me" not in response.text + str(response.headers)
        preflight = {
            "origin": "https://evil.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization",
        }
        response = await http.request("OPTIONS", path, headers=preflight)
        check_headers(response, f"OPTIONS {path}")


async def test_downloads_have_names_of_our_own(vk_world: VkWorld) -> None:
    """A name is a constant or made of a number: nothing that somebody typed reaches the header."""
    ids = await create_all_objects(vk_world)
    names = {}
    async with signed_in_actor(vk_world.ctx, vk_world.shop.id, Role.OWNER) as owner:
        for route in (*REQUIRED_PERMISSIONS, *PUBLIC_ROUTES):
            if route.startswith("GET ") and route not in ENDLESS_STREAMS:
                response = await request_route(owner, route, with_values(route, ids))
                if header := response.headers.get("content-disposition"):
                    names[route] = header
    assert len(names) >= 2
    for route, header in names.items():
        assert re.fullmatch(r'(?:attachment|inline); filename="[a-z0-9-]+\.[a-z]+"', header), route


@pytest.mark.parametrize(
    ("hsts", "header"),
    [
        ("host", "max-age=31536000"),
        ("subdomains", "max-age=31536000; includeSubDomains"),
        ("preload", "max-age=63072000; includeSubDomains; preload"),
        ("off", ""),
    ],
)
def test_hsts_covers_what_the_setting_says(hsts: str, header: str) -> None:
    headers = dict(SecurityHeaders(secure=True, hsts=hsts).for_path("/"))
    assert headers.get(b"strict-transport-security", b"").decode() == header
    plain = dict(SecurityHeaders(secure=False, hsts=hsts).for_path("/"))
    assert b"strict-transport-security" not in plain


def test_subdomains_are_covered_by_default() -> None:
    headers = dict(SecurityHeaders(secure=True, hsts=Settings().hsts).for_path("/api/v1/invoices"))
    assert b"includeSubDomains" in headers[b"strict-transport-security"]


@pytest.mark.parametrize(
    "url", ["https://a.org", "HTTPS://a.org", " Https://a.org/x ", "hTTPs://a"]
)
def test_https_is_recognised_in_any_spelling(url: str) -> None:
    assert is_https_url(url)


@pytest.mark.parametrize(
    "url", ["http://a.org", "", "https", "//a.org", "xhttps://a.org", "https:["]
)
def test_other_urls_are_not_https(url: str) -> None:
    assert not is_https_url(url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://yoomoney.ru/checkout/payments?orderId=1", "https://yoomoney.ru"),
        ("HTTPS://YooMoney.RU:443/x", "https://yoomoney.ru"),
        ("http://127.0.0.1:8001/bank/v3", "http://127.0.0.1:8001"),
        ("http://[::1]:8001/", "http://[::1]:8001"),
        ("https://касса.рф/x", "https://xn--80aa2a3aa.xn--p1ai"),
        ("javascript:alert(1)", ""),
        ("https://a.org:99999/", ""),
        ("/i/x", ""),
    ],
)
def test_origin_is_written_as_browsers_write_it(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@asynccontextmanager
async def https_client(world: World, base_url: str = HTTPS_URL) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of an application with an https base URL, and the context with it."""
    settings = replace(TestSettings(), base_url=base_url)
    ctx = replace(world.ctx, settings=settings)
    with web_app(ctx, WebConfig(secure=True)) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=HTTPS_URL) as http:
            yield http


def set_cookies(*responses: httpx.Response) -> Iterator[tuple[str, str]]:
    """Yield name and attributes of every cookie that the responses set."""
    for response in responses:
        for header in response.headers.get_list("set-cookie"):
            yield header.partition("=")[0], header.partition(";")[2].lower()


@pytest.mark.parametrize("base_url", [HTTPS_URL, "HTTPS://pay.example.org"])
async def test_all_cookies_are_secure_and_bound_to_the_host(world: World, base_url: str) -> None:
    invoice = await world.create_invoice()
    origin = {"origin": HTTPS_URL, "sec-fetch-site": "same-origin"}
    async with https_client(world, base_url) as http:
        form = {"login": "owner@example.org", "password": world.password}
        signed_in = await http.post("/sign-in", data=form, headers=origin)
        assert signed_in.status_code == 303
        home = await http.get("/")
        assert home.status_code == 200, "the session is found by its cookie"
        csrf = re.search(r'name="csrf" value="([^"]+)"', home.text)
        assert csrf
        shop_page = await http.post(
            "/settings/keys",
            data={"csrf": csrf[1], "name": "Касса", "scope": "invoices:read"},
            headers=origin,
        )
        mail = await http.post(
            "/settings/mail", data={"csrf": csrf[1], "from_name": "Студия"}, headers=origin
        )
        mail_page = await http.get("/settings/mail")
        page = await http.get(f"/i/{invoice.token}?lang=en")
        signed_out = await http.post("/sign-out", data={"csrf": csrf[1]}, headers=origin)
    cookies = list(set_cookies(signed_in, home, shop_page, mail, mail_page, page, signed_out))
    names = {name for name, _ in cookies}
    assert {"__Host-sigma_session", "__Host-sigma_flash", "__Host-sigma_lang"} <= names
    assert f"__Host-{page_cookie_name(PAYER_COOKIE, invoice.token)}" in names
    for name, attributes in cookies:
        parts = {part.strip() for part in attributes.split(";")}
        assert {"secure", "httponly", "samesite=lax"} <= parts, name
        assert not any(part.startswith("domain") for part in parts), name
        assert name.startswith("__Host-"), name
        assert "path=/" in parts, name


async def test_cookie_without_the_prefix_is_no_session(world: World) -> None:
    """A sibling domain can set any cookie, except one with the prefix."""
    origin = {"origin": HTTPS_URL, "sec-fetch-site": "same-origin"}
    async with https_client(world) as http:
        form = {"login": "owner@example.org", "password": world.password}
        await http.post("/sign-in", data=form, headers=origin)
        secret = http.cookies["__Host-sigma_session"]
        http.cookies.clear()
        http.cookies.set("sigma_session", secret)
        assert (await http.get("/")).status_code == 303


async def test_payment_form_may_redirect_to_the_acquirer_only(world: World) -> None:
    invoice = await world.create_invoice()
    with web_app(world.ctx) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            page = await http.get(f"/i/{invoice.token}")
            refused = await http.post(f"/i/{invoice.token}", data={"nonce": "n"})
            other = await http.get("/sign-in")
    bank_origin = origin_of(world.sandbox.base_url)
    for response in (page, refused):
        assert policy_of(response)["form-action"] == f"'self' {bank_origin}"
    assert policy_of(other)["form-action"] == "'self'"


def test_live_connection_redirects_to_yookassa_only(world: World) -> None:
    yookassa = world.ctx.providers["yookassa"]
    live = ("https://yoomoney.ru", "https://yookassa.ru")
    assert redirect_origins(yookassa, {}) == live
    assert redirect_origins(yookassa, {"base_url": yookassa.base_url}) == live
    own = redirect_origins(yookassa, {"base_url": "https://proxy.example.org:8443/v3"})
    assert own == ("https://proxy.example.org:8443",)


async def test_acquirer_page_of_an_unknown_origin_is_opened_by_a_click_only(world: World) -> None:
    await world.move_bank_page()
    invoice = await world.create_invoice(questions=())
    with web_app(world.ctx) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            started = await http.post(f"/i/{invoice.token}", data={"nonce": "n"})
            assert started.status_code == 303
            page = await http.get(started.headers["location"])
            path, _, query = started.headers["location"].partition("?")
            state = (await http.get(f"{path}/state?{query}")).json()
            again = await http.get(path)
    assert path.startswith(f"/i/{invoice.token}/wait/")
    assert 'content="0; url=' not in page.text + again.text
    assert state == {"state": "leaving", "go": None}
    assert 'data-state="leaving"' in page.text, "the script does not load the page again"
    link = re.search(r'class="button primary" href="([^"]+)" rel="noreferrer"', page.text)
    assert link
    assert link[1].startswith(world.sandbox.base_url)
    assert urlsplit(link[1]).netloc in re.sub(r"<[^>]+>", "", page.text), "the host is shown"


def test_pages_may_use_passkeys_of_their_own_and_nothing_else() -> None:
    granted = {part for part in PERMISSIONS_POLICY.split(", ") if not part.endswith("=()")}
    assert granted == {
        "clipboard-write=(self)",
        "publickey-credentials-create=(self)",
        "publickey-credentials-get=(self)",
    }
