"""The fake VA-API driver: built with gcc, loaded by the real libva, seen through an X display.

Pictures for it are decoded in software before; a table finds them by the checksums of their slices.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest

from rtvfi.core.options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("fakeva.c")
ATTEMPTS = 5
"""To start Xvfb, should the number drawn be taken."""
FAULTS = re.compile(r"FAKEVA_\w+")


def build(folder: Path) -> None:
    """Compile the driver into ``folder``; skips the test where something is missing."""
    missing = [tool for tool in ("gcc", "ffmpeg", "Xvfb", "pkg-config") if not shutil.which(tool)]
    found = None
    if not missing:
        command = ["pkg-config", "--modversion", "libva"]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found is None or found.returncode:
        pytest.skip(f"not here: {', '.join(missing) or 'libva-dev'}")
    minor = found.stdout.split(".")[1]
    subprocess.run(
        [
            *("gcc", "-shared", "-fPIC", "-O1", "-fvisibility=hidden"),
            f"-DVA_DRIVER_INIT_FUNC=__vaDriverInit_1_{minor}",
            *("-o", folder / "fakeva_drv_video.so", SOURCE),
        ],
        check=True,
    )


class Display:
    """An X server of one's own, started anew if it goes.

    Its number is drawn: told to look for a free one, Xvfb begins at 0, and it takes no lock, so
    that another server could put its own socket into the same place.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen[bytes] | None = None
        self._number = 0

    def name(self) -> str:
        """Its name, such as ``:4711``; it listens there."""
        for _ in range(ATTEMPTS):
            if self._is_there():
                return f":{self._number}"
            self.close()
            self._start()
        pytest.fail("Xvfb does not start")

    def close(self) -> None:
        """End it; the server takes its socket away itself."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait()
            self._server = None

    def _is_there(self) -> bool:
        """It can be reached, and no other server stands in its place."""
        if self._server is None or self._server.poll() is not None:
            return False
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(f"/tmp/.X11-unix/X{self._number}")
            except OSError:
                return False
            size = struct.calcsize("3i")
            peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return bool(self._server.pid == struct.unpack("3i", peer)[0])

    def _start(self) -> None:
        self._number = 1000 + secrets.randbelow(50_000)
        readable, writable = os.pipe()
        command = ["Xvfb", f":{self._number}", "-displayfd", str(writable)]
        self._server = subprocess.Popen(
            [*command, "-screen", "0", "64x64x24", "-noreset", "-nolisten", "tcp"],
            pass_fds=(writable,),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what interrupts a test is not meant for it
        )
        os.close(writable)
        with os.fdopen(readable) as pipe:
            pipe.readline()  # it listens, or it has ended


def display() -> Iterator[str]:
    """An X display of its own, for as long as the generator lives."""
    server = Display()
    try:
        yield server.name()
    finally:
        server.close()


class FakeVaapi:
    """The driver as one test sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, display: str) -> None:
        self.display = display
        self._env = monkeypatch
        self._folder = folder
        for name in FAULTS.findall("\n".join(os.environ)):
            monkeypatch.delenv(name)
        monkeypatch.setenv("LIBVA_DRIVERS_PATH", str(folder))
        monkeypatch.setenv("LIBVA_DRIVER_NAME", "fakeva")

    def options(self, **changes: Any) -> SourceOptions:
        """Options that use the driver."""
        return SourceOptions(**{"hwaccel": "vaapi", "vaapi_device": self.display, **changes})

    def fault(self, **faults: int) -> None:
        """Let it go wrong: ``fail_after=7`` and so on, see fakeva.c; 0 mends it."""
        for name, value in faults.items():
            self._env.setenv(f"FAKEVA_{name.upper()}", str(value))

    def load(self, path: Path) -> None:
        """Let it decode this H.264 file."""
        pictures, table = self._folder / f"{path.name}.nv12", self._folder / f"{path.name}.table"
        if not table.exists():
            _decode(path, pictures)
            table.write_text("".join(f"{crc:08x} {number}\n" for crc, number in _slices(path)))
        with av.open(str(path)) as clip:
            context = clip.streams.video[0].codec_context
            self.fault(w=context.width, h=context.height)
        self._env.setenv("FAKEVA_FRAMES", str(pictures))
        self._env.setenv("FAKEVA_TABLE", str(table))


def _decode(path: Path, pictures: Path) -> None:
    with av.open(str(path)) as clip, pictures.open("wb") as out:
        for frame in clip.decode(video=0):
            out.write(frame.to_ndarray(format="nv12").tobytes())


def _slices(path: Path) -> Iterator[tuple[int, int]]:
    """(CRC-32 of the first slice's NAL unit, number in order of display) of every picture."""
    with av.open(str(path)) as clip:
        stored = clip.streams.video[0].codec_context.extradata or b""
        packets = [p for p in clip.demux(video=0) if p.size]
        times = sorted(p.pts for p in packets if p.pts is not None)
        for packet in packets:
            assert packet.pts is not None
            for unit in _units(bytes(packet), has_lengths=stored[:1] == b"\1"):
                if unit[0] & 31 in (1, 5):
                    yield zlib.crc32(unit), times.index(packet.pts)
                    break


def _units(data: bytes, *, has_lengths: bool) -> Iterator[bytes]:
    """NAL units, preceded by their lengths or by start codes."""
    if not has_lengths:
        units = (unit.rstrip(b"\0") for unit in data.split(b"\0\0\1"))
        yield from filter(None, units)
        return
    while data:
        length = int.from_bytes(data[:4], "big")
        yield data[4 : 4 + length]
        data = data[4 + length :]
