"""Open the database of a URL.

`engine/interface.py` defines the interface, `engine/sqlite.py` and `engine/postgres.py` implement
it, `engine/statements.py` prepares the SQL that both run.
"""

from sqlalchemy import MetaData

from sigma.store.engine.interface import Database, Op, UnreachableError
from sigma.store.engine.postgres import open_postgres
from sigma.store.engine.sqlite import open_sqlite
from sigma.store.engine.statements import statement, upsert
from sigma.store.schema.all_tables import ALL_TABLES
from sigma.store.schema.process_tables import write_probes

_write_probe = statement(upsert(write_probes, ["id"], ["written_at_us"]))


async def open_database(
    url: str, *, pool_size: int = 8, metadata: MetaData = ALL_TABLES
) -> Database:
    """Open `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.

    `pool_size` is the maximum number of PostgreSQL connections. `metadata` (Sigma's tables by
    default) gives unique keys their names on SQLite.

    Raises UnreachableError; its message is one line.
    """
    if url.startswith("sqlite:"):
        return await open_sqlite(url, metadata, reader_threads=2)
    if url.startswith(("postgresql:", "postgres:")):
        return await open_postgres(url, pool_size=pool_size)
    raise UnreachableError(
        f"unknown kind of database: {url.split(':', 1)[0]}; use sqlite or postgresql"
    )


async def write_probe(db: Database, now_us: int) -> None:
    """Commit a write that changes nothing of value: it shows whether writes reach the disk.

    Raises NotWritableError or another StoreError.
    """
    await db.commit([Op(_write_probe, {"id": "probe", "written_at_us": now_us})])
