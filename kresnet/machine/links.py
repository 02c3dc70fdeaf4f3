"""Links: connections of process 0 of a team with each of the others.

By them the processes meet, exchange what is not computed with, and notice at
once when one is gone.
"""

import json
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable

LENGTH = struct.Struct("!Q")
# A greeting is one line of JSON.
LONGEST_GREETING = 4_096


class LinkLostError(ConnectionError):
    """The process at the other end of a link is gone, or does not answer."""


class Link:
    """A connection to one other process; both send whole messages.

    Args:
        connection: Is connected. It is closed with the link.
        seconds: A process that is silent for so long is taken for lost.
    """

    def __init__(self, connection: socket.socket, seconds: float):
        connection.settimeout(None)
        set_option = connection.setsockopt
        set_option(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The systems at both ends ask each other, whatever the processes do.
        set_option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in {
            "TCP_KEEPIDLE": seconds // 6,
            "TCP_KEEPINTVL": seconds // 6,
            "TCP_KEEPCNT": 5,
            "TCP_USER_TIMEOUT": seconds * 1_000,
        }.items():
            if hasattr(socket, name):  # not all systems have all of them
                option = getattr(socket, name)
                set_option(socket.IPPROTO_TCP, option, int(value))
        self._connection = connection
        self._received: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def watch(self, lost: Callable[[str], None]) -> None:
        """Reads from now on in a thread, which says why the link ends."""
        threading.Thread(target=self._read, args=[lost], daemon=True).start()

    def send(self, data: bytes) -> None:
        """Sends a message; raises a LinkLostError."""
        try:
            self._connection.sendall(LENGTH.pack(len(data)) + data)
        except OSError as error:
            raise LinkLostError(str(error)) from error

    def receive(self) -> bytes:
        """Returns the next message; raises a LinkLostError."""
        data = self._received.get()
        if data is None:
            self._received.put(None)  # for who asks again
            raise LinkLostError("a process has closed its connection")
        return data

    def _read(self, lost):
        reason = "a process has closed its connection"
        try:
            while head := self._exactly(LENGTH.size):
                (size,) = LENGTH.unpack(head)
                if (data := self._exactly(size)) is None:
                    break
                self._received.put(data)
        except OSError as error:
            reason = error.strerror or str(error)
        self._received.put(None)
        lost(reason)

    def _exactly(self, size: int) -> bytes | None:
        """Returns so many bytes; `None` where the connection ends before."""
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = self._connection.recv_into(view)
            if not count:
                return None
            view = view[count:]
        return bytes(data)


def greet(
    address: tuple[str, int], greeting: dict, seconds: float
) -> tuple[socket.socket, list[dict]]:
    """Connects to process 0, and returns everybody's greeting too.

    An OSError if it cannot be reached within the time, a ValueError if what
    answers is no process 0 of such a team.
    """
    give_up = time.monotonic() + seconds
    while True:
        left = give_up - time.monotonic()
        try:
            connection = socket.create_connection(address, max(1, left))
            break
        except OSError:
            if left <= 0:
                raise
            time.sleep(0.2)  # it does not listen yet
    connection.settimeout(max(1, give_up - time.monotonic()))
    try:
        connection.sendall(json.dumps(greeting).encode() + b"\n")
        return connection, json.loads(_line(connection, 2**24))
    except BaseException:
        connection.close()
        raise


def receive_greetings(
    server: socket.socket, own: dict, count: int, seconds: float
) -> tuple[dict[int, socket.socket], list[dict]]:
    """Waits as process 0 for all others, and tells everybody all greetings.

    A greeting has the `index` of its process and the `count` that it knows;
    its `host` is filled in here, as the others can reach it. Whoever says
    something else is not let in. A TimeoutError says which did not come.
    """
    give_up = time.monotonic() + seconds
    met: dict[int, socket.socket] = {}
    greetings = {0: own}
    while len(greetings) < count:
        server.settimeout(max(0.01, give_up - time.monotonic()))
        try:
            connection, address = server.accept()
        except TimeoutError:
            missing = sorted(set(range(count)) - set(greetings))
            listed = ", ".join(map(str, missing))
            raise TimeoutError(f"process {listed} did not come") from None
        connection.settimeout(10)
        try:
            greeting = json.loads(_line(connection, LONGEST_GREETING))
            index = greeting["index"]
            if greeting["count"] != count or index not in range(1, count):
                raise ValueError(index)
        except (OSError, ValueError, KeyError, TypeError):
            connection.close()
            continue
        if index in met:  # it was started again
            met[index].close()
        met[index] = connection
        # That of an IPv4 socket reads ::ffff:10.0.0.2 where both are heard.
        host = address[0].removeprefix("::ffff:")
        greetings[index] = {**greeting, "host": host}
    everybody = [greetings[i] for i in range(count)]
    for connection in met.values():
        connection.sendall(json.dumps(everybody).encode() + b"\n")
    return met, everybody


def _line(connection: socket.socket, longest: int) -> bytes:
    """Reads up to the end of a line, and nothing after it."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte or len(line) >= longest:
            raise ConnectionError("no greeting")
        line += byte
    return line
