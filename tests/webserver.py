"""A web server for one folder, on this machine only; with byte ranges, so that it can be sought."""

from __future__ import annotations

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(
        self, *arguments: Any, has_ranges: bool, refused: str, wanted: dict[str, str], **names: Any
    ) -> None:
        self._has_ranges = has_ranges
        self._refused = refused
        self._wanted = wanted
        super().__init__(*arguments, **names)

    def do_GET(self) -> None:
        is_refused = self._refused and self._refused in (self.headers.get("User-Agent") or "")
        if is_refused or any(self.headers.get(k) != v for k, v in self._wanted.items()):
            self.send_error(403)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        with open(self.translate_path(self.path), "rb") as file:  # noqa: PTH123
            content = file.read()
        begin, end = 0, len(content)
        if wanted and self._has_ranges:
            begin = int(wanted[1])
            end = int(wanted[2]) + 1 if wanted[2] else end
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(content)}")
        else:
            self.send_response(200)
        if self._has_ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        try:
            self.wfile.write(content[begin:end])
        except OSError:  # who reads has had enough
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


class WebServer:
    """Use it as a context manager; ``url`` names its files.

    Args:
        folder: what it serves.
        has_ranges: whether parts of a file can be asked for.
        refused: part of the name of programs that get nothing.
        wanted: headers that whoever gets something must send.
    """

    def __init__(
        self,
        folder: Path,
        *,
        has_ranges: bool = True,
        refused: str = "",
        wanted: dict[str, str] | None = None,
    ) -> None:
        handler = partial(
            _Handler,
            directory=str(folder),
            has_ranges=has_ranges,
            refused=refused,
            wanted=wanted or {},
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
