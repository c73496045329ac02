"""Second factors: passkeys, authenticator apps (TOTP), recovery codes, and what a shop demands."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.accounts.session import Proof, Proofs
from sigma.domain.errors import Problem
from sigma.domain.text_cleaning import clean_text

TOTP_STEP_S = 30  # RFC 6238
SLOW_TYPING_S = 8  # a code that is later by more than this shows a slow clock
MAX_DRIFT_S = 300  # of the clock of a phone against that of the server
RECOVERY_CODE_COUNT = 10
MAX_PASSKEYS = 20
MAX_PASSKEY_NAME = 60
# Base 32 without look-alikes: no i, l, o, u.
RECOVERY_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # pragma: allowlist secret
RECOVERY_CODE_LENGTH = 12  # the first character names the code, the others have 55 random bits


class SecondFactorRule(StrEnum):
    """What a shop demands of its members beside the password."""

    OPTIONAL = "optional"
    ANY = "any"  # a passkey or an authenticator app
    PASSKEY = "passkey"
    TOTP = "totp"


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey (WebAuthn credential) of a user.

    `credential_id` and `public_key` are URL-safe base64 without padding; `transports` are hints
    for the browser. `sign_count` grows with each use on authenticators that count.
    """

    id: str
    user_id: str
    credential_id: str
    public_key: str
    name: str
    created_at_us: int
    sign_count: int = 0
    transports: str = ""  # separated by commas
    is_backed_up: bool = False
    used_at_us: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class AuthenticatorApp:
    """The authenticator app of a user.

    `last_step`: the latest time step whose code cannot be used any more. `drift_s`: how far the
    clock of the phone is ahead of the server's, as far as its codes have shown.
    """

    id: str
    user_id: str
    secret_encrypted: str
    created_at_us: int
    last_step: int = 0
    drift_s: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class CodeMatch:
    """Whether a code of an app is accepted, and the app afterwards, to be stored if it changed."""

    is_accepted: bool
    app: AuthenticatorApp


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """A code that replaces the second factor once. `prefix` is its first character."""

    id: str
    user_id: str
    prefix: str
    code_hash: str
    created_at_us: int
    used_at_us: int | None = None
    version: int = 0


def has_second_factor(proofs: Proofs) -> bool:
    """Return whether these proofs are two factors. A passkey is possession and a PIN or finger."""
    return bool(proofs & {Proof.PASSKEY, Proof.TOTP, Proof.RECOVERY_CODE})


def meets_rule(rule: SecondFactorRule, proofs: Proofs) -> bool:
    """Return whether a session with these proofs may open a shop with this rule.

    A recovery code stands for the factor that was lost.
    """
    if rule is SecondFactorRule.OPTIONAL or Proof.RECOVERY_CODE in proofs:
        return True
    return bool(suitable_factors(rule, proofs))


def effective_rule(rule: SecondFactorRule, *, is_required: bool) -> SecondFactorRule:
    """Return the rule of a shop in an installation that requires a second factor of everybody."""
    return SecondFactorRule.ANY if is_required and rule is SecondFactorRule.OPTIONAL else rule


def suitable_factors(rule: SecondFactorRule, factors: Proofs) -> Proofs:
    """Return those of a user's factors that meet the rule."""
    factors = factors & {Proof.PASSKEY, Proof.TOTP}
    if rule is SecondFactorRule.PASSKEY:
        return factors & {Proof.PASSKEY}
    if rule is SecondFactorRule.TOTP:
        return factors & {Proof.TOTP}
    return factors


def choices(rule: SecondFactorRule, factors: Proofs) -> Proofs:
    """Return the factors that the second step of a sign-in offers, beside recovery codes.

    All of them when none meets the rule: the person then adds one that does.
    """
    return suitable_factors(rule, factors) or factors & {Proof.PASSKEY, Proof.TOTP}


def valid_proofs(factors: Proofs) -> Proofs:
    """Return the proofs of a session that still count for a user with these factors.

    A proof by a factor ends with the factor, a recovery code with the last one.
    """
    recovery = frozenset({Proof.RECOVERY_CODE}) if factors else frozenset()
    return factors | recovery | {Proof.PASSWORD}


def match_code(app: AuthenticatorApp, now_s: int, matches: Callable[[int], bool]) -> CodeMatch:
    """Check a TOTP code; `matches(step)` compares it with that of a step.

    A code is accepted in its own half minute only, by the clock of the phone as far as it is known,
    and never one of a step at or before `last_step`: a code that was looked at over a shoulder
    opens nothing a second time. A code of a step beside the current one is refused and used up. It
    shows how far the clock of the phone is off, so that later codes are accepted. No code that has
    already been current is accepted after such a change: that would lengthen its life.
    """
    phone_s = now_s + app.drift_s
    current = phone_s // TOTP_STEP_S
    found = None
    for step in (current - 1, current, current + 1):
        if matches(step) and step > app.last_step:  # compare all: the time reveals nothing
            found = step
    if found is None:
        return CodeMatch(False, app)
    used = replace(app, last_step=found)
    if found == current:
        return CodeMatch(True, used)
    late_s = phone_s - (found + 1) * TOTP_STEP_S + 1  # negative for a code of the next step
    if 0 < late_s <= SLOW_TYPING_S:
        return CodeMatch(False, used)
    drift_s = _drift_s(app, found, now_s)
    if abs(drift_s) > MAX_DRIFT_S:
        return CodeMatch(False, used)
    return CodeMatch(False, replace(used, last_step=max(found, current), drift_s=drift_s))


def _drift_s(app: AuthenticatorApp, step: int, now_s: int) -> int:
    """Return the drift nearest to the known one with which this step is the current one."""
    first_s = step * TOTP_STEP_S - now_s
    return min(max(app.drift_s, first_s), first_s + TOTP_STEP_S - 1)


def confirm_app(
    app: AuthenticatorApp, now_s: int, matches: Callable[[int], bool]
) -> AuthenticatorApp | None:
    """Return a new app after its first code, with the drift of its clock; None for a wrong code.

    This code opens nothing, so it may be one of the steps beside the current one.
    """
    current = now_s // TOTP_STEP_S
    for step in (current, current - 1, current + 1):
        if matches(step):
            drift_s = _drift_s(app, step, now_s)
            return replace(app, last_step=max(step, current), drift_s=drift_s)
    return None


def normalize_recovery_code(text: str) -> str:
    """Return a typed recovery code as it was made: "A7QF-2M9X-…" → "a7qf2m9x…".

    The letters that the alphabet lacks are read as the digits they look like.
    """
    bare = "".join(character for character in text.casefold() if character.isalnum())
    return bare.translate(str.maketrans("ilo", "110"))


def format_recovery_code(code: str) -> str:
    """Return a recovery code in groups of four."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def check_passkey_name(name: str) -> Problem | None:
    """Return what is wrong with the name of a passkey, or None."""
    if not clean_text(name):
        return Problem("name", "required")
    if len(name) > MAX_PASSKEY_NAME:
        return Problem("name", "too_long", {"max": MAX_PASSKEY_NAME})
    return None
