"""Password hashing with argon2id, in a bounded queue in front of threads of its own.

One hash takes tens of milliseconds, 64 MiB of memory and four threads. So one runs at a time, a
few wait, more are refused, and no other work of the process waits for them.
"""

import asyncio
import functools
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from sigma.domain.limits import too_many_requests
from sigma.domain.time_units import SECOND_US

HASH_THREADS = 1  # argon2 itself uses four threads for a hash
MAX_WAITING = 16  # hashes that wait for a thread
RESERVED_FOR_KNOWN = 8  # of these, for sign-ins from known devices and for open sessions
BUSY_WAIT_US = 3 * SECOND_US  # when a refused sign-in may try again

ResultT = TypeVar("ResultT")


class PasswordHashing:
    """Hashes and verifies passwords.

    `hasher`: cost of a hash; the default has the parameters that RFC 9106 recommends.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._executor = ThreadPoolExecutor(HASH_THREADS, thread_name_prefix="argon2")
        self._lock = threading.Lock()  # `_release` runs in the thread of the hash
        self._pending_count = 0

    def require_capacity(self, *, is_known: bool) -> None:
        """Raise RefusedError("too_many_requests") when the queue is full.

        `is_known`: the request comes from a known device or an open session, so that it may use
        the whole queue; others may not use its last RESERVED_FOR_KNOWN places.
        """
        free = HASH_THREADS + MAX_WAITING - self._pending_count
        if free <= (0 if is_known else RESERVED_FOR_KNOWN):
            raise too_many_requests(BUSY_WAIT_US)

    async def hash(self, password: str, *, is_known: bool = False) -> str:
        """Return the argon2id hash of a password, with its salt and parameters.

        Raises RefusedError("too_many_requests") when the queue is full.
        """
        return await self._run(lambda: self._hasher.hash(password), is_known)

    async def verify(
        self, password_hash: str | None, password: str, *, is_known: bool = False
    ) -> bool:
        """Whether the password has this hash. Without a hash: False after the same time.

        So the time of an answer does not tell whether a login exists. Raises
        RefusedError("too_many_requests") when the queue is full.
        """
        return await self._run(lambda: self._verify(password_hash, password), is_known)

    def needs_rehash(self, password_hash: str) -> bool:
        """Return whether a stored hash was made with other parameters than new ones are."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _run(self, work: Callable[[], ResultT], is_known: bool) -> ResultT:
        self.require_capacity(is_known=is_known)
        with self._lock:
            self._pending_count += 1
        future = self._executor.submit(work)
        # Not in `finally`: a cancelled request leaves its hash running in the thread.
        future.add_done_callback(self._release)
        return await asyncio.wrap_future(future)

    def _release(self, _: Future[Any]) -> None:
        with self._lock:
            self._pending_count -= 1

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            self._hasher.verify(password_hash or self._dummy_hash, password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        return password_hash is not None

    @functools.cached_property
    def _dummy_hash(self) -> str:
        return self._hasher.hash(secrets.token_hex())
