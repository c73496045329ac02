"""The first inhabitants of VKontakte in a box: an owner, clients, a full and an empty shop."""

from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.world.models import Contact, Person
from sigma_sandbox.vk.world.pictures import draw_photo

OWNER = 1001
CLIENTS = (
    Person(
        id=2001,
        first_name="Мария",
        last_name="Соколова",
        screen_name="m.sokolova",
        colour="#b5588a",
    ),
    Person(
        id=2002,
        first_name="Дмитрий",
        last_name="Орлов",
        screen_name="orlov_d",
        sex=2,
        colour="#3f7fbf",
    ),
    Person(id=2003, first_name="Елена", last_name="Ким", screen_name="lena.kim", colour="#4f9a6a"),
)
STUDIO = 1
EMPTY = 2


def seed(vk: Vk) -> None:
    """Fill a fresh world; a world that has people is left as it is."""
    if vk.people:
        return
    with vk.together():
        vk.put_person(
            Person(
                id=OWNER,
                first_name="Анна",
                last_name="Лаврова",
                screen_name="anna.lak",
                colour="#8a5ab5",
                staff=True,
            )
        )
        for person in CLIENTS:
            vk.put_person(person)
        vk.add_community(
            "Студия «Лак»",
            OWNER,
            screen_name="lak",
            description="Маникюр и педикюр на Чистых прудах. Стерильно, без спешки, каждый день "
            "с 10 до 21. Запись в сообщениях.",
            site="https://lak.example",
            activity="Салон красоты",
            colour="#c2185b",
            has_photo=True,
            contacts=[Contact(OWNER, "Мастер", "+7 900 123-45-67", "anna@lak.example")],
            market="basic",
            services=True,
            messages=True,
            bots_capabilities=True,
            main_section=51,
        )
        _services(vk)
        vk.add_community("Новая студия", OWNER, screen_name="novaya_studia", colour="#607d8b")


def _services(vk: Vk) -> None:
    offered = [
        (
            "Маникюр с покрытием",
            "Снятие, форма, кутикула и покрытие в один тон. Полтора часа.",
            {"price": 220_000},
            "#d9628c",
            "petals",
        ),
        (
            "Педикюр аппаратный",
            "Стопы и пальцы, покрытие по желанию. Около двух часов.",
            {"price": 280_000, "old_price": 320_000},
            "#7c6bb0",
            "circle",
        ),
        (
            "Наращивание ногтей",
            "Цена зависит от длины и формы: уточните в сообщениях.",
            {"price": 350_000, "price_type": 2},
            "#c98a3c",
            "square",
        ),
        (
            "Выезд к невесте",
            "Команда из двух мастеров приедет утром в день свадьбы.",
            {"price_type": 3},
            "#4d9a8f",
            "petals",
        ),
    ]
    for title, description, price, colour, shape in offered:
        picture = vk.add_picture(-STUDIO, *draw_photo(colour, shape))
        vk.add_item(STUDIO, title, description, service=True, photo_ids=[picture.id], **price)
