"""Passkeys (WebAuthn): challenges, registration, verification of an authenticator's answer.

A challenge is not stored: its page carries it in an encrypted ticket, which works for a few minutes
and once.
"""

import json
import secrets
import struct
from dataclasses import dataclass, replace
from typing import Any

from cryptography.exceptions import InvalidSignature
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from sigma.domain.accounts.member import User
from sigma.domain.accounts.second_factor import Passkey
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import PASSKEY_CHALLENGE
from sigma.domain.time_units import MINUTE_US
from sigma.services.authentication.relying_party import RelyingParty, relying_party
from sigma.services.context import CONFLICT_ERRORS, Context
from sigma.store import changes
from sigma.store.accounts import second_factors
from sigma.store.encryption import DecryptionError

TICKET = "form.passkey_challenge"  # what the ciphertext of a ticket is bound to, beside its subject
TICKET_TTL_US = 5 * MINUTE_US
MAX_CREDENTIAL_CHARS = 20_000
ANY_USER = "sign_in"  # the subject of a sign-in without a login
# What the library raises for answers that no browser sends.
_MALFORMED_ERRORS = (
    *(WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError),
    *(struct.error, RecursionError, InvalidSignature, OverflowError),
)


@dataclass(frozen=True, slots=True)
class PasskeyRequest:
    """What the page hands to the browser: options as JSON text, and the ticket to send back."""

    options: str
    ticket: str


def require_relying_party(ctx: Context) -> RelyingParty:
    """Return the relying party. Raises RefusedError("validation") where passkeys cannot work."""
    party = relying_party(ctx.settings.base_url)
    if party is None:
        raise validation_error(Problem("", "passkey_address"))
    return party


async def registration_request(ctx: Context, user: User) -> PasskeyRequest:
    """Return the request for a new passkey of a user."""
    party = require_relying_party(ctx)
    async with ctx.db.read() as tx:
        existing = await second_factors.list_passkeys(tx, user.id)
    challenge = secrets.token_bytes(32)
    options = generate_registration_options(
        rp_id=party.id,
        rp_name="Sigma",
        user_id=user.id.encode(),
        user_name=user.login,
        user_display_name=user.name or user.login,
        challenge=challenge,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_descriptors(existing),
    )
    return _request(ctx, options, challenge, f"new {user.id}")


async def authentication_request(ctx: Context, user: User | None) -> PasskeyRequest:
    """Return the request for a passkey of a user; None: of any user."""
    party = require_relying_party(ctx)
    existing: list[Passkey] = []
    if user is not None:
        async with ctx.db.read() as tx:
            existing = await second_factors.list_passkeys(tx, user.id)
    challenge = secrets.token_bytes(32)
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        allow_credentials=_descriptors(existing) or None,
        user_verification=UserVerificationRequirement.PREFERRED
        if user
        else UserVerificationRequirement.REQUIRED,
    )
    return _request(ctx, options, challenge, user.id if user else ANY_USER)


def _request(ctx: Context, options: Any, challenge: bytes, subject: str) -> PasskeyRequest:
    values = {"challenge": bytes_to_base64url(challenge), "issued_at_us": ctx.now_us()}
    return PasskeyRequest(options_to_json(options), ctx.cipher.encrypt(values, TICKET, subject))


def _descriptors(passkeys: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    known = {str(one.value): one for one in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential_id),
            transports=[known[name] for name in one.transports.split(",") if name in known] or None,
        )
        for one in passkeys
    ]


async def _use_ticket(ctx: Context, ticket: str, subject: str) -> bytes:
    """Return the challenge of a ticket. Raises RefusedError: it is old, used, or of others."""
    try:
        values = ctx.cipher.decrypt(ticket, TICKET, subject)
    except DecryptionError:
        values = {}
    is_fresh = ctx.now_us() - values.get("issued_at_us", 0) <= TICKET_TTL_US
    if not is_fresh or not await ctx.limiter.is_allowed(PASSKEY_CHALLENGE, values["challenge"]):
        raise validation_error(Problem("", "passkey_again"))
    return base64url_to_bytes(values["challenge"])


def _parse(credential: str) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises RefusedError("validation")."""
    try:
        parsed = json.loads(credential[:MAX_CREDENTIAL_CHARS])
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("response"), dict):
        raise validation_error(Problem("", "passkey_failed"))
    return parsed


async def verify_registration(
    ctx: Context, user: User, credential: str, ticket: str, name: str
) -> Passkey:
    """Return the new passkey of an authenticator's answer; it is not stored yet.

    Raises RefusedError("validation").
    """
    party, parsed = require_relying_party(ctx), _parse(credential)
    challenge = await _use_ticket(ctx, ticket, f"new {user.id}")
    try:
        verified = verify_registration_response(
            credential=parsed,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
        )
    except _MALFORMED_ERRORS as error:
        raise validation_error(Problem("", "passkey_failed")) from error
    transports = parsed["response"].get("transports")
    known = [str(one.value) for one in AuthenticatorTransport]
    return Passkey(
        id=ctx.new_id("psk"),
        user_id=user.id,
        credential_id=bytes_to_base64url(verified.credential_id),
        public_key=bytes_to_base64url(verified.credential_public_key),
        name=name,
        created_at_us=ctx.now_us(),
        sign_count=verified.sign_count,
        transports=",".join(one for one in known if one in transports)
        if isinstance(transports, list)
        else "",
        is_backed_up=verified.credential_backed_up,
    )


async def verify(
    ctx: Context,
    credential: str,
    ticket: str,
    user: User | None,
    *,
    require_user_verification: bool,
) -> Passkey:
    """Verify an authenticator's answer; record the use of its passkey and return it.

    `user` None: the passkey of any user. `require_user_verification`: the authenticator must have
    asked for a PIN, a finger or a face. Raises RefusedError("validation").
    """
    party, parsed = require_relying_party(ctx), _parse(credential)
    failure = validation_error(Problem("", "passkey_failed"))
    challenge = await _use_ticket(ctx, ticket, user.id if user else ANY_USER)
    async with ctx.db.read() as tx:
        passkey = await second_factors.find_passkey(tx, str(parsed.get("id", "")))
    if passkey is None:
        raise validation_error(Problem("", "passkey_unknown"))
    is_of_other_user = user is not None and passkey.user_id != user.id
    if is_of_other_user or not _matches_user_handle(parsed, passkey):
        raise failure
    try:
        verified = verify_authentication_response(
            credential=parsed,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=require_user_verification,
        )
    except _MALFORMED_ERRORS as error:
        raise failure from error
    used = replace(
        passkey,
        sign_count=verified.new_sign_count,
        is_backed_up=verified.credential_backed_up,
        used_at_us=ctx.now_us(),
    )
    try:
        await changes.commit(ctx.db, Change((used,)), ctx.now_us())
    except CONFLICT_ERRORS as error:  # used twice at once, or removed meanwhile
        raise failure from error
    return used


def _matches_user_handle(parsed: dict[str, Any], passkey: Passkey) -> bool:
    """Return whether the user handle, if there is one, is that of the passkey's user."""
    handle = parsed["response"].get("userHandle")
    if handle is None:
        return True
    return bool(handle == bytes_to_base64url(passkey.user_id.encode()))


async def get(ctx: Context, user_id: str, passkey_id: str) -> Passkey:
    """Return one of a user's passkeys. Raises RefusedError("not_found")."""
    async with ctx.db.read() as tx:
        for passkey in await second_factors.list_passkeys(tx, user_id):
            if passkey.id == passkey_id:
                return passkey
    raise RefusedError("not_found", what="passkey")
