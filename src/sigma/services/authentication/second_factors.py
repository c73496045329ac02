"""A user's second factors: the list, adding and removing one, the second step of a sign-in."""

from dataclasses import dataclass

from sigma.domain.accounts.api_key import COMMAND_LINE
from sigma.domain.accounts.member import User
from sigma.domain.accounts.second_factor import (
    MAX_PASSKEYS,
    AuthenticatorApp,
    Passkey,
    RecoveryCode,
    check_passkey_name,
    choices,
    valid_proofs,
)
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.accounts.session import Proof, Proofs
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION
from sigma.domain.bank_cards import contains_card_number
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import SECOND_FACTOR
from sigma.domain.origin import NO_ORIGIN, Origin
from sigma.domain.text_cleaning import clean_text
from sigma.services.accounts.logins import normalize_login
from sigma.services.accounts.users import NewSession, Session, open_session, renew_session
from sigma.services.authentication import authenticator_apps, passkeys, recovery_codes
from sigma.services.context import Context
from sigma.services.platform import audit_log, security_notices
from sigma.services.security_log import SecurityEvent, record
from sigma.store import changes
from sigma.store.accounts import members, second_factors, sessions, users
from sigma.store.engine.interface import ConflictError, Tx

_DEEDS = {
    NoticeKind.FACTOR_ADDED: Deed.FACTOR_ADDED,
    NoticeKind.FACTOR_REMOVED: Deed.FACTOR_REMOVED,
    NoticeKind.RECOVERY_CODES_CREATED: Deed.RECOVERY_CODES_CREATED,
}


@dataclass(frozen=True, slots=True)
class FactorOverview:
    """The second factors of a user, as the page shows them."""

    passkeys: list[Passkey]
    app: AuthenticatorApp | None
    recovery_codes_left: int

    @property
    def has_any(self) -> bool:
        """Whether a sign-in by password needs a second step."""
        return bool(self.passkeys) or self.app is not None


@dataclass(frozen=True, slots=True)
class AddedFactor:
    """What follows from a new factor: the session's new secret, and recovery codes to show once.

    `codes` is empty when the user has recovery codes already.
    """

    secret: str
    codes: list[str]


async def get_overview(ctx: Context, session: Session) -> FactorOverview:
    """Return the user's second factors."""
    async with ctx.db.read() as tx:
        return FactorOverview(
            await second_factors.list_passkeys(tx, session.user.id),
            await second_factors.find_app(tx, session.user.id),
            await second_factors.count_recovery_codes(tx, session.user.id),
        )


async def add_passkey(
    ctx: Context, session: Session, name: str, credential: str, ticket: str
) -> AddedFactor:
    """Store a new passkey. Raises RefusedError("validation")."""
    name = clean_text(name)
    if problem := check_passkey_name(name):
        raise validation_error(problem)
    if contains_card_number(name):
        raise validation_error(Problem("name", "card_number"))
    overview = await get_overview(ctx, session)
    if len(overview.passkeys) >= MAX_PASSKEYS:
        raise validation_error(Problem("name", "too_many", {"max": MAX_PASSKEYS}))
    passkey = await passkeys.verify_registration(ctx, session.user, credential, ticket, name)
    try:
        return await _add(ctx, session, overview, passkey, Proof.PASSKEY, name)
    except ConflictError as error:
        raise validation_error(Problem("", "passkey_known")) from error


async def add_app(ctx: Context, session: Session, ticket: str, code: str) -> AddedFactor:
    """Store the authenticator app that shows this code, in place of an earlier one.

    Raises RefusedError: "validation", "too_many_requests".
    """
    app = authenticator_apps.confirm(ctx, session.user, ticket, code)
    overview = await get_overview(ctx, session)
    return await _add(ctx, session, overview, app, Proof.TOTP, "")


