"""An engine's virtual file as our own window reads it: from a Unix socket into mpv's own buffer.

FFmpeg's HTTP client would read 32 KiB at a time and copy it once more. The requests are the same:
HTTP with a range. mpv calls ``read_into`` and ``seek`` on its demuxer's thread, ``cancel`` on any.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
from contextlib import suppress
from ctypes import c_char
from typing import Final

from rtvfi.stream.serve.peer import SCHEME, is_peer_another_user

log = logging.getLogger(__name__)

_ADDRESS: Final = re.compile(
    rf"{SCHEME}://({SCHEME}-[0-9a-f]{{32}})(/[\w-]+/[\w.]+)#([0-9]{{1,18}})", re.ASCII
)
"""A playlist may name others: no other socket is reached, and a path says nothing but a path."""
_END: Final = b"\r\n\r\n"
_MOST_HEAD_BYTES: Final = 1 << 12
_WHOLE_BYTES: Final = 1 << 18
"""A read of so much is part of a picture and waits for all of it. A smaller one fills mpv's buffer,
and may ask for more than mpv needs now.
"""
_NEAR_BYTES: Final = 1 << 19
"""A seek so far ahead reads on if everything up to there has arrived."""


class ServedFile:
    """One file of an engine; it connects at the first read, and anew after a seek.

    Args:
        address: its address; see ``SCHEME``.

    Raises:
        ValueError: this is no such address.
    """

    def __init__(self, address: str) -> None:
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise ValueError("no engine has such an address")
        self._host, self._path, size = found.groups()
        self.size = int(size)
        self._wanted = 0
        """Offset that the player reads next."""
        self._offset = 0
        """Offset of the next byte from the connection."""
        self._guard = threading.Lock()
        """For the two below; never held while waiting."""
        self._connection: socket.socket | None = None
        self._is_cancelled = False

    def read_into(self, address: int, num_bytes: int) -> int:
        """Write up to ``num_bytes`` to memory at ``address``.

        A connection that ends too early is replaced once.

        Returns:
            Their number; 0 at the end of the file, -1 if the engine gives nothing or after
            ``cancel``.
        """
        num_bytes = min(num_bytes, self.size - self._wanted)
        if num_bytes <= 0:
            return 0
        memory = (c_char * num_bytes).from_address(address)
        flags = socket.MSG_WAITALL if num_bytes >= _WHOLE_BYTES else 0
        for _ in range(2):
            try:
                count = self._connected().recv_into(memory, num_bytes, flags)
            except OSError as error:
                log.debug("an engine cannot be read: %s", error)
                count = 0
            if count:
                self._offset = self._wanted = self._wanted + count
                return count
            self._hang_up()
        return -1

    def seek(self, offset: int) -> int:
        """Set the position and return it."""
        self._wanted = offset
        return offset

    def cancel(self) -> None:
        """Make a blocked read, and all later ones, return at once."""
        with self._guard:
            self._is_cancelled = True
            if self._connection is not None:
                with suppress(OSError):  # it has ended by itself
                    self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection."""
        self._hang_up()

    def _connected(self) -> socket.socket:
        """The connection, at the wanted position.

        Raises:
            OSError: there is none to be had.
        """
        connection = self._connection
        if connection is not None and self._skipped(connection):
            return connection
        self._hang_up()
        connection = socket.socket(socket.AF_UNIX)
        with self._guard:
            self._connection = connection  # from now on ``cancel`` reaches it
        connection.setblocking(False)  # an engine that hangs refuses rather than keeps us waiting
        connection.connect(f"\0{self._host}")
        connection.setblocking(True)
        if is_peer_another_user(connection):
            raise ConnectionRefusedError("the socket belongs to another user")
        if self._is_cancelled:  # perhaps before there was anything to shut down
            raise ConnectionAbortedError("cancelled")
        lines = f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nRange: bytes={self._wanted}-"
        connection.sendall(lines.encode() + _END)
        _take_head(connection)
        self._offset = self._wanted
        return connection

    def _skipped(self, connection: socket.socket) -> bool:
        """Go to the wanted position within what has arrived; False if that is not possible."""
        if not 0 <= self._wanted - self._offset <= _NEAR_BYTES:
            return False
        while left := self._wanted - self._offset:
            try:
                count = len(connection.recv(left, socket.MSG_DONTWAIT))
            except OSError:
                return False
            if not count:
                return False
            self._offset += count
        return True

    def _hang_up(self) -> None:
        with self._guard:
            if self._connection is not None:
                self._connection.close()
            self._connection = None


def _take_head(connection: socket.socket) -> None:
    """Read an answer up to its first byte of content.

    Raises:
        OSError: it is not the wanted range, or the connection has ended.
    """
    head = b""
    while not head.endswith(_END):
        seen = connection.recv(_MOST_HEAD_BYTES, socket.MSG_PEEK)
        end = (head + seen).find(_END)
        num_taken = len(seen) if end < 0 else end + len(_END) - len(head)
        head += connection.recv(num_taken)
        if not seen or len(head) > _MOST_HEAD_BYTES:
            raise ConnectionError("no answer")
    if not head.startswith(b"HTTP/1.1 206 "):
        raise ConnectionError(head.partition(b"\r\n")[0].decode("latin-1"))
