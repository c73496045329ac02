"""The pages of an import of invoices: what is wrong with a row, and in which column."""

from sigma.web.cabinet.invoices.import_pages import PAGE_URL
from tests.web.cabinet_harness import BASE_URL, CabinetBrowser, visible_text

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
