"""Virtual files for players in other processes: HTTP with ranges, on this machine only.

An address is a random port, a random token and one file. Nobody else reads the film: the token is
asked for in the path, the ``Host`` header must be the address itself (no page can have that whose
name was bent to this machine), no page is allowed to read an answer, and whoever connects must be
the same user, as far as ``/proc/net/tcp`` tells: others are hung up on before a byte is read. A
player that seeks connects again: the newest connection reads, the one before it ends.
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
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rtvfi.stream.serve.frame_stream import FrameStream

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
_FILE: Final = "interpolated.mkv"
_PIECE_BYTES: Final = 1 << 20
_TURN_SECONDS: Final = 0.005
"""A player that seeks connects anew, and waits until the connection before it has noticed."""
_REQUEST_SECONDS: Final = 10.0
"""Longest wait for the lines of a request; answers take as long as the player pauses."""


@dataclass(slots=True)
class _Served:
    """A stream and who reads it."""

    stream: FrameStream
    token: str
    reading: threading.Lock = field(default_factory=threading.Lock)
    """Held by the connection that reads."""
    newest: socket.socket | None = None
    """The connection that may read."""


class PictureServer:
    """Serves open streams on the loopback address, each under an address of its own.

    Raises:
        OSError: no port can be had.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._served: list[_Served] = []
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="rtvfi-web", daemon=True
        )
        self._thread.start()

    def offer(self, stream: FrameStream) -> str:
        """Serve a stream from now on; its address."""
        stream.is_read_ahead = True
        stream.turn_seconds = _TURN_SECONDS
        served = _Served(stream, secrets.token_urlsafe(24))
        with self._guard:
            self._served.append(served)
        return f"{self.root}{served.token}/{_FILE}"

    @property
    def root(self) -> str:
        """What every address of ours begins with."""
        return f"http://{self.host}/"

    @property
    def host(self) -> str:
        """Address and port, as a ``Host`` header says them."""
        return f"{LOOPBACK}:{self._server.server_port}"

    def withdraw(self, stream: FrameStream) -> None:
        """Serve it no more, and let go of its feed; nothing is waited for."""
        with self._guard:
            gone = [served for served in self._served if served.stream is stream]
            self._served = [served for served in self._served if served.stream is not stream]
        for served in gone:
            served.stream.close()
            _hang_up(served.newest)

    def close(self) -> None:
        """End everything and wait for the threads."""
        for served in self._served[:]:
            self.withdraw(served.stream)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # ---- for connections ----

    def find(self, path: str) -> _Served | None:
        """The stream of a path; every token is compared in the same time."""
        found = None
        with self._guard:
            for served in self._served:
                if hmac.compare_digest(path.encode(), f"/{served.token}/{_FILE}".encode()):
                    found = served
        return found

    def begin(self, served: _Served, connection: socket.socket) -> None:
        """A connection wants to read: the one before it shall end."""
        with self._guard:
            before, served.newest = served.newest, connection
        _hang_up(before)


def _hang_up(connection: socket.socket | None) -> None:
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    """Threads are waited for: each ends with its connection."""
    block_on_close = True
    request_queue_size = 64
    """A player that finds the queue full tries again a second later only."""

    def __init__(self, pictures: PictureServer) -> None:
        self.pictures = pictures
        self._guard = threading.Lock()
        self._open: set[Any] = set()
        super().__init__((LOOPBACK, 0), _Connection)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether to serve a connection; others get no answer and cost no thread."""
        return not is_another_user(client_address[1], self.server_port)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for every connection."""
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """A connection is over."""
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Take no more connections and end those there are."""
        with self._guard:
            still_open = [*self._open]
        for request in still_open:
            _hang_up(request)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """What a connection raised: the player went away, or a mistake of ours."""
        log.debug("a connection of %s failed: %s", client_address, sys.exc_info()[1])


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "rtvfi"
    sys_version = ""
    timeout = _REQUEST_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """A stretch of a file."""
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        """What ``GET`` would say."""
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
        """Pass bytes on, from the picture's own memory, until somebody else wants to read."""
        self.connection.settimeout(None)
        self.server.pictures.begin(served, self.connection)

        def is_given_up() -> bool:
            return served.newest is not self.connection

        with served.reading:
            stream = served.stream
            if is_given_up():
                return
            stream.seek(begin)
            # Nothing has reached the player: should it seek now, any picture ends its wait.
            stream.is_read_ahead = False
            while left > 0:
                piece = stream.piece(min(left, _PIECE_BYTES), is_given_up=is_given_up)
                stream.is_read_ahead = True
                if not len(piece) or is_given_up():
                    return
                try:
                    self.connection.sendall(piece)
                except OSError:  # it seeks, or has had enough
                    return
                left -= len(piece)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal; never the token."""


def _stretch(headers: list[str], size: int) -> tuple[int, int] | None:
    """[begin, end) of a ``Range`` header; None where it cannot be had."""
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

    Where the kernel does not tell, the token alone decides.
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