async def _add(
    ctx: Context,
    session: Session,
    overview: FactorOverview,
    row: Passkey | AuthenticatorApp,
    proof: Proof,
    name: str,
) -> AddedFactor:
    """Store a factor. With the first one all other sessions end: they have shown none.

    So every open session of somebody with a second factor has shown one.
    """
    user_id = session.user.id
    texts: list[str] = []
    codes: tuple[RecoveryCode, ...] = ()
    if not overview.recovery_codes_left:
        texts, codes = await recovery_codes.generate(ctx, user_id)
    async with ctx.db.write() as tx:
        await users.lock(tx, user_id)
        has_any = bool(await second_factors.list_kinds(tx, user_id))
        if isinstance(row, AuthenticatorApp):
            await second_factors.remove_app(tx, user_id)
        if codes:
            await second_factors.remove_recovery_codes(tx, user_id)
        await changes.write(tx, Change((row, *codes)), ctx.now_us())
        if not has_any:
            await sessions.delete_others(tx, user_id, session.secret_hash)
        secret = await renew_session(ctx, tx, session, frozenset({proof}))
        await _announce(ctx, tx, session, NoticeKind.FACTOR_ADDED, f"{proof}:{name}")
    return AddedFactor(secret, texts)


async def remove_passkey(ctx: Context, session: Session, passkey_id: str) -> None:
    """Delete one of the user's passkeys. Raises RefusedError("not_found")."""
    passkey = await passkeys.get(ctx, session.user.id, passkey_id)
    async with ctx.db.write() as tx:
        await users.lock(tx, session.user.id)
        if not await second_factors.remove_passkey(tx, session.user.id, passkey_id):
            raise RefusedError("not_found", what="passkey")
        await _after_removal(ctx, tx, session, f"{Proof.PASSKEY}:{passkey.name}")


async def remove_app(ctx: Context, session: Session) -> None:
    """Delete the user's authenticator app. Raises RefusedError("not_found")."""
    async with ctx.db.write() as tx:
        await users.lock(tx, session.user.id)
        if not await second_factors.remove_app(tx, session.user.id):
            raise RefusedError("not_found", what="app")
        await _after_removal(ctx, tx, session, f"{Proof.TOTP}:")


async def _after_removal(ctx: Context, tx: Tx, session: Session, subject: str) -> None:
    kinds = await second_factors.list_kinds(tx, session.user.id)
    if not kinds:
        await second_factors.remove_recovery_codes(tx, session.user.id)  # nothing to recover
    # Or a factor that was added for a moment would meet the rule of the shop for a month.
    await sessions.limit_proofs(tx, session.user.id, valid_proofs(kinds))
    await _announce(ctx, tx, session, NoticeKind.FACTOR_REMOVED, subject)


async def replace_recovery_codes(ctx: Context, session: Session) -> list[str]:
    """Replace the user's recovery codes; return the new ones, which cannot be read again.

    Raises RefusedError("not_found") without a second factor.
    """
    overview = await get_overview(ctx, session)
    if not overview.has_any:
        raise RefusedError("not_found", what="second factor")
    texts, codes = await recovery_codes.generate(ctx, session.user.id)
    async with ctx.db.write() as tx:
        await second_factors.remove_recovery_codes(tx, session.user.id)
        await changes.write(tx, Change(codes), ctx.now_us())
        await _announce(ctx, tx, session, NoticeKind.RECOVERY_CODES_CREATED, "")
    return texts


async def _announce(ctx: Context, tx: Tx, session: Session, kind: NoticeKind, subject: str) -> None:
    await security_notices.announce(
        ctx,
        tx,
        kind,
        shop_id=session.shop.id,
        user_id=session.user.id,
        origin=session.origin,
        subject=subject,
    )
    factor = subject.partition(":")[0]
    await audit_log.record(ctx, tx, session.member, _DEEDS[kind], session.user.id, factor=factor)


async def list_choices(ctx: Context, pending: Session) -> Proofs:
    """Return the factors that the second step offers, beside a recovery code."""
    async with ctx.db.read() as tx:
        kinds = await second_factors.list_kinds(tx, pending.user.id)
    return choices(pending.shop.second_factor_rule, kinds)


async def finish_by_code(
    ctx: Context, pending: Session, code: str, origin: Origin, device: str
) -> NewSession:
    """Finish a sign-in by a code of the app or a recovery code.

    `device`: the cookie of an earlier sign-in. Raises RefusedError: "validation",
    "too_many_requests" after several wrong ones, "unauthorized" when the sign-in has ended.
    """
    offered = await list_choices(ctx, pending)
    is_totp = authenticator_apps.is_totp(code)
    await ctx.limiter.require_after_delay(SECOND_FACTOR, pending.user.id)
    if is_totp:
        proof, user_id = Proof.TOTP, pending.user.id
        is_valid = Proof.TOTP in offered and await authenticator_apps.verify(ctx, user_id, code)
    else:
        proof = Proof.RECOVERY_CODE
        is_valid = await recovery_codes.verify(ctx, pending.user.id, code)
    if not is_valid:
        await _record_refusal(ctx, pending, origin, proof)
        raise validation_error(Problem("code", "totp_wrong" if is_totp else "recovery_wrong"))
    if proof is Proof.RECOVERY_CODE:
        async with ctx.db.write() as tx:
            left = await second_factors.count_recovery_codes(tx, pending.user.id)
            await security_notices.announce(
                ctx,
                tx,
                NoticeKind.RECOVERY_CODE_USED,
                shop_id=pending.shop.id,
                user_id=pending.user.id,
                origin=origin,
                subject=str(left),
            )
    return await _finish(ctx, pending, proof, origin, device)


