"""Pictures through the engine's HTTP against pictures inside the player's process.

    PYTHONPATH=. .venv/bin/python -P benchmarks/apart.py [--seconds 3] [--sizes 1920x1080]

Reads the virtual file of a generated clip with the model "copy" as fast as it goes: by
``read_into``, as libmpv's stream protocol does, and over HTTP as a player apart does, whose side is
here too. Prints pictures per second and processor time per picture of both sides together, and
milliseconds until the first byte of a picture somewhere else (a seek). Every row decodes the same
pictures, so the difference is the way they go.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rtvfi.core.options import SourceOptions, StreamOptions
from rtvfi.engine.build import Place, pipeline_for, view
from rtvfi.stream.run.playhead import Playhead
from rtvfi.stream.serve.web import PictureServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.engine.build import Viewing

_SEEKS = (0.7, 0.1, 0.5, 0.9, 0.3)


def opened(path: Path) -> Viewing:
    """A viewing at 60 pictures a second that is never held back."""
    playhead = Playhead()
    playhead.report(1e6)
    pipeline = pipeline_for(str(path), SourceOptions(hwaccel="none"), StreamOptions(), playhead)
    info = pipeline.open()
    place = Place(Fraction(60), info.start, info.duration or Fraction(1))
    found = view(pipeline, str(path), info, StreamOptions(), place, playhead)
    found.stream.priming_seconds = 0.0
    return found


class Inside:
    """Reads as libmpv's stream protocol does."""

    def __init__(self, viewing: Viewing) -> None:
        self._stream = viewing.stream
        self._buffer = ctypes.create_string_buffer(1 << 20)

    def go_to(self, offset: int) -> None:
        """The next byte read is that one."""
        self._stream.seek(offset)

    def read(self) -> int:
        """Some bytes; how many."""
        return self._stream.read_into(ctypes.addressof(self._buffer), 1 << 20)

    def close(self) -> None:
        """Done."""


class Apart:
    """Reads over HTTP; the server's thread is in this process, so both sides count."""

    def __init__(self, viewing: Viewing) -> None:
        self._server = PictureServer()
        self._parts = urlsplit(self._server.offer(viewing.stream))
        self._buffer = bytearray(1 << 15)  # as FFmpeg reads
        self._socket = socket.socket()

    def go_to(self, offset: int) -> None:
        """The next byte read is that one."""
        self._socket.close()
        self._socket = socket.create_connection((self._parts.hostname or "", self._parts.port or 0))
        host, path = self._parts.netloc, self._parts.path
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes={offset}-\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._socket.recv(1)

    def read(self) -> int:
        """Some bytes; how many."""
        return self._socket.recv_into(self._buffer)

    def close(self) -> None:
        """Done."""
        self._socket.close()
        self._server.close()


def row(path: Path, way: Callable[[Viewing], Inside | Apart]) -> tuple[float, float, float]:
    """Pictures/s, CPU ms a picture, ms to the first byte after a seek."""
    viewing = opened(path)
    reader = way(viewing)
    try:
        begin, cpu, done = time.perf_counter(), time.process_time(), 0
        reader.go_to(0)
        while count := reader.read():
            done += count
        pictures = done / viewing.info.payload_bytes
        wall, used = time.perf_counter() - begin, time.process_time() - cpu
        seeks = []
        for part in _SEEKS:
            begin = time.perf_counter()
            reader.go_to(int(part * viewing.stream.size))
            reader.read()
            seeks.append((time.perf_counter() - begin) * 1e3)
        return pictures / wall, used / pictures * 1e3, statistics.median(seeks)
    finally:
        reader.close()
        viewing.close()


def main() -> None:
    """Rows of the table."""
    sys.path[:0] = [str(Path(__file__).resolve().parent)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", default=["1920x1080"])
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    print(f"{'clip':24} {'way':8} {'fps':>7} {'CPU ms':>7} {'seek ms':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for size in arguments.sizes:
            for pixels in ("yuv420p", "yuv420p10le"):
                path = Path(folder) / f"{size}-{pixels}.mkv"
                source = f"testsrc2=s={size}:r=24:d={arguments.seconds}"
                command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source]
                command += ["-pix_fmt", pixels, "-c:v", "libx264", "-preset", "fast", "-g", "48"]
                subprocess.run([*command, str(path)], check=True)
                for name, way in (("inside", Inside), ("http", Apart)) * 2:
                    fps, cpu, seek = row(path, way)
                    print(f"{size + ' ' + pixels:24} {name:8} {fps:7.1f} {cpu:7.2f} {seek:8.1f}")


if __name__ == "__main__":
    main()
