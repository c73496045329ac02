"""Services go out and come in as price lists: looked at first, loaded twice without harm."""

import pytest

from sigma.domain.catalogue.service import PriceKind, Template
from sigma.domain.errors import Refused
from sigma.domain.money import Money
from sigma.services.catalogue import price_list_import, services
from sigma.services.catalogue.price_list_import import What
from sigma.web.cabinet.services import price_list
from tests.offers import WORDS, listing
from tests.offers import described as made
from tests.photos import photo
from tests.world import World

FILE = """Название;Цена;Описание;Видна;Срок счёта, дней
Маникюр;1 500,50;"С ""гелем"";
и без";да;3
Наращивание;от 2500;;нет;
Образ;по договорённости;;;7
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
async def test_a_file_is_looked_at_then_loaded_and_loading_again_changes_nothing(
    world: World, encoding: str
) -> None:
    lines, problems = price_list.read(FILE.replace("\n", "\r\n").encode(encoding))
    assert problems == []
    steps = await price_list_import.preview(world.ctx, world.member, lines)
    assert [(s.line, s.what) for s in steps] == [(2, What.ADD), (4, What.ADD), (5, What.ADD)]
    assert await listing(world) == []
    done = await price_list_import.apply(world.ctx, world.member, lines)
    assert done.of(What.ADD) == 3
    nails, longer, look = await listing(world)
    assert (nails.title, nails.amount) == ("Маникюр", Money(150_050))
    assert nails.description == 'С "гелем";\nи без'
    assert nails.template.expires_days == 3
    assert (longer.price, longer.amount, longer.visible) == (PriceKind.FROM, Money(250_000), False)
    assert longer.template.expires_days is None
    assert (look.price, look.amount, look.visible) == (PriceKind.AGREEMENT, None, True)
    again = await price_list_import.apply(world.ctx, world.member, lines)
    assert (again.of(What.SAME), again.of(What.ADD)) == (3, 0)
    assert len(await listing(world)) == 3


async def test_what_the_file_has_no_column_for_stays(world: World) -> None:
    kept = await services.add_photo(world.ctx, world.member, photo(50, 50))
    await made(world, photo_id=kept.id, template=Template((), 9, "https://vk.me/x"))
    lines, _ = price_list.read("title,price\nМАНИКЮР ,2000\n".encode())
    (step,) = await price_list_import.preview(world.ctx, world.member, lines)
    assert (step.what, step.changes) == (What.CHANGE, ("title", "price"))
    await price_list_import.apply(world.ctx, world.member, lines)
    (after,) = await listing(world)
    assert (after.amount, after.description, after.photo_id) == (Money(200_000), WORDS, kept.id)
    assert after.template == Template((), 9, "https://vk.me/x")


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_what_goes_out_comes_back_the_same(world: World, locale: str) -> None:
    await made(world, "=1+1", description="+79161234567\n'кавычка", visible=False)
    await made(world, "@SUM", price=PriceKind.FROM, amount=Money(5, "KZT"))
    await made(world, "'-x", price=PriceKind.AGREEMENT, template=Template(expires_days=None))
    before = await listing(world)
    data = price_list.write(before, locale)
    for start in ("=1+1", "+7916", "@SUM"):
        assert f"'{start}" in data.decode("utf-8-sig")
    lines, problems = price_list.read(data)
    assert problems == []
    done = await price_list_import.apply(world.ctx, world.member, lines)
    assert done.of(What.SAME) == 3
    assert await listing(world) == before


async def test_every_fault_is_told_by_its_line_and_the_good_lines_go_in(world: World) -> None:
    await made(world, "Двойник")
    await made(world, "двойник")
    stranger = "svc_0000000000000000000000"
    file = f"""id;title;price;visible;days;currency
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
{stranger};Чужая;5;;;
;{"я" * 101};5;;;
"""
    lines, problems = price_list.read(file.encode())
    assert problems == []
    steps = await price_list_import.preview(world.ctx, world.member, lines)
    wrong = {s.line: {p.code for p in s.problems} for s in steps if s.what is What.WRONG}
    assert wrong == {
        3: {"required"},
        4: {"money_format"},
        5: {"money_ambiguous"},
        6: {"money_positive"},
        7: {"money_currency"},
        8: {"yes_no"},
        9: {"range"},
        10: {"line_twice"},
        11: {"title_twice"},
        12: {"service_unknown"},
        13: {"too_long"},
    }
    done = await price_list_import.apply(world.ctx, world.member, lines)
    assert (done.of(What.ADD), done.of(What.WRONG)) == (1, 11)
    assert [s.title for s in await listing(world)] == ["Двойник", "двойник", "Хорошая"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "csv_empty"),
        (b"\r\n ;; \r\n", "csv_empty"),
        ("Название;Цена\n".encode(), "csv_empty"),
        ("Маникюр;1500\nПедикюр;2000\n".encode(), "csv_header"),
        (b"\x00\x01\x02", "csv_unreadable"),
        (b"PK\x03\x04\x00\x00", "csv_unreadable"),
        (b"title\n" + b"x" * price_list.MAX_BYTES, "csv_large"),
        (b'title\n"' + b"x" * 200_000, "csv_line"),
        (b'title\n"a" b\nc\n', "csv_line"),
        (b'title\n"a\nb\nc\n', "csv_line"),
        (b"title\n" + b"x\n" * 1001, "too_many"),
    ],
)
def test_a_file_that_is_no_price_list_says_why(data: bytes, code: str) -> None:
    lines, problems = price_list.read(data)
    assert (lines, [p.code for p in problems]) == ([], [code])


async def test_the_catalogue_does_not_grow_without_end(world: World) -> None:
    full = ("title\n" + "".join(f"Услуга {n}\n" for n in range(1000))).encode()
    lines, _ = price_list.read(full)
    assert (await price_list_import.apply(world.ctx, world.member, lines)).of(What.ADD) == 1000
    more, _ = price_list.read(b"title\nX\n")
    with pytest.raises(Refused) as refused:
        await price_list_import.apply(world.ctx, world.member, more)
    assert refused.value.problems[0].code == "too_many"
    with pytest.raises(Refused):
        await made(world)
