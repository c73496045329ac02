"""Second factors: passkeys, authenticator apps (TOTP), recovery codes, and what a shop demands."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.accounts.session import Proof, Proofs
from sigma.domain.errors import Problem
from sigma.domain.text_cleaning import clean_text

TOTP_STEP_S = 30  # RFC 6238
# A phone's clock may be off: the step before and the step after the current one are accepted.
TOTP_TOLERANCE_STEPS = 1
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
    """The authenticator app of a user. `last_step`: the time step of the last accepted code."""

    id: str
    user_id: str
    secret_encrypted: str
    created_at_us: int
    last_step: int = 0
    version: int = 0


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


def matching_step(now_s: int, last_step: int, matches: Callable[[int], bool]) -> int | None:
    """Return the time step of a TOTP code, or None.

    `matches(step)` compares the code with that of a step. A step at or before `last_step` is
    refused: a code that was looked at over a shoulder opens nothing a second time.
    """
    current = now_s // TOTP_STEP_S
    found = None
    for step in range(current - TOTP_TOLERANCE_STEPS, current + TOTP_TOLERANCE_STEPS + 1):
        if matches(step) and step > last_step:  # compare all: the time tells nothing
            found = step
    return found


def use_app(app: AuthenticatorApp, step: int) -> AuthenticatorApp:
    """Return the app after a code of this step was accepted."""
    return replace(app, last_step=step)


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
