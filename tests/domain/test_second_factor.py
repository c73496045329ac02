"""Rules of second factors: which proofs open a shop, codes of apps, recovery codes."""

import operator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.accounts.second_factor import (
    RECOVERY_ALPHABET,
    AuthenticatorApp,
    CodeMatch,
    SecondFactorRule,
    choices,
    confirm_app,
    format_recovery_code,
    has_second_factor,
    match_code,
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


def new_app(*, last_step: int = 0, drift_s: int = 0) -> AuthenticatorApp:
    return AuthenticatorApp("app_x", "usr_x", "", 0, last_step=last_step, drift_s=drift_s)


def enter(app: AuthenticatorApp, code_step: int, now_s: int) -> CodeMatch:
    """Enter the code of a step."""
    return match_code(app, now_s, lambda step: step == code_step)


@pytest.mark.parametrize(
    ("code_step", "last_step", "is_accepted"),
    [(100, 0, True), (99, 0, False), (101, 0, False), (98, 0, False), (100, 100, False)],
)
@pytest.mark.parametrize("second", [0, 12, 29])
def test_code_of_an_app_is_accepted_in_its_own_half_minute_and_once(
    code_step: int, last_step: int, is_accepted: bool, second: int
) -> None:
    match = enter(new_app(last_step=last_step), code_step, 100 * 30 + second)
    assert match.is_accepted is is_accepted
    assert not enter(match.app, code_step, 100 * 30 + second).is_accepted


@pytest.mark.parametrize("drift_s", [-80, -29, -16, -5, 3, 29, 31, 200])
def test_clock_of_a_phone_that_is_off_is_learnt(drift_s: int) -> None:
    """A person enters what the phone shows, at any second of its half minutes."""
    app, accepted = new_app(drift_s=drift_s - (25 if drift_s > 0 else -25)), []
    for now_s in range(3015, 3015 + 40 * 37, 37):
        match = enter(app, (now_s + drift_s) // 30, now_s)
        app = match.app
        accepted.append(match.is_accepted)
    assert sum(accepted[-20:]) >= 14, accepted


def test_new_app_has_the_clock_of_its_first_code() -> None:
    for code_step in (99, 100, 101):
        app = confirm_app(new_app(), 3012, partial(operator.eq, code_step))
        assert app is not None
        assert (3012 + app.drift_s) // 30 == code_step
        assert enter(app, code_step + 2, 3012 + 60).is_accepted
    assert confirm_app(new_app(), 3012, lambda step: step == 98) is None


def test_code_entered_slowly_does_not_change_the_clock() -> None:
    late = enter(new_app(), 99, 3000 + 7)
    assert (late.is_accepted, late.app.drift_s, late.app.last_step) == (False, 0, 99)
    assert enter(late.app, 100, 3000 + 12).is_accepted


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-2, 2)), max_size=8))
def test_no_code_lives_longer_than_thirty_seconds(attempts: list[tuple[int, int]]) -> None:
    """Whatever codes somebody enters before, and at which time."""
    app, now_s = new_app(), 3000
    lives: dict[int, list[int]] = {}
    for wait_s, offset in attempts:
        for second in range(now_s, now_s + wait_s + 1):
            for step in range(95, 120):
                if enter(app, step, second).is_accepted:
                    lives.setdefault(step, []).append(second)
        now_s += wait_s
        match = enter(app, now_s // 30 + offset, now_s)
        app = app if match.is_accepted else match.app
    assert all(max(life) - min(life) < 30 for life in lives.values()), lives


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
