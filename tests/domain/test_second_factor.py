"""Rules of second factors: which proofs open a shop, codes of apps, recovery codes."""

import pytest

from sigma.domain.accounts.second_factor import (
    RECOVERY_ALPHABET,
    SecondFactorRule,
    choices,
    format_recovery_code,
    has_second_factor,
    matching_step,
    meets_rule,
    normalize_recovery_code,
)
from sigma.domain.accounts.session import (
    RECENT_AUTHENTICATION_US,
    USE_INTERVAL_US,
    Proof,
    idle_limit_us,
    is_recent,
)

PASSWORD, PASSKEY, TOTP = Proof.PASSWORD, Proof.PASSKEY, Proof.TOTP
RECOVERY_CODE = Proof.RECOVERY_CODE
OPTIONAL, ANY = SecondFactorRule.OPTIONAL, SecondFactorRule.ANY


@pytest.mark.parametrize(
    ("rule", "proofs", "expected"),
    [
        (OPTIONAL, {PASSWORD}, True),
        (ANY, {PASSWORD}, False),
        (ANY, {PASSWORD, TOTP}, True),
        (ANY, {PASSKEY}, True),
        (SecondFactorRule.PASSKEY, {PASSWORD, TOTP}, False),
        (SecondFactorRule.PASSKEY, {PASSWORD, PASSKEY}, True),
        (SecondFactorRule.TOTP, {PASSKEY}, False),
        (SecondFactorRule.TOTP, {PASSWORD, TOTP}, True),
        *((rule, {PASSWORD, RECOVERY_CODE}, True) for rule in SecondFactorRule),
    ],
)
def test_session_opens_a_shop_when_its_proofs_meet_the_rule(
    rule: SecondFactorRule, proofs: set[Proof], expected: bool
) -> None:
    assert meets_rule(rule, frozenset(proofs)) is expected


def test_password_alone_is_no_second_factor() -> None:
    assert not has_second_factor(frozenset({PASSWORD}))
    assert all(has_second_factor(frozenset({one})) for one in set(Proof) - {PASSWORD})


@pytest.mark.parametrize(
    ("rule", "factors", "expected"),
    [
        (OPTIONAL, set(), set()),
        (OPTIONAL, {TOTP}, {TOTP}),
        (ANY, {TOTP, PASSKEY}, {TOTP, PASSKEY}),
        (SecondFactorRule.PASSKEY, {TOTP, PASSKEY}, {PASSKEY}),
        (SecondFactorRule.PASSKEY, {TOTP}, {TOTP}),  # signs in with it, then adds a passkey
    ],
)
def test_second_step_offers_what_the_shop_demands(
    rule: SecondFactorRule, factors: set[Proof], expected: set[Proof]
) -> None:
    assert choices(rule, frozenset(factors)) == expected


@pytest.mark.parametrize(
    ("code_step", "last_step", "expected"),
    [
        (100, 0, 100),
        (99, 0, 99),
        (101, 0, 101),
        (98, 0, None),
        (102, 0, None),
        (100, 100, None),
        (99, 100, None),
        (101, 100, 101),
    ],
)
def test_code_of_an_app_is_accepted_near_its_time_and_once(
    code_step: int, last_step: int, expected: int | None
) -> None:
    now_s = 100 * 30 + 12
    assert matching_step(now_s, last_step, lambda step: step == code_step) == expected


def test_recovery_code_is_read_as_people_type_it() -> None:
    code = "a7qf2m9x01hs"
    assert format_recovery_code(code) == "a7qf-2m9x-01hs"
    for typed in ("A7QF-2M9X-01HS", " a7qf 2m9x 01hs ", "a7qf2m9xOlHS", "A7QF—2M9X—OIHS"):
        assert normalize_recovery_code(typed) == code, typed
    assert not set("ilou") & set(RECOVERY_ALPHABET)


def test_proof_is_recent_for_ten_minutes() -> None:
    assert is_recent(1000, 1000 + RECENT_AUTHENTICATION_US - 1)
    assert not is_recent(1000, 1000 + RECENT_AUTHENTICATION_US)
    assert is_recent(1000, 0), "clocks of two processes differ a little"
    assert not is_recent(RECENT_AUTHENTICATION_US, 0), "the clock was wrong at the sign-in"


def test_idle_limit_covers_the_uses_that_are_not_stored() -> None:
    assert idle_limit_us(1) == 3600 * 1_000_000 + USE_INTERVAL_US
