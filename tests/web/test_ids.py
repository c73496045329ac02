"""Ids of URLs are checked for their form before the database is asked."""

import pytest

from sigma.domain.errors import RefusedError
from sigma.web.ids import parse_id


def test_malformed_id_is_not_found() -> None:
    assert parse_id("inv_0k5m7x9abcd", "inv") == "inv_0k5m7x9abcd"
    for text in (
        "pay_0k5m7x9abcd",
        "inv_1",
        "inv_",
        "inv_a b",
        "inv_\0",
        "inv_" + "a" * 61,
        "inv_1\n",
    ):
        with pytest.raises(RefusedError) as error:
            parse_id(text, "inv")
        assert error.value.code == "not_found"
