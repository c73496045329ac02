"""Who is let in: sessions, tokens of forms, strangers' sites, the way in and out."""

import pytest

from sigma.web.cabinet.guards import safe_next
from tests.web.cabinet_stage import Browser, empty_house, field, open_browser, words
from tests.world import World


async def test_a_stranger_signs_in_and_is_brought_where_he_was_going(
    world: World, stranger: Browser
) -> None:
    sent = await stranger.open("/settings/mail?x=1")
    assert sent.status_code == 303
    assert sent.headers["location"] == "/sign-in?next=%2Fsettings%2Fmail%3Fx%3D1"
    door = await stranger.open(sent.headers["location"])
    assert field(door.text, "next") == "/settings/mail?x=1"
    entered = await stranger.send(
        "/sign-in", login=" Owner@Example.org", password=world.password, next="/settings/mail?x=1"
    )
    assert (entered.status_code, entered.headers["location"]) == (303, "/settings/mail?x=1")
    assert (await stranger.open("/settings/mail?x=1")).status_code == 200


@pytest.mark.parametrize(
    ("asked", "gone"),
    [
        ("/payments?status=paid", "/payments?status=paid"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("\t//evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\nb", "/"),
        ("/sign-in?next=/", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_to_our_own_pages_only(asked: str, gone: str) -> None:
    assert safe_next(asked) == gone


async def test_the_session_cookie_is_hidden_from_scripts_and_other_sites(
    world: World, stranger: Browser
) -> None:
    entered = await stranger.send(
        "/sign-in", login="owner@example.org", password=world.password, next="/"
    )
    cookie = entered.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie


async def test_over_https_the_session_cookie_is_secure(sqlite_database_url: str) -> None:
    async with (
        empty_house(sqlite_database_url, "https://pay.example.org") as ctx,
        open_browser(ctx) as browser,
    ):
        made = await browser.send(
            "/start",
            shop_name="Студия",
            name="",
            login="a@example.org",
            password="correct horse",
            locale="ru",
        )
    assert "secure" in made.headers["set-cookie"].lower()


async def test_a_wrong_password_keeps_the_login_and_never_echoes_the_password(
    stranger: Browser,
) -> None:
    answer = await stranger.send(
        "/sign-in", login="owner@example.org", password="hunter2hunter2", next="/settings"
    )
    assert answer.status_code == 422
    assert field(answer.text, "login") == "owner@example.org"
    assert field(answer.text, "next") == "/settings"
    assert "hunter2" not in answer.text
    assert "E-mail или пароль не подошли" in answer.text


async def test_many_wrong_passwords_are_stopped(world: World, stranger: Browser) -> None:
    for _ in range(8):
        await stranger.send("/sign-in", login="owner@example.org", password="wrong", next="/")
    answer = await stranger.send(
        "/sign-in", login="owner@example.org", password=world.password, next="/"
    )
    assert answer.status_code == 429
    assert "Слишком много попыток" in answer.text


@pytest.mark.parametrize("token", ["", "wrong", "жёлтый"])
async def test_a_form_without_its_token_changes_nothing(
    world: World, owner: Browser, token: str
) -> None:
    answer = await owner.send("/settings/keys", csrf=token, name="Чужой")
    assert answer.status_code == 403
    assert "Сюда нельзя" in answer.text
    assert "Чужой" not in (await owner.open("/settings/keys")).text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:8001", "sec-fetch-site": "same-site"},
    ],
)
async def test_a_form_sent_by_another_site_changes_nothing_even_with_a_token(
    owner: Browser, headers: dict[str, str]
) -> None:
    answer = await owner.send("/settings/keys", headers=headers, name="Чужой")
    assert answer.status_code == 403


async def test_another_site_cannot_sign_a_browser_in(world: World, stranger: Browser) -> None:
    evil = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = await stranger.send(
        "/sign-in", headers=evil, login="owner@example.org", password=world.password, next="/"
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_the_token_may_come_in_a_header_as_htmx_sends_it(owner: Browser) -> None:
    headers = {"x-csrf": owner.csrf}
    answer = await owner.send("/settings/keys", headers=headers, csrf="", name="Бот")
    assert answer.status_code == 201


async def test_htmx_of_an_ended_session_is_told_to_open_the_door(stranger: Browser) -> None:
    answer = await stranger.open("/settings/keys", **{"hx-request": "true"})
    assert answer.headers["hx-redirect"].startswith("/sign-in?next=")


async def test_no_page_of_the_cabinet_is_kept_by_a_browser(owner: Browser) -> None:
    for path in ("/", "/settings", "/sign-in", "/settings/connections/nope"):
        assert (await owner.open(path)).headers["cache-control"] == "no-store"


async def test_signing_out_ends_the_session_on_the_server_too(world: World, owner: Browser) -> None:
    secret = owner.http.cookies["sigma_session"]
    out = await owner.send("/sign-out")
    assert out.headers["location"] == "/sign-in"
    owner.http.cookies.set("sigma_session", secret)
    assert (await owner.open("/")).headers["location"] == "/sign-in"


async def test_a_new_password_works_and_throws_other_browsers_out(
    world: World, owner: Browser
) -> None:
    async with open_browser(world.ctx) as other:
        await other.sign_in("owner@example.org", world.password)
        bad = await owner.send("/settings/access", old="nope", new="long enough now")
        assert bad.status_code == 422
        assert "Нынешний пароль не подошёл" in bad.text
        short = await owner.send("/settings/access", old=world.password, new="short")
        assert "Пароль короче 10 знаков" in short.text
        done = await owner.send("/settings/access", old=world.password, new="long enough now")
        assert done.status_code == 303
        assert "Пароль изменён" in (await owner.open("/settings/access")).text
        assert (await other.open("/")).headers["location"] == "/sign-in"
        await other.sign_in("owner@example.org", "long enough now")


async def test_a_person_chooses_a_language_and_it_stays(owner: Browser) -> None:
    chosen = await owner.send("/locale", locale="en", next="/settings/mail")
    assert chosen.headers["location"] == "/settings/mail"
    page = await owner.open("/settings")
    assert '<html lang="en">' in page.text
    assert "Taking payments" in words(page.text)
