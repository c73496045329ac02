"""Run one of Sigma's programs on an untrusted file, in a process of its own with limits.

Decoders of images and spreadsheets are written in C and Rust: a small file can make them allocate
any amount of memory, and some abort their process then. So the process has limits, and only that
process ends.

Also the first program of that process: `python -I limited_process.py MEMORY_BYTES CPU_SECONDS
PROGRAM ARGUMENTS…`. Imports nothing of Sigma: it starts fast.
"""

import asyncio
import contextlib
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one process: address space, processor time and real time."""

    memory_bytes: int
    cpu_s: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """Exit code and output. `exit_code` None: the process did not end in time."""

    exit_code: int | None
    stdout: bytes


class Processes:
    """The limited processes of this one, so that a stop need not wait for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_ended = False

    def run(self, program: str, *arguments: str, data: bytes, limits: Limits) -> Result:
        """Run the Python program (a path) with `data` on its stdin.

        Blocks: call it from a thread. After `end` nothing is run.
        """
        with self._lock:  # `end` must not miss a process that is just starting
            if self._is_ended:
                return Result(None, b"")
            process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                [*_command(limits), program, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._running.add(process)
        with process:
            try:
                stdout, _ = process.communicate(data, timeout=limits.timeout_s)
            except subprocess.TimeoutExpired:
                return Result(None, b"")
            finally:
                process.kill()  # does nothing when it has ended
                with self._lock:
                    self._running.discard(process)
        return Result(process.returncode, stdout)

    def end(self) -> None:
        """End all running processes, and let no other begin: the calls of `run` return."""
        with self._lock:
            self._is_ended = True
            for process in self._running:
                process.kill()


def _command(limits: Limits) -> list[str]:
    return [sys.executable, "-I", __file__, str(limits.memory_bytes), str(limits.cpu_s)]


_PROCESSES = Processes()
run = _PROCESSES.run
end_all = _PROCESSES.end


class SerialExecutor:
    """Runs blocking calls in a thread of its own, one at a time.

    So only one of them needs memory at a time, and the threads of `asyncio.to_thread` stay free
    for other work.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"sigma-{name}")

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return the result of the call, which starts when the earlier calls have ended."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, partial(work, *args, **kwargs))


def limit_process(memory_bytes: int, cpu_s: int) -> None:
    """Limit memory and processor time, where the system can (not on Windows)."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    limit_process(int(sys.argv[1]), int(sys.argv[2]))
    sys.argv = sys.argv[3:]
    runpy.run_path(sys.argv[0], run_name="__main__")
