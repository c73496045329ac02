"""Access to the cabinet: sign-in, sign-out, sessions, CSRF tokens, requests from other sites."""

import re

import pytest

from sigma.services.authentication import password_resets
from sigma.services.authentication.setup_codes import setup_code
from sigma.web.cabinet.guards import safe_redirect_path
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_value,
    open_browser,
    open_empty_installation,
    visible_text,
)
from tests.world import World


async def test_sign_in_redirects_to_the_requested_page(
    world: World, anonymous_browser: CabinetBrowser
) -> None:
    redirect = await anonymous_browser.open("/settings/mail?x=1")
    assert redirect.status_code == 303
    assert redirect.headers["location"] == "/sign-in?next=%2Fsettings%2Fmail%3Fx%3D1"
    sign_in_page = await anonymous_browser.open(redirect.headers["location"])
    assert field_value(sign_in_page.text, "next") == "/settings/mail?x=1"
    response = await anonymous_browser.submit(
        "/sign-in", login=" Owner@Example.org", password=world.password, next="/settings/mail?x=1"
    )
    assert (response.status_code, response.headers["location"]) == (303, "/settings/mail?x=1")
    assert (await anonymous_browser.open("/settings/mail?x=1")).status_code == 200


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/payments?status=paid", "/payments?status=paid"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("\t//evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nb", "/"),
        ("/sign-in?next=/", "/"),
        ("/sign-in/second-factor", "/"),
        ("/sign-in/reset/token", "/"),
        ("", "/"),
    ],
)
def test_sign_in_never_redirects_to_another_site(target: str, expected: str) -> None:
    assert safe_redirect_path(target) == expected


async def test_session_cookie_is_http_only_and_same_site(
    world: World, anonymous_browser: CabinetBrowser
) -> None:
    response = await anonymous_browser.submit(
        "/sign-in", login="owner@example.org", password=world.password, next="/"
    )
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie


async def test_session_cookie_is_secure_over_https(sqlite_database_url: str) -> None:
    async with (
        open_empty_installation(sqlite_database_url, "https://pay.example.org") as ctx,
        open_browser(ctx) as browser,
    ):
        response = await browser.submit(
            "/start",
            code=setup_code(ctx),
            shop_name="Студия",
            name="",
            login="a@example.org",
            password="correct horse",
            locale="ru",
        )
    assert "secure" in response.headers["set-cookie"].lower()


async def test_failed_sign_in_keeps_the_login_and_hides_the_password(
    anonymous_browser: CabinetBrowser,
) -> None:
    response = await anonymous_browser.submit(
        "/sign-in", login="owner@example.org", password="hunter2hunter2", next="/settings"
    )
    assert response.status_code == 422
    assert field_value(response.text, "login") == "owner@example.org"
    assert field_value(response.text, "next") == "/settings"
    assert "hunter2" not in response.text
    assert "Неверный e-mail или пароль" in response.text


async def test_repeated_wrong_passwords_are_rate_limited(
    world: World, anonymous_browser: CabinetBrowser
) -> None:
    world.clock.stop()
    for _ in range(8):
        await anonymous_browser.submit(
            "/sign-in", login="owner@example.org", password="wrong", next="/"
        )
    response = await anonymous_browser.submit(
        "/sign-in", login="owner@example.org", password=world.password, next="/"
    )
    assert response.status_code == 429
    assert "Слишком много попыток" in response.text


@pytest.mark.parametrize("token", ["", "wrong", "жёлтый"])
async def test_form_without_a_valid_csrf_token_is_refused(
    world: World, owner_browser: CabinetBrowser, token: str
) -> None:
    response = await owner_browser.submit("/settings/keys", csrf=token, name="Чужой")
    assert response.status_code == 403
    assert "Форма устарела" in response.text
    assert "Чужой" not in (await owner_browser.open("/settings/keys")).text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:8001", "sec-fetch-site": "same-site"},
    ],
)
async def test_form_from_another_site_is_refused_despite_a_csrf_token(
    owner_browser: CabinetBrowser, headers: dict[str, str]
) -> None:
    response = await owner_browser.submit("/settings/keys", headers, name="Чужой")
    assert response.status_code == 403


