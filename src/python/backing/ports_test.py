"""Ports: found free, and explained when taken."""

from __future__ import annotations

import socket

import pytest

from backing.ports import LOOPBACK, PortTakenError, ensure_free, free_port, is_free, is_listening


def test_free_ports_are_free_and_never_given_twice() -> None:
    """Parts started together must not be given one port."""
    ports = [free_port() for _ in range(50)]
    assert 50 == len(set(ports))
    assert all(is_free(port) for port in ports)


def test_a_taken_port_is_named_with_its_holder_and_the_way_out() -> None:
    """The message says which port, who holds it and what to do."""
    with socket.socket() as server:
        server.bind((LOOPBACK, 0))
        server.listen()
        port = server.getsockname()[1]
        assert is_listening(port)
        with pytest.raises(PortTakenError, match=rf"port {port} .*taken by .*\(pid \d+\).*--port"):
            ensure_free(port, "choose another with --port")


def test_a_free_port_passes() -> None:
    """ensure_free says nothing about a port that can be had."""
    ensure_free(free_port(), "choose another with --port")
