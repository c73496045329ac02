"""Price lists: export, preview and import of services; importing a file twice changes nothing."""

import pytest

from sigma.domain.catalogue.price_list import ChangeKind
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money
from sigma.services.catalogue import price_list_import, services
from sigma.services.catalogue.price_list_files import MAX_BYTES, MAX_ROWS
from sigma.services.catalogue.services import MAX_SERVICES
from sigma.web.cabinet.services import price_list
from tests.photos import make_photo
from tests.price_lists import parse_rows
from tests.service_factories import DESCRIPTION, list_services
from tests.service_factories import create_described_service as add_service
from tests.world import World

FILE = """Название;Цена;Описание;Видна;Срок счёта, дней
Маникюр;1 500,50;"С ""гелем"";
и без";да;3
Наращивание;от 2500;;нет;
Образ;по договорённости;;;7
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
async def test_preview_changes_nothing_and_a_second_import_finds_nothing_to_change(
    world: World, encoding: str
) -> None:
    rows = parse_rows(FILE.replace("\n", "\r\n").encode(encoding))
    plan = await price_list_import.preview(world.ctx, world.member, rows)
    assert [(change.row_number, change.kind) for change in plan] == [
        (2, ChangeKind.ADD),
        (4, ChangeKind.ADD),
        (5, ChangeKind.ADD),
    ]
    assert await list_services(world) == []
    counts = await price_list_import.apply(world.ctx, world.member, rows)
    assert counts[ChangeKind.ADD] == 3
    manicure, extension, styling = await list_services(world)
    assert (manicure.title, manicure.amount) == ("Маникюр", Money(150_050))
    assert manicure.description == 'С "гелем";\nи без'
    assert manicure.invoice_template.expires_days == 3
    assert (extension.price_kind, extension.amount, extension.is_visible) == (
        PriceKind.FROM,
        Money(250_000),
        False,
    )
    assert extension.invoice_template.expires_days is None
    assert (styling.price_kind, styling.amount, styling.is_visible) == (
        PriceKind.AGREEMENT,
        None,
        True,
    )
    second_counts = await price_list_import.apply(world.ctx, world.member, rows)
    assert (second_counts[ChangeKind.UNCHANGED], second_counts[ChangeKind.ADD]) == (
        3,
        0,
    )
    assert len(await list_services(world)) == 3


async def test_fields_without_a_column_keep_their_values(world: World) -> None:
    stored_photo = await services.add_photo(world.ctx, world.member, make_photo(50, 50))
    await add_service(
        world, photo_id=stored_photo.id, invoice_template=InvoiceTemplate((), 9, "https://vk.me/x")
    )
    rows = parse_rows("title,price\nМАНИКЮР ,2000\n")
    (change,) = await price_list_import.preview(world.ctx, world.member, rows)
    assert (change.kind, change.changed_columns) == (ChangeKind.CHANGE, ("title", "price"))
    await price_list_import.apply(world.ctx, world.member, rows)
    (after,) = await list_services(world)
    assert (after.amount, after.description, after.photo_id) == (
        Money(200_000),
        DESCRIPTION,
        stored_photo.id,
    )
    assert after.invoice_template == InvoiceTemplate((), 9, "https://vk.me/x")


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_exported_price_list_imports_without_changes(world: World, locale: str) -> None:
    await add_service(world, "=1+1", description="+79161234567\n'кавычка", is_visible=False)
    await add_service(world, "@SUM", price_kind=PriceKind.FROM, amount=Money(5, "KZT"))
    await add_service(
        world,
        "'-x",
        price_kind=PriceKind.AGREEMENT,
        invoice_template=InvoiceTemplate(expires_days=None),
    )
    in_category = {"category": "=Зал", "external_id": "+7", "price_unit": "60 мин"}
    await add_service(
        world,
        "Зал",
        price_kind=PriceKind.RANGE,
        amount=Money(5, "USD"),
        max_amount=Money(900_50, "USD"),
        **in_category,
    )
    up_to = {"price_kind": PriceKind.RANGE, "amount": None, "max_amount": Money(700)}
    await add_service(world, "Зал", **up_to)
    await add_service(world, "Зал", price_kind=PriceKind.FREE, category="Другая")
    before = await list_services(world)
    data = price_list.to_csv(before, locale)
    for prefix in ("=1+1", "+7916", "@SUM"):
        assert f"'{prefix}" in data.decode("utf-8-sig")
    rows = parse_rows(data)
    counts = await price_list_import.apply(world.ctx, world.member, rows)
    assert counts[ChangeKind.UNCHANGED] == 6
    assert await list_services(world) == before


async def test_invalid_rows_are_reported_and_valid_rows_are_imported(world: World) -> None:
    await add_service(world, "Двойник")
    await add_service(world, "двойник")
    foreign_id = "svc_0000000000000000000000"
    file = f"""id;title;price;visible;invoice days;currency
