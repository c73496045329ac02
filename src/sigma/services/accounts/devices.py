"""Known devices: browsers in which an account has signed in before.

Their attempts are counted apart, so that strangers who guess a password cannot keep the owner out.
The proof in the cookie includes the hash of the password: after a change of the password no older
cookie is known.
https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
"""

import hmac
import secrets

from sigma.domain.time_units import DAY_US
from sigma.services.context import Context
from sigma.store.encryption import HashPurpose

DEVICE_DAYS = 365  # how long a device stays known
RENEWAL_DAYS = 180  # an older device gets a new id when it signs in
MAX_ACCOUNTS = 4  # accounts that one browser is known for
MAX_COOKIE_CHARS = 400


def find_device(ctx: Context, cookie: str, login: str, password_hash: str) -> str | None:
    """Return the id of the device in a cookie, or None when it is not known for this account.

    `password_hash`: the stored one of the account.
    """
    device, proofs = _parse_cookie(ctx, cookie)
    expected = _account_proof(ctx, device, login, password_hash)
    is_known = any(hmac.compare_digest(proof.encode(), expected.encode()) for proof in proofs)
    return device if device and is_known else None


def device_cookie(ctx: Context, cookie: str, login: str, password_hash: str) -> str:
    """Return the cookie of a device that has just signed in to an account or changed its password.

    `cookie`: the one that it sent; it stays known for the accounts of that one. `password_hash`:
    the stored one of the account.
    """
    device, proofs = _parse_cookie(ctx, cookie)
    if not device or _age_days(ctx, device) > RENEWAL_DAYS:
        device, proofs = f"{ctx.now_us() // DAY_US}-{secrets.token_urlsafe(16)}", []
    proof = _account_proof(ctx, device, login, password_hash)
    proofs = [*(other for other in proofs if other != proof), proof][-MAX_ACCOUNTS:]
    return ".".join((device, _device_proof(ctx, device), *proofs))


def _parse_cookie(ctx: Context, cookie: str) -> tuple[str, list[str]]:
    """Return device id and proofs of accounts; ("", []) unless we issued the id recently."""
    if not cookie.isascii() or len(cookie) > MAX_COOKIE_CHARS or cookie.count(".") < 2:
        return "", []
    device, own_proof, *proofs = cookie.split(".")
    if not hmac.compare_digest(own_proof.encode(), _device_proof(ctx, device).encode()):
        return "", []
    return (device, proofs) if _age_days(ctx, device) <= DEVICE_DAYS else ("", [])


def _age_days(ctx: Context, device: str) -> int:
    return ctx.now_us() // DAY_US - int(device.partition("-")[0])


def _device_proof(ctx: Context, device: str) -> str:
    return ctx.cipher.keyed_hash(HashPurpose.DEVICE, device)


def _account_proof(ctx: Context, device: str, login: str, password_hash: str) -> str:
    return ctx.cipher.keyed_hash(HashPurpose.DEVICE_ACCOUNT, device, login, password_hash)