async def test_sign_in_from_another_site_is_refused(
    world: World, anonymous_browser: CabinetBrowser
) -> None:
    foreign_headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    response = await anonymous_browser.submit(
        "/sign-in",
        foreign_headers,
        login="owner@example.org",
        password=world.password,
        next="/",
    )
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_csrf_token_is_accepted_in_a_header(owner_browser: CabinetBrowser) -> None:
    headers = {"x-csrf": owner_browser.csrf}
    response = await owner_browser.submit(
        "/settings/keys", headers, csrf="", name="Бот", scope="invoices:read"
    )
    assert response.status_code == 201


async def test_htmx_request_without_a_session_redirects_to_sign_in(
    anonymous_browser: CabinetBrowser,
) -> None:
    response = await anonymous_browser.open("/settings/keys", **{"hx-request": "true"})
    assert response.headers["hx-redirect"].startswith("/sign-in?next=")


async def test_cabinet_pages_are_not_cached(owner_browser: CabinetBrowser) -> None:
    for path in ("/", "/settings", "/sign-in", "/settings/connections/nope"):
        assert (await owner_browser.open(path)).headers["cache-control"] == "no-store"


async def test_sign_out_ends_the_session_on_the_server(
    world: World, owner_browser: CabinetBrowser
) -> None:
    secret = owner_browser.http.cookies["sigma_session"]
    response = await owner_browser.submit("/sign-out")
    assert response.headers["location"] == "/sign-in"
    owner_browser.http.cookies.set("sigma_session", secret)
    assert (await owner_browser.open("/")).headers["location"] == "/sign-in"


async def test_end_of_a_session_clears_the_storage_of_the_browser(
    owner_browser: CabinetBrowser,
) -> None:
    secret = owner_browser.http.cookies["sigma_session"]
    response = await owner_browser.submit("/sign-out")
    assert response.headers["clear-site-data"] == '"cache", "storage"'
    owner_browser.http.cookies.set("sigma_session", secret)  # as after the session has expired
    for headers in ({}, {"hx-request": "true"}):
        response = await owner_browser.open("/payments", **headers)
        assert response.headers["clear-site-data"] == '"cache", "storage"'
    owner_browser.http.cookies.clear()
    assert "clear-site-data" not in (await owner_browser.open("/payments")).headers


async def test_password_change_ends_other_sessions(
    world: World, owner_browser: CabinetBrowser
) -> None:
    async with open_browser(world.ctx) as other:
        await other.sign_in("owner@example.org", world.password)
        wrong_old = await owner_browser.submit(
            "/settings/access", old="nope", new="long enough now"
        )
        assert wrong_old.status_code == 422
        assert "Текущий пароль неверный" in wrong_old.text
        too_short = await owner_browser.submit("/settings/access", old=world.password, new="short")
        assert "Пароль должен быть от 10 до 128 символов" in too_short.text
        changed = await owner_browser.submit(
            "/settings/access", old=world.password, new="long enough now"
        )
        assert changed.status_code == 303
        assert "Пароль изменён" in (await owner_browser.open("/settings/access")).text
        assert (await other.open("/")).headers["location"] == "/sign-in"
        await other.sign_in("owner@example.org", "long enough now")


async def test_password_fields_are_masked_and_allow_password_managers(
    owner_browser: CabinetBrowser, anonymous_browser: CabinetBrowser, world: World
) -> None:
    link = await password_resets.create_link(world.ctx, "owner@example.org")
    pages = [(await owner_browser.open("/settings/access")).text]
    pages += [(await owner_browser.open("/reauthenticate")).text]
    async with open_browser(world.ctx) as stranger:
        pages += [(await stranger.open("/sign-in")).text]
        pages += [(await stranger.open(link.removeprefix("http://127.0.0.1:8000"))).text]
    for page in pages:
        fields = re.findall(r'<input id="(?:[a-z_]*password|old|new)"[^>]*>', page)
        assert fields
        for field in fields:
            assert 'type="password"' in field
            assert re.search(r'autocomplete="(current|new)-password"', field)
            assert "maxlength" not in field, "a long password must not be cut"
        assert "paste" not in page


async def test_chosen_language_is_remembered(owner_browser: CabinetBrowser) -> None:
    response = await owner_browser.submit("/locale", locale="en", next="/settings/mail")
    assert response.headers["location"] == "/settings/mail"
    page = await owner_browser.open("/settings")
    assert '<html lang="en">' in page.text
    assert "Accepting payments" in visible_text(page.text)