async def finish_by_passkey(
    ctx: Context,
    pending: Session,
    credential: str,
    ticket: str,
    origin: Origin,
    device: str,
) -> NewSession:
    """Finish a sign-in by a passkey. Raises RefusedError like `finish_by_code`."""
    await ctx.limiter.require_after_delay(SECOND_FACTOR, pending.user.id)
    user = pending.user
    try:
        await passkeys.verify(ctx, credential, ticket, user, require_user_verification=False)
    except RefusedError:
        await _record_refusal(ctx, pending, origin, Proof.PASSKEY)
        raise
    return await _finish(ctx, pending, Proof.PASSKEY, origin, device)


async def _record_refusal(ctx: Context, pending: Session, origin: Origin, proof: Proof) -> None:
    """Record a wrong second step: somebody has the password."""
    user_id, shop_id = pending.user.id, pending.shop.id
    record(SecurityEvent.SECOND_FACTOR_FAILED, ip=origin.address, user_id=user_id, shop_id=shop_id)
    async with ctx.db.write() as tx:
        await audit_log.record_for_chain(
            ctx, tx, shop_id, "", origin, Deed.FACTOR_REFUSED, user_id, factor=str(proof)
        )


async def _finish(
    ctx: Context, pending: Session, proof: Proof, origin: Origin, device: str
) -> NewSession:
    await ctx.limiter.clear(SECOND_FACTOR, pending.user.id)
    return await open_session(
        ctx,
        pending.user,
        frozenset({Proof.PASSWORD, proof}),
        origin,
        device=device,
        replaces=pending.secret_hash,
    )


async def cancel(ctx: Context, pending: Session) -> None:
    """End a sign-in whose second step is missing."""
    async with ctx.db.write() as tx:
        await sessions.delete(tx, pending.secret_hash)


async def sign_in_by_passkey(
    ctx: Context,
    credential: str,
    ticket: str,
    origin: Origin,
    device: str,
    *,
    earlier_secret: str = "",
) -> NewSession:
    """Sign in by a passkey alone. It must have asked for a PIN, a finger or a face.

    `earlier_secret`: the secret of an earlier session of this browser, which ends.

    Raises RefusedError: "validation", "forbidden" for a user without a shop.
    """
    passkey = await passkeys.verify(ctx, credential, ticket, None, require_user_verification=True)
    async with ctx.db.read() as tx:
        user = await users.get(tx, passkey.user_id)
    assert user is not None, "a passkey has a user"
    proofs = frozenset({Proof.PASSKEY})
    return await open_session(
        ctx, user, proofs, origin, device=device, earlier_secret=earlier_secret
    )


async def remove_all(ctx: Context, login: str) -> User:
    """Delete every second factor of a user and end the sessions, for somebody who has lost them.

    For the administrator of the server. Raises RefusedError("not_found").
    """
    async with ctx.db.write() as tx:
        user = await users.find_by_login(tx, normalize_login(login))
        if user is None:
            raise RefusedError("not_found", what="user")
        await second_factors.remove_all(tx, user.id)
        await sessions.delete_all(tx, user.id)
        membership = await members.find_earliest_membership(tx, user.id)
        if membership:
            await security_notices.announce(
                ctx,
                tx,
                NoticeKind.FACTOR_REMOVED,
                shop_id=membership[0],
                user_id=user.id,
                origin=NO_ORIGIN,
                subject="all:",
            )
        await audit_log.record_for_chain(
            ctx,
            tx,
            membership[0] if membership else INSTALLATION,
            COMMAND_LINE,
            NO_ORIGIN,
            Deed.FACTOR_REMOVED,
            user.id,
            factor="all",
        )
    return user
