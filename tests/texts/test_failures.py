"""One reason code in words: by reader and by operation."""

import pytest

from sigma.texts import Translator
from sigma.texts.failures import (
    Reader,
    is_acquirer_code,
    payment_failure_text,
    refund_failure_text,
)
from sigma.texts.messages import load_texts

PAYMENT_CODES = [
    key.removeprefix("failures.payment.") for key in load_texts("ru") if "failures.payment." in key
]
REFUND_CODES = [
    key.removeprefix("failures.refund.") for key in load_texts("ru") if "failures.refund." in key
]


@pytest.mark.parametrize("locale", ["ru", "en"])
@pytest.mark.parametrize("code", [*PAYMENT_CODES, "rejected_gone", "rejected_new", "brand_new", ""])
def test_seller_text_does_not_advise_another_card(code: str, locale: str) -> None:
    for reader in (Reader.SELLER, Reader.PROGRAM):
        text = payment_failure_text(code, reader, Translator(locale))
        assert text
        assert "другую карту" not in text
        assert "another card" not in text


@pytest.mark.parametrize("code", [*REFUND_CODES, *PAYMENT_CODES, "brand_new"])
def test_failed_refund_never_speaks_of_the_clients_card(code: str) -> None:
    for reader in Reader:
        text = refund_failure_text(code, reader, Translator("ru"))
        assert "карт" not in text
        assert "другим способом" not in text


def test_insufficient_funds_means_the_card_of_the_client_or_the_account_of_the_seller() -> None:
    ru = Translator("ru")
    assert payment_failure_text("insufficient_funds", Reader.CLIENT, ru).startswith("На карте")
    assert "карте клиента" in payment_failure_text("insufficient_funds", Reader.SELLER, ru)
    assert "вашем счёте у эквайера" in refund_failure_text("insufficient_funds", Reader.PROGRAM, ru)


@pytest.mark.parametrize(
    "code", ["rejected_bad_request", "rejected_forbidden", "rejected_credentials", "rejected_gone"]
)
def test_rejected_request_is_nobodys_card_for_any_reader(code: str) -> None:
    ru = Translator("ru")
    assert "Платёжная система" in payment_failure_text(code, Reader.CLIENT, ru)
    assert "Эквайер" in payment_failure_text(code, Reader.SELLER, ru)
    assert payment_failure_text(code, Reader.PROGRAM, ru) == payment_failure_text(
        code, Reader.SELLER, ru
    )
    assert not is_acquirer_code(code)


def test_codes_of_yookassa_that_look_like_rejections_keep_their_own_text() -> None:
    ru = Translator("ru")
    assert "не успел" in refund_failure_text("rejected_by_timeout", Reader.SELLER, ru)
    assert "не принял деньги" in refund_failure_text("rejected_by_payee", Reader.SELLER, ru)
    assert is_acquirer_code("rejected_by_payee")
    assert is_acquirer_code("insufficient_funds")
    assert not is_acquirer_code("already_refunded")
