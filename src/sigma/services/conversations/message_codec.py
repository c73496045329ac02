"""What was written, sealed and opened: bodies of messages and the line of a list that shows the
last of them.
"""

import msgspec

from sigma.domain.messaging.message import Body
from sigma.store.encryption import Sealer

PREVIEW = 160  # characters


def seal(sealer: Sealer, body: Body) -> str:
    """A body as it is kept."""
    return sealer.seal(body)


def read(sealer: Sealer, sealed: str) -> Body:
    """What was sealed. Raises Unsealable."""
    return msgspec.convert(sealer.open(sealed), Body)


def line_of(body: Body) -> str:
    """The one line of a body; of one without words the kind of what hangs on it: "[photo]"."""
    line = " ".join(body.text.split())[:PREVIEW]
    kinds = [shown.kind for shown in body.attachments] or ["photo"] * bool(body.attachment)
    return line or (f"[{kinds[0]}]" if kinds else "")


def seal_preview(sealer: Sealer, body: Body) -> str:
    """That line as it is kept."""
    return sealer.seal(line_of(body))


def read_preview(sealer: Sealer, sealed: str) -> str:
    """The line that was sealed; empty when nothing was written yet. Raises Unsealable."""
    return str(sealer.open(sealed)) if sealed else ""
