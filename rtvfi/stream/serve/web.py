"""Virtual files for players in other processes: HTTP with ranges, on this machine only.

Any player can read from the loopback address. An address there consists of a random port, a random
token and one file name. Nobody else can read the film: the path must contain the token; the
``Host`` header must be the address itself (a web page whose host name was rebound to this machine
sends another one); no web page may read an answer; and the client must be the same user, as far as
``/proc/net/tcp`` shows: connections of others are closed before a byte is read.

Our own window reads from a Unix socket instead (``apart/reader.py``): it has a random name and no
path in the file system, and the kernel always says which user is at the other end.

A player that seeks connects again: the newest connection reads, and the previous one ends.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import secrets
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import TYPE_CHECKING, Final

from rtvfi.stream.serve.peer import SCHEME, is_peer_another_user

if TYPE_CHECKING:
    Request = socket.socket | tuple[bytes, socket.socket]
    from rtvfi.stream.serve.frame_stream import FrameStream

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
_FILE: Final = "interpolated.mkv"
_PIECE_BYTES: Final = 1 << 20
_UNREAD_BYTES: Final = 1 << 19
"""What the kernel holds for a player. Linux would let it grow to 4 MiB, which no cache holds: a
picture of 1920x1080 then takes 1.5 ms of processor time on its way, and 1.0 ms with this bound.
"""
_TURN_SECONDS: Final = 0.005
"""Longest single wait: a player that seeks connects again, and its new connection waits until the
old one has noticed.
"""
_REQUEST_SECONDS: Final = 10.0
"""Longest wait for the lines of a request. Answers have no limit: a paused player may not read."""


@dataclass(slots=True)
class _Served:
    """A stream and its newest connection."""

    stream: FrameStream
    token: str
    reading: threading.Lock = field(default_factory=threading.Lock)
    """Held by the connection that reads."""
    newest: socket.socket | None = None
    """The connection that may read."""


class PictureServer:
    """Serves open streams, each under an address of its own.

    Args:
        is_unix: on a Unix socket, for our own window, instead of the loopback address.

    Raises:
        OSError: no port can be opened.
    """

    def __init__(self, *, is_unix: bool = False) -> None:
        self._guard = threading.Lock()
        self._served: list[_Served] = []
        self._is_unix = is_unix
        self._server: _Server
        if is_unix:
            self.host = f"rtvfi-{secrets.token_hex(16)}"
            self._server = _UnixServer(self, f"\0{self.host}")
        else:
            self._server = _Server(self, (LOOPBACK, 0))
            self.host = f"{LOOPBACK}:{self._server.server_port}"
        """Address and port or name, as in a ``Host`` header."""
        self.root = f"{SCHEME if is_unix else 'http'}://{self.host}/"
        """The beginning of all addresses."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="rtvfi-web", daemon=True
        )
        self._thread.start()

    def offer(self, stream: FrameStream) -> str:
        """Serve a stream from now on; returns its address."""
        stream.is_read_ahead = True
        stream.turn_seconds = _TURN_SECONDS
        served = _Served(stream, secrets.token_urlsafe(24))
        with self._guard:
            self._served.append(served)
        address = f"{self.root}{served.token}/{_FILE}"
        return f"{address}#{stream.size}" if self._is_unix else address

    def withdraw(self, stream: FrameStream) -> None:
        """Stop serving a stream and its feed, without waiting."""
        with self._guard:
            gone = [served for served in self._served if served.stream is stream]
            self._served = [served for served in self._served if served.stream is not stream]
        for served in gone:
            served.stream.close()
            _hang_up(served.newest)

    def close(self) -> None:
        """Close all connections and wait for the threads."""
        for served in self._served[:]:
            self.withdraw(served.stream)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # ---- for connections ----

    def find(self, path: str) -> _Served | None:
        """The stream of a path; None if there is none. Tokens are compared in constant time."""
        found = None
        with self._guard:
            for served in self._served:
                if hmac.compare_digest(path.encode(), f"/{served.token}/{_FILE}".encode()):
                    found = served
        return found

    def begin(self, served: _Served, connection: socket.socket) -> None:
        """Register a connection that wants to read, and end the previous one; returns its
        number.
        """
        with self._guard:
            before, served.newest = served.newest, connection
        _hang_up(before)


