"""Cells of price lists become plain text by the rule for all text from outside."""

import pytest

from sigma.domain.catalogue.cell_texts import clean_cell


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("\u3164", ""),  # looks like a space and is a letter
        ("\u2800\u00ad\ufe0f", ""),
        ("Мани\u202eкюр", "Маникюр"),
        ("\ufeffМаникюр\u200b", "Маникюр"),
        ("Мани\x00к\x1bю\x7fр", "Маникюр"),
        ("Маникюр\u2028с покрытием", "Маникюр с покрытием"),
        ("Маникюр  <b>классический</b>&nbsp;", "Маникюр классический"),
        ("&#12644;", ""),  # invisible only after the reference is decoded
        ("R&D, 5 < 10", "R&D, 5 < 10"),
        ("👩‍👧 семейный", "👩‍👧 семейный"),  # the joiner is a part of the picture
    ],
)
def test_cell_is_cleaned_like_every_text_from_outside(cell: str, expected: str) -> None:
    assert clean_cell(cell) == expected


def test_line_breaks_of_a_description_stay() -> None:
    assert clean_cell("Снятие<br>Форма\r\nПокрытие \u2029", multiline=True) == (
        "Снятие\nФорма\nПокрытие"
    )
