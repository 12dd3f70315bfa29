from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from miyabi.localcloud.supervisor import wire
from miyabi.localcloud.supervisor.connection import Connection


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield Connection(near), far


def test_lines_come_whole_however_they_are_cut(pair: tuple[Connection, socket.socket]) -> None:
    connection, far = pair
    far.sendall(b'{"a"')
    assert connection.receive() == []
    far.sendall(b":1}\n\n  \n{}\n{")
    assert connection.receive() == [b'{"a":1}', b"{}"]
    assert connection.receive() == []


def test_a_line_that_is_too_long_is_refused_and_the_next_one_is_read(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, far = pair
    for _ in range((wire.LONGEST_LINE >> 16) + 3):
        far.sendall(b"x" * (1 << 16))
        assert connection.receive() == []
    far.sendall(b'tail\n{"op":"list"}\n')
    assert connection.receive() == [b'{"op":"list"}']
    assert json.loads(far.recv(4096))["code"] == wire.INVALID


def test_the_end_of_the_client_is_an_error(pair: tuple[Connection, socket.socket]) -> None:
    connection, far = pair
    far.close()
    with pytest.raises(ConnectionError):
        connection.receive()


def test_a_slow_client_is_waited_for_and_one_that_never_reads_is_not(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, far = pair
    text = "x" * 1_000_000
    connection.send({"text": text})
    assert connection.backlog > 0
    received = b""
    while connection.backlog or not received.endswith(b"\n"):
        received += far.recv(1 << 20)
        connection.flush()
    assert json.loads(received) == {"text": text}

    def send_for_ever() -> None:
        while True:
            connection.send({"text": text})

    with pytest.raises(ConnectionError, match="does not read"):
        send_for_ever()