def _hang_up(connection: socket.socket | None) -> None:
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    """Threads are joined: each ends with its connection."""
    block_on_close = True
    request_queue_size = 64
    """A player that finds the queue full tries again a second later only."""

    def __init__(self, pictures: PictureServer, place: tuple[str, int] | str) -> None:
        self.pictures = pictures
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(place, _Connection)  # type: ignore[arg-type]

    def verify_request(self, request: Request, client_address: tuple[str, int] | str) -> bool:
        """Whether to serve a connection; others get no answer and cost no thread."""
        return not is_another_user(int(client_address[1]), self.server_port)

    def process_request(self, request: Request, client_address: object) -> None:
        """Start a thread for a connection."""
        assert isinstance(request, socket.socket)  # as TCP has it
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Request) -> None:
        """Close a connection."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Accept no more connections and end the existing ones."""
        with self._guard:
            still_open = [*self._open]
        for request in still_open:
            _hang_up(request)
        super().server_close()

    def handle_error(self, request: Request, client_address: object) -> None:
        """Log an exception of a connection: the player went away, or there is a bug."""
        log.debug("a connection of %s failed: %s", client_address, sys.exc_info()[1])


class _UnixServer(_Server):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        """Bind the name, of which there is no host to look up."""
        TCPServer.server_bind(self)

    def verify_request(self, request: Request, client_address: object) -> bool:
        """Whether to serve a connection."""
        assert isinstance(request, socket.socket)
        return not is_peer_another_user(request)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "rtvfi"
    sys_version = ""
    timeout = _REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer with a file or a range of it."""
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        """Answer with the headers of ``GET``."""
        self._answer(has_body=False)

    def _answer(self, *, has_body: bool) -> None:
        self.close_connection = True
        pictures = self.server.pictures
        if self.headers.get_all("Host", []) != [pictures.host]:
            return self._refuse(421)
        served = pictures.find(self.path)
        if served is None:
            return self._refuse(404)
        size = served.stream.size
        stretch = _stretch(self.headers.get_all("Range", []), size)
        if stretch is None:
            return self._refuse(416, ("Content-Range", f"bytes */{size}"))
        begin, end = stretch
        is_part = "Range" in self.headers
        self.send_response(206 if is_part else 200)
        self.send_header("Content-Type", "video/x-matroska")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        if is_part:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Connection", "close")
        self.end_headers()
        if has_body:
            self._send(served, begin, end - begin)
        return None

    def _refuse(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", "0"), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()

    def _send(self, served: _Served, begin: int, left: int) -> None:
        """Send bytes, from the pictures' own memory, until a newer connection wants to read."""
        self.connection.settimeout(None)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD_BYTES)
        self.server.pictures.begin(served, self.connection)

        def is_given_up() -> bool:
            return served.newest is not self.connection

        with served.reading:
            stream = served.stream
            if is_given_up():
                return
            stream.seek(begin)
            # The player has received nothing yet: if it seeks now, any picture ends its wait.
            stream.is_read_ahead = False
            while left > 0:
                piece = stream.piece(min(left, _PIECE_BYTES), is_given_up=is_given_up)
                stream.is_read_ahead = True
                if is_given_up():
                    return
                try:
                    if not len(piece):
                        self._send_void(stream.void(), left)
                        return
                    self.connection.sendall(piece)
                except OSError:  # the player seeks, or has closed the film
                    return
                left -= len(piece)

    def _send_void(self, head: bytes, left: int) -> None:
        """Send something without meaning in place of the frames that a film turned out not to have;
        a connection that ends early would be an error, after which players try again for seconds.
        """
        while head and left > 0:
            self.connection.sendall(head[:left])
            left -= len(head)
            head = bytes(min(left, _PIECE_BYTES))

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the path contains the token."""


def _stretch(headers: list[str], size: int) -> tuple[int, int] | None:
    """[begin, end) of a ``Range`` header; None if it cannot be satisfied."""
    if not headers:
        return 0, size
    found = re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})", headers[0].strip())
    if len(headers) > 1 or found is None:
        return None
    begin = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    return (begin, end) if begin < end else None


def is_another_user(client: int, server: int, table: Path = Path("/proc/net/tcp")) -> bool:
    """Whether the loopback connection between these ports comes from another user's process.

    If the kernel does not say, the answer is False, and only the token protects the film.
    """
    local, remote = (f"0100007F:{port:04X}" for port in (client, server))
    try:
        with table.open(encoding="ascii") as lines:
            for line in lines:
                words = line.split()
                if len(words) > 7 and words[1] == local and words[2] == remote:
                    return words[7] != str(os.getuid())
    except OSError:
        pass
    return False