;Хорошая;100;;;
;;100;;;
;Цена;сто;;;
;Копейки;1.500;;;
;Ноль;0;;;
;Валюта;5;;;XYZ
;Видна;5;может быть;;
;Срок;5;;999;
;хорошая;200;;;
;ДВОЙНИК;5;;;
{foreign_id};Чужая;5;;;
;{"я" * 101};5;;;
"""
    rows = parse_rows(file)
    plan = await price_list_import.preview(world.ctx, world.member, rows)
    invalid = [change for change in plan if change.kind is ChangeKind.INVALID]
    codes_by_row = {change.row_number: {p.code for p in change.problems} for change in invalid}
    assert codes_by_row == {
        3: {"required"},
        4: {"price_words"},
        5: {"money_ambiguous"},
        6: {"money_positive"},
        7: {"money_currency"},
        8: {"yes_no"},
        9: {"range"},
        10: {"duplicate_row"},
        11: {"ambiguous_title"},
        12: {"service_unknown"},
        13: {"too_long"},
    }
    counts = await price_list_import.apply(world.ctx, world.member, rows)
    assert (counts[ChangeKind.ADD], counts[ChangeKind.INVALID]) == (1, 11)
    assert [s.title for s in await list_services(world)] == ["Двойник", "двойник", "Хорошая"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file_empty"),
        (b"\r\n ;; \r\n", "file_empty"),
        ("Название;Цена\n".encode(), "file_empty"),
        (b"a;b\n1;2\n", "file_header"),
        ("Просто текст письма.\nИ ещё строка, с запятой.\n".encode(), "file_header"),
        (b"\x00\x01\x02", "file_unreadable"),
        (b"PK\x03\x04\x00\x00", "file_unreadable"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "file_unreadable"),
        (b"%PDF-1.7\n", "file_format"),
        (b"title\n" + b"x" * MAX_BYTES, "file_large"),
        (b'title\n"' + b"x" * 200_000, "file_line"),
        (b'title\n"a" b\nc\n', "file_line"),
        (b'title\n"a\nb\nc\n', "file_line"),
        (b"title\n" + b"x\n" * (MAX_SERVICES + 1), "too_many"),
        (b"title\n" + b"x\n" * (MAX_ROWS + 1), "too_many"),
        (b"title" + b";a" * 1_000_000 + b"\n", "file_columns"),
    ],
)
def test_unreadable_file_is_refused_with_a_code(data: bytes, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        parse_rows(data)
    assert [(p.field, p.code) for p in caught.value.problems] == [("file", code)]


async def test_import_over_the_service_limit_is_refused(world: World) -> None:
    await add_service(world)
    rows = parse_rows("title\n" + "".join(f"Услуга {n}\n" for n in range(MAX_SERVICES)))
    assert len(rows) == MAX_SERVICES
    with pytest.raises(RefusedError) as caught:
        await price_list_import.apply(world.ctx, world.member, rows)
    assert caught.value.problems[0].code == "too_many"
    assert len(await list_services(world)) == 1
