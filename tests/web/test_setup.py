"""Setup page: the first visitor creates the shop and its owner; then the page is closed."""

from dataclasses import replace

import pytest

from sigma.domain.errors import RefusedError
from sigma.domain.limits import SETUP_CODE, too_many_requests
from sigma.domain.time_units import SECOND_US
from sigma.services.accounts import first_owner
from sigma.services.authentication.setup_codes import CODE_CHARS, setup_code
from sigma.services.context import Context
from sigma.services.passwords import PasswordHashing
from sigma.store.encryption import Cipher
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    field_value,
    open_browser,
    visible_text,
)

FORM = {  # without the code of the installation
    "shop_name": "Студия",
    "name": "Анна",
    "login": "anna@example.org",
    "password": "correct horse",
    "locale": "ru",
}


@pytest.fixture
def setup_form(empty_installation: Context) -> dict[str, str]:
    """The form with the right code."""
    return FORM | {"code": setup_code(empty_installation)}


async def test_every_page_redirects_to_setup_before_the_first_owner(
    first_browser: CabinetBrowser,
) -> None:
    for path in ("/", "/settings/shop", "/sign-in"):
        assert (await first_browser.open(path)).headers["location"] == "/start"


async def test_setup_creates_the_owner_and_shows_the_next_steps(
    first_browser: CabinetBrowser, setup_form: dict[str, str]
) -> None:
    response = await first_browser.submit("/start", **setup_form)
    assert (response.status_code, response.headers["location"]) == (303, "/")
    home_text = visible_text((await first_browser.open("/")).text)
    assert "Магазин создан" in home_text
    assert "До первой оплаты 0 из 3" in home_text
    for step in ("Заполните реквизиты", "Подключите приём платежей", "Выставьте первый счёт"):
        assert step in home_text
    assert "Магазин создан" not in (await first_browser.open("/")).text, "a flash is shown once"


async def test_invalid_setup_form_shows_errors_and_keeps_the_input(
    first_browser: CabinetBrowser, setup_form: dict[str, str]
) -> None:
    response = await first_browser.submit(
        "/start", **setup_form | {"login": "anna@", "password": "short"}
    )
    assert response.status_code == 422
    assert field_error(response.text, "login").startswith("Проверьте адрес")
    assert field_error(response.text, "password").startswith(
        "Пароль должен быть от 10 до 128 символов"
    )
    assert field_value(response.text, "shop_name") == "Студия"
    assert field_value(response.text, "login") == "anna@"
    assert "short" not in response.text


async def test_setup_is_closed_after_the_first_owner(
    empty_installation: Context, first_browser: CabinetBrowser, setup_form: dict[str, str]
) -> None:
    await first_browser.submit("/start", **setup_form)
    async with open_browser(empty_installation) as second:
        assert (await second.open("/start")).headers["location"] == "/sign-in"
        again = await second.submit("/start", **setup_form | {"login": "eve@example.org"})
        assert again.headers["location"] == "/sign-in"
        assert "sigma_session" not in second.http.cookies


async def test_setup_from_another_site_is_refused(
    first_browser: CabinetBrowser, setup_form: dict[str, str]
) -> None:
    response = await first_browser.submit(
        "/start", {"origin": "https://evil.example"}, **setup_form
    )
    assert response.status_code == 403
    assert (await first_browser.open("/start")).status_code == 200


async def test_setup_page_is_shown_in_english(
    first_browser: CabinetBrowser, setup_form: dict[str, str]
) -> None:
    page = await first_browser.open("/start?lang=en")
    assert "Create your shop" in page.text
    assert field_value(page.text, "locale") == "en"
    wrong = await first_browser.submit("/start", **setup_form | {"locale": "en", "login": "x"})
    assert "Check the highlighted fields" in wrong.text


async def test_closed_setup_hashes_no_passwords_for_strangers(
    empty_installation: Context, first_browser: CabinetBrowser, setup_form: dict[str, str]
) -> None:
    await first_browser.submit("/start", **setup_form)

    class NoHashing(PasswordHashing):
        async def hash(self, password: str, *, is_known: bool = False) -> str:
            raise AssertionError("a password was hashed")

    ctx = replace(empty_installation, passwords=NoHashing())
    async with open_browser(ctx) as stranger:
        response = await stranger.submit("/start", **setup_form | {"login": "eve@example.org"})
    assert response.headers["location"] == "/sign-in"
    with pytest.raises(RefusedError, match="forbidden"):  # as the command line would
        await first_owner.create_first_owner(
            ctx,
            login="eve@example.org",
            password=setup_form["password"],
            name="Ева",
            shop_name="Студия",
        )


async def test_setup_while_the_queue_of_hashes_is_full_says_when_to_try_again(
    empty_installation: Context, setup_form: dict[str, str]
) -> None:
    class FullQueue(PasswordHashing):
        async def hash(self, password: str, *, is_known: bool = False) -> str:
            raise too_many_requests(3 * SECOND_US)

    async with open_browser(replace(empty_installation, passwords=FullQueue())) as browser:
        response = await browser.submit("/start", **setup_form)
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert field_value(response.text, "login") == FORM["login"]


@pytest.mark.parametrize(
    ("code", "problem"),
    [("", "Заполните это поле"), ("0000-0000-0000", "Код не подходит"), ("ы", "Код не подходит")],
)
async def test_first_comer_without_the_code_owns_nothing(
    empty_installation: Context, first_browser: CabinetBrowser, code: str, problem: str
) -> None:
    response = await first_browser.submit("/start", **FORM | {"code": code})
    assert response.status_code == 422
    assert problem in field_error(response.text, "code")
    assert field_value(response.text, "shop_name") == "Студия"
    assert await first_owner.needs_owner(empty_installation)


async def test_code_is_accepted_as_people_type_it_and_fills_itself_from_the_link(
    empty_installation: Context, first_browser: CabinetBrowser
) -> None:
    code = setup_code(empty_installation)
    page = await first_browser.open(f"/start?code={code}")
    assert field_value(page.text, "code") == code
    typed = f" {code.upper().replace('-', ' ')} ".replace("0", "O").replace("1", "l")
    response = await first_browser.submit("/start", **FORM | {"code": typed})
    assert response.status_code == 303


async def test_guessing_the_code_is_limited(
    empty_installation: Context, first_browser: CabinetBrowser
) -> None:
    for _ in range(SETUP_CODE.amount):
        await first_browser.submit("/start", **FORM | {"code": "guess"})
    right = FORM | {"code": setup_code(empty_installation)}
    response = await first_browser.submit("/start", **right)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 0


async def test_every_installation_has_a_code_of_its_own(empty_installation: Context) -> None:
    other = replace(empty_installation, cipher=Cipher(["another secret of thirty-two characters"]))
    assert setup_code(other) != setup_code(empty_installation)
    assert len(setup_code(other).replace("-", "")) == CODE_CHARS
