"""TCP ports on the loopback interface: finding free ones, and saying who holds a taken one."""

from __future__ import annotations

import errno
import http.client
import random
import socket

import psutil

LOOPBACK = "127.0.0.1"

# Below the range from which kernels take ports for outgoing connections (32768 on Linux, 49152 on others),
# so that a port found free is not taken by a client before its server has bound it.
_LOWEST, _HIGHEST = 20_000, 32_000

_random = random.SystemRandom()
_given: set[int] = set()


class PortTakenError(RuntimeError):
    """A port that was asked for is in use."""


def free_port() -> int:
    """A port that nobody listens on now and that this process was not given before."""
    for _ in range(1000):
        port = _random.randint(_LOWEST, _HIGHEST)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise PortTakenError(f"no free port found between {_LOWEST} and {_HIGHEST} on {LOOPBACK}")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, so that the lingering connections of one that has just ended are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def ensure_free(port: int, remedy: str) -> None:
    """Raise PortTakenError, naming the holder where the system tells and `remedy`, if `port` is taken."""
    try:
        if is_free(port):
            return
    except PermissionError:
        raise PortTakenError(
            f"port {port} on {LOOPBACK} may not be opened by an ordinary user; {remedy}"
        ) from None
    holder = _holder(port)
    by = f" by {holder}" if holder else ""
    raise PortTakenError(f"port {port} on {LOOPBACK} is taken{by}; stop it, or {remedy}")


def is_listening(port: int) -> bool:
    """Whether a server accepts connections on `port`."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def answers(port: int, path: str, status: int = 200) -> bool:
    """Whether a GET of `path` on `port` is answered with `status`; OSError while nobody listens."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == status
    except http.client.HTTPException:
        return False
    finally:
        connection.close()


def _holder(port: int) -> str | None:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and getattr(connection.laddr, "port", None) == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        # Other users' sockets are not shown to everyone: the message does without the name.
        return None
    return None
