"""Sigma's own processes: started, killed, stopped, started again.

They are forked from a process that has imported Sigma and done nothing else (`forkserver`): the
imports of a hundred starts would otherwise take most of the time of a run.
"""

import asyncio
import contextlib
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

import httpx

READY_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
LOG_LINES = 400  # of each process: shown when the run fails

# Log entries about defects, not about an outage.
DEFECT_EVENTS = ("Traceback", "request.failed", "job.failed", "worker.failed", "stop.forced")

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["sigma.cli.servers", "sigma.main", "sigma.web.app"])


def run_command(arguments: list[str], settings: Mapping[str, str], log: Connection) -> None:
    """Run a command of Sigma in this new process, with its log going to `log`."""
    os.setpgid(0, 0)  # Ctrl-C stops the harness, which then stops its processes
    threading.Thread(target=_end_with_harness, daemon=True).start()
    os.dup2(log.fileno(), sys.stderr.fileno())
    for name in [name for name in os.environ if name.startswith("SIGMA_")]:
        del os.environ[name]
    os.environ.update(settings)
    from sigma.cli import main

    main(arguments, prog_name="sigma")


def _end_with_harness() -> None:
    """End this process when the harness has ended without stopping it, killed itself."""
    harness = multiprocessing.parent_process()
    assert harness is not None
    harness.join()
    os._exit(1)


def free_ports(count: int) -> list[int]:
    """Return ports that are free now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


class SigmaProcess:
    """One `sigma serve` (with a port) or `sigma worker` that can be started many times.

    `log` has its last log lines, `tracebacks` those lines that report a defect.
    """

    def __init__(self, name: str, settings: Mapping[str, str], port: int | None = None) -> None:
        self.name = name
        self.port = port
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.tracebacks: list[str] = []
        self.is_ready = False
        self._has_spoken = False  # since the last start
        self._settings = settings
        self._process: ForkServerProcess | None = None
        self._starting: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def is_server(self) -> bool:
        """Whether it answers requests."""
        return self.port is not None

    @property
    def pid(self) -> int:
        """The process id. Raises AssertionError before the first start."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the process; it is not ready yet."""
        self._has_spoken = False
        # Shielded: a harness that is interrupted meanwhile must find the process to end it.
        self._starting = asyncio.create_task(self._spawn())
        await asyncio.shield(self._starting)

    async def _spawn(self) -> None:
        arguments = ["serve", "--port", str(self.port)] if self.is_server else ["worker"]
        reader, writer = _forks.Pipe(duplex=False)
        self._process = _forks.Process(
            target=run_command, args=(arguments, dict(self._settings), writer), daemon=True
        )
        await asyncio.to_thread(self._process.start)
        writer.close()
        self._reading = asyncio.create_task(self._read_log(reader))

    async def wait_until_ready(self) -> None:
        """Wait until it can work. Raises TimeoutError, RuntimeError when it has ended."""
        async with asyncio.timeout(READY_TIMEOUT_S), httpx.AsyncClient(verify=False) as http:
            while not await self._can_work(http):
                if self._process is None or not self._process.is_alive():
                    raise RuntimeError(f"{self.name} has ended:\n" + "\n".join(self.log))
                await asyncio.sleep(0.05)
        self.is_ready = True

    async def _can_work(self, http: httpx.AsyncClient) -> bool:
        """Whether a server answers that it is ready, whether a worker says that it works."""
        if not self.is_server:
            return self._has_spoken
        with contextlib.suppress(httpx.TransportError):
            return (await http.get(f"http://127.0.0.1:{self.port}/readyz")).is_success
        return False

    def send_kill(self) -> None:
        """Send SIGKILL now, without waiting for the end; call `kill` afterwards."""
        if self._process is not None and self._process.pid is not None:
            self._process.kill()

    async def kill(self) -> None:
        """Kill the process as `kill -9` does."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> float:
        """Stop the process by SIGTERM; return how many seconds it took."""
        started = time.monotonic()
        await self._end(signal.SIGTERM)
        return time.monotonic() - started

    async def _end(self, number: signal.Signals) -> None:
        if self._starting is None:
            return  # it was never started
        self.is_ready = False
        await self._starting
        assert self._process is not None
        assert self._reading is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        await asyncio.to_thread(self._process.join, STOP_TIMEOUT_S)
        if self._process.is_alive():
            self.tracebacks.append(f"{self.name} did not end in {STOP_TIMEOUT_S} s")
            self._process.kill()
            await asyncio.to_thread(self._process.join)
        await self._reading
        self._process.close()
        self._process = self._starting = None

    def limit_file_size(self, size_bytes: int) -> None:
        """Let every write to a file beyond `size_bytes` fail, as on a full disk; -1: no limit."""
        hard = resource.RLIM_INFINITY
        soft = hard if size_bytes < 0 else size_bytes
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (soft, hard))

    async def _read_log(self, log: Connection) -> None:
        reader = asyncio.StreamReader(limit=1 << 20)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), log
        )
        while line := (await reader.readline()).decode(errors="replace").rstrip():
            self.log.append(line)
            self._has_spoken = True
            if any(event in line for event in DEFECT_EVENTS):
                self.tracebacks.append(f"{self.name}: {line[:3000]}")
        transport.close()
