"""Who paid, for the rows of a list: name and photo, e-mail or phone as the role may see them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.answers import Answers
from sigma.domain.billing.mail import mask_email
from sigma.domain.lists.contact_mask import mask_phone
from sigma.services.billing.answer_codec import read_values
from sigma.services.context import Context
from sigma.store.engine.interface import Tx
from sigma.store.lists import rows


@dataclass(frozen=True, slots=True)
class ClientLabel:
    """The client of a row; all parts may be empty.

    `contact` is the e-mail address or the phone; masked for a member who may not read answers, as
    the name of the answers is left out then. A VK profile is public.
    """

    name: str = ""
    photo_url: str = ""
    contact: str = ""
    conversation_id: str = ""

    def __bool__(self) -> bool:
        return bool(self.name or self.contact)


async def list_labels(
    ctx: Context, tx: Tx, member: Member, subjects: Mapping[str, tuple[str | None, str | None]]
) -> dict[str, ClientLabel]:
    """Return the clients by the keys of `subjects`: key → (payment id, conversation id)."""
    payment_ids = [payment_id for payment_id, _ in subjects.values() if payment_id]
    talk_ids = [talk_id for _, talk_id in subjects.values() if talk_id]
    answers = await rows.latest_answers(tx, payment_ids)
    profiles = await rows.profiles(tx, talk_ids)
    return {
        key: _label(ctx, member, answers.get(payment_id or ""), profiles, talk_id or "")
        for key, (payment_id, talk_id) in subjects.items()
    }


def _label(
    ctx: Context,
    member: Member,
    stored: Answers | None,
    profiles: Mapping[str, tuple[str, str]],
    talk_id: str,
) -> ClientLabel:
    name, photo_url = profiles.get(talk_id, ("", ""))
    values = (read_values(ctx.cipher, stored) or {}) if stored else {}
    given = {key: value for key, value in values.items() if isinstance(value, str)}
    email, phone = given.get("email", ""), given.get("phone", "")
    if member.can(Permission.READ_ANSWERS):
        return ClientLabel(name or given.get("name", ""), photo_url, email or phone, talk_id)
    masked = mask_email(email) if email else mask_phone(phone) if phone else ""
    return ClientLabel(name, photo_url, masked, talk_id)
