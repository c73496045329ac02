<%
    types = [name for name in ("BigInt", "Flag", "TextC") if name in upgrades + downgrades]
%>\
"""${message}.

Works on both databases: column types come from `sigma.store.schema.columns`. Tables are changed in
`op.batch_alter_table`, because SQLite must copy a table to change it.
"""

import sqlalchemy as sa
from alembic import op
% if types:

from sigma.store.schema.columns import ${", ".join(types)}
% endif

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
