"""The pages of an import of invoices: what is wrong with a row, and in which column."""

import re

from sigma.domain.limits import INVOICE_IMPORTS
from sigma.services.invoice_imports import imports
from sigma.web.cabinet.invoices.import_pages import PAGE_URL
from tests.web.cabinet_harness import BASE_URL, CabinetBrowser, visible_text
from tests.world import World

TABLE = """Название;Сумма;E-mail;Телефон;Действует до
Стрижка;;;;
Маникюр;1500;плохой;12;31.02.2027
Укладка;2000;;;
"""


async def test_preview_names_the_column_of_each_problem(owner_browser: CabinetBrowser) -> None:
    response = await owner_browser.http.post(
        PAGE_URL,
        data={"csrf": owner_browser.csrf},
        files={"file": ("счета.csv", TABLE.encode(), "text/csv")},
        headers={"origin": BASE_URL, "sec-fetch-site": "same-origin"},
    )
    page = visible_text(response.text)
    assert "Можно создать: 1. С ошибками: 2." in page
    for text in (
        "Сумма: Заполните это поле.",
        "E-mail клиента: Проверьте адрес",
        "Телефон клиента: Номер",
        "Действует до: ",
    ):
        assert text in page


async def preview(browser: CabinetBrowser) -> dict[str, str]:
    """Upload TABLE; return the hidden fields and chosen columns of the preview."""
    response = await browser.http.post(
        PAGE_URL,
        data={"csrf": browser.csrf},
        files={"file": ("счета.csv", TABLE.encode(), "text/csv")},
        headers={"origin": BASE_URL, "sec-fetch-site": "same-origin"},
    )
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', response.text))
    columns = enumerate(("title", "amount", "email", "phone", "expires"))
    return fields | {f"column.{index}": meaning for index, meaning in columns}


async def test_columns_that_were_not_shown_create_nothing(
    owner_browser: CabinetBrowser, world: World
) -> None:
    form = await preview(owner_browser)
    changed = await owner_browser.submit(f"{PAGE_URL}/apply", **form | {"column.2": ""})
    assert changed.status_code == 422
    assert "Столбцы или услуга изменились." in visible_text(changed.text)
    assert await imports.list_batches(world.ctx, world.member) == []
    previewed = dict(re.findall(r'name="(previewed)" value="([^"]*)"', changed.text))
    form |= {"column.2": ""} | previewed
    assert (await owner_browser.submit(f"{PAGE_URL}/apply", **form)).status_code == 303
    (batch,) = await imports.list_batches(world.ctx, world.member)
    assert batch.total == 1


async def test_table_stays_when_there_were_too_many_imports(
    owner_browser: CabinetBrowser, world: World
) -> None:
    form = await preview(owner_browser)
    for _ in range(INVOICE_IMPORTS.amount):
        await world.ctx.limiter.require(INVOICE_IMPORTS, world.shop.id)
    refused = await owner_browser.submit(f"{PAGE_URL}/apply", **form)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert form["body"] in refused.text
    assert "Создать 1 счёт" in visible_text(refused.text)


async def test_table_without_a_valid_row_stays_with_the_reason(
    owner_browser: CabinetBrowser,
) -> None:
    form = await preview(owner_browser)
    form |= {"column.0": "", "previewed": ",amount,email,phone,expires"}
    refused = await owner_browser.submit(f"{PAGE_URL}/apply", **form)
    assert refused.status_code == 422
    assert "Ни одной строки без ошибок." in visible_text(refused.text)
    assert form["body"] in refused.text
