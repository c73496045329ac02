"""Download the file of an export: in a session, with an API key, or by a link that expires."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from sigma.documents.tables import xlsx_table
from sigma.domain.accounts.member import Member
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import RefusedError
from sigma.domain.exports.export import Export, FileFormat, FilePart
from sigma.domain.origin import Origin
from sigma.services.context import Context
from sigma.services.exports import exports
from sigma.services.platform import audit_log
from sigma.store.accounts import api_keys, members
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import Cipher, SignaturePurpose
from sigma.store.engine.interface import Tx
from sigma.store.exports import exports as rows

MEDIA_TYPES = {
    FileFormat.CSV: "text/csv",  # the response adds the charset
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file that is ready. `chunks` reads it once, a part at a time."""

    name: str
    media_type: str
    size_bytes: int
    chunks: AsyncIterator[bytes]


def link(ctx: Context, member: Member, export: Export) -> str:
    """Return a URL by which a member downloads the file until `Export.link_expiry_us`.

    It needs no session, and ends sooner with the member's right to the file. It is signed, not
    stored: a later link has another end.
    """
    expires_at_us = export.link_expiry_us(ctx.now_us())
    purpose = SignaturePurpose.EXPORT_LINK
    raw = ctx.cipher.sign(purpose, export.id, member.actor, str(expires_at_us))
    signature = base64.urlsafe_b64encode(raw).decode()
    path = f"/exports/{export.id}/{member.actor}/{expires_at_us}/{signature}"
    return ctx.settings.base_url + path


async def open_file(ctx: Context, member: Member, export_id: str) -> ExportFile:
    """Return the file of an export; the download is recorded in the audit log.

    Raises RefusedError: "not_found" also for an expired or unfinished one, "forbidden".
    """
    return await _open(ctx, member, await exports.get(ctx, member, export_id), "session")


async def open_link(
    ctx: Context, export_id: str, actor: str, expires_at: str, signature: str, origin: Origin
) -> ExportFile:
    """Return the file that a link of `link` names. Raises RefusedError("not_found").

    The download is recorded as that of the member to whom the link was given (`actor`), from the
    address of whoever opens it.
    """
    if not _is_valid(ctx, export_id, actor, expires_at, signature):
        raise RefusedError("not_found", what="export")
    async with ctx.db.read() as tx:
        export = await rows.get(tx, export_id)
        holder = await _find_holder(tx, export.shop_id, actor, ctx.now_us()) if export else None
    if export is None or holder is None or not exports.can_read(holder, export):
        raise RefusedError("not_found", what="export")
    return await _open(ctx, replace(holder, origin=origin), export, "link")


async def _find_holder(tx: Tx, shop_id: str, actor: str, now_us: int) -> Member | None:
    """Return a person or API key with the rights of this moment; None for one without any."""
    if not actor.startswith("key_"):
        role = await members.find_role(tx, shop_id, actor)
        return Member(actor, shop_id, role) if role else None
    found = await api_keys.find_by_id(tx, shop_id, actor)
    if found is None or found.role is None or found.key.is_expired(now_us):
        return None
    return Member(actor, shop_id, found.role, scopes=frozenset(found.key.scopes))


def _is_valid(ctx: Context, export_id: str, actor: str, expires_at: str, signature: str) -> bool:
    if not (expires_at.isascii() and expires_at.isdigit() and len(expires_at) < 20):
        return False
    try:
        raw = base64.b64decode(signature.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    purpose = SignaturePurpose.EXPORT_LINK
    is_signed = ctx.cipher.is_signature(raw, purpose, export_id, actor, expires_at)
    return is_signed and ctx.now_us() < int(expires_at)


async def _open(ctx: Context, member: Member, export: Export, way: str) -> ExportFile:
    if not export.is_ready(ctx.now_us()):
        raise RefusedError("not_found", what="export")
    chunks = _chunks(ctx, export)
    # Read before the response begins: a part that cannot be decrypted is refused with words.
    first = await anext(chunks)
    await audit_log.record_alone(
        ctx, member, Deed.EXPORT_DOWNLOADED, export.id, count=export.total, way=way
    )
    return ExportFile(
        export.file_name,
        MEDIA_TYPES[export.file_format],
        export.size_bytes,
        _with_first(first, chunks),
    )


async def _with_first(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in chunks:
        yield chunk


async def _chunks(ctx: Context, export: Export) -> AsyncIterator[bytes]:
    """Yield the file a part at a time. Raises DecryptionError."""
    is_csv = export.file_format is FileFormat.CSV
    package = exports.workbook_package(export)
    if not is_csv:
        yield package.start
    after_id = ""
    for _ in range(export.progress.part_count):
        async with ctx.db.read() as tx:
            part = await rows.next_part(tx, export.id, after_id)
        if part is None:
            return  # deleted meanwhile: the download ends short of its length
        after_id = part.id
        yield await asyncio.to_thread(_read_part, ctx.cipher, part, is_csv)
    if not is_csv:
        yield xlsx_table.END_OF_STREAM + package.end


def _read_part(cipher: Cipher, part: FilePart, is_csv: bool) -> bytes:
    body = cipher.decrypt(part.body_encrypted, EncryptedColumn.EXPORT_PART, part.id)
    packed = base64.b64decode(body)  # JSON has no bytes
    return xlsx_table.decompress(packed) if is_csv else packed
