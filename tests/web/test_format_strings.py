"""Input inside texts is printed as it is, whatever format characters are in it."""

import re
from string import Formatter

import pytest

from sigma.texts import LOCALES, Translator
from sigma.texts.messages import load_texts
from sigma.web.rendering import text_functions
from tests.web.checkout_harness import open_client
from tests.world import World

HOSTILE = ("{n}", "{0}", "{0.__class__}", "{name.__init__.__globals__}", "{", "%s", "%(x)d", "$x{}")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_placeholder_is_a_plain_name(locale: str) -> None:
    """No text of Sigma reads an attribute, an element or a format of a value."""
    for key, text in load_texts(locale).items():
        for form in [text] if isinstance(text, str) else text.values():
            for _, name, spec, conversion in Formatter().parse(form):
                is_plain = name is None or re.fullmatch(r"[a-z_]+", name)
                assert is_plain, (key, form)
                assert not spec, (key, form)
                assert not conversion, (key, form)


@pytest.mark.parametrize("value", HOSTILE)
def test_value_in_a_text_is_printed_as_it_is(value: str) -> None:
    translator = Translator("ru")
    assert f"№ {value}" in translator.t("checkout.number", number=value)
    rich = str(text_functions(translator)["rich"]("checkout.number", number=value))
    assert f"№ {value}" in rich


@pytest.mark.parametrize("value", HOSTILE)
async def test_texts_of_a_seller_are_printed_as_they_are(world: World, value: str) -> None:
    invoice = await world.create_invoice(title=f"Торт {value}", description=f"Крем {value}")
    async with open_client(world) as client:
        page = (await client.get(f"/i/{invoice.token}")).text
    assert f"Торт {value}" in page
    assert f"Крем {value}" in page
