"""Initial data: an owner, clients, a community with everything filled in and an empty one."""

from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.world.images import draw_photo
from sigma_sandbox.vk.world.models import Contact, Person

OWNER_ID = 1001
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
STUDIO_ID = 1


def seed(vk: Vk) -> None:
    """Create the initial data, unless the store already has people."""
    if vk.people:
        return
    with vk.transaction():
        vk.put_person(
            Person(
                id=OWNER_ID,
                first_name="Анна",
                last_name="Лаврова",
                screen_name="anna.lak",
                colour="#8a5ab5",
                is_staff=True,
            )
        )
        for person in CLIENTS:
            vk.put_person(person)
        vk.add_community(
            "Студия «Лак»",
            OWNER_ID,
            screen_name="lak",
            description="Маникюр и педикюр на Чистых прудах. Стерильно, без спешки, каждый день "
            "с 10 до 21. Запись в сообщениях.",
            site="https://lak.example",
            activity="Салон красоты",
            colour="#c2185b",
            has_photo=True,
            contacts=[Contact(OWNER_ID, "Мастер", "+7 900 123-45-67", "anna@lak.example")],
            market="basic",
            services=True,
            messages=True,
            bots_capabilities=True,
            main_section=51,
        )
        _add_services(vk)
        vk.add_community("Новая студия", OWNER_ID, screen_name="novaya_studia", colour="#607d8b")


def _add_services(vk: Vk) -> None:
    services = [
        (
            "Маникюр с покрытием",
            "Снятие, форма, кутикула и покрытие в один тон. Полтора часа.",
            {"price_minor": 220_000},
            "#d9628c",
            "petals",
        ),
        (
            "Педикюр аппаратный",
            "Стопы и пальцы, покрытие по желанию. Около двух часов.",
            {"price_minor": 280_000, "old_price_minor": 320_000},
            "#7c6bb0",
            "circle",
        ),
        (
            "Наращивание ногтей",
            "Цена зависит от длины и формы: уточните в сообщениях.",
            {"price_minor": 350_000, "price_type": 2},
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
    for title, description, price, colour, shape in services:
        photo = vk.add_photo(-STUDIO_ID, *draw_photo(colour, shape))
        vk.add_item(STUDIO_ID, title, description, is_service=True, photo_ids=[photo.id], **price)
