"""The system's ``ffmpeg`` as a child process, and what its messages mean.

PyAV's wheels come without VA-API, so hardware video runs in a child.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import select
import shutil
import signal
import subprocess
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.program import start

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

QUIET: Final = ("-hide_banner", "-nostats", "-v", "level+verbose")
"""Verbose lines tell what decodes; levels tell errors from the rest."""

_LOOK_MS: Final = 200
"""How often a reader looks whether it was told to stop; the end of the pipes wakes it at once."""
_END_SECONDS: Final = 5.0
_PIPE_BYTES: Final = 1 << 20
_KEPT_LINES: Final = 60
_MEANINGS: Final = (
    (r"No VA display found for device (.+?)\.?$", r"there is no VA-API at \1"),
    (r"Cannot open DRM render node", "no render node can be opened"),
    (r"unknown device type|Unrecognized hwaccel", "the system's ffmpeg is built without VA-API"),
    (r"(\w+)_drv_video\.so init failed", r"its driver \1 does not start"),
    (r"Failed to initialise VAAPI connection: \S+ \((.+)\)", r"its driver does not start (\1)"),
    (r"Failed to end picture encode", "its driver failed to encode a picture"),
    (r"hardware accelerator failed|Failed to end picture", "its driver failed to decode a picture"),
    (r"hwaccel initialisation returned error", "its driver does not decode this profile"),
    (r"Driver does not support|No usable encoding", "its driver does not encode this"),
    (r"Unknown encoder '(.+)'", r"the system's ffmpeg has no \1"),
    (r"Unrecognized option 'fps_mode'", "the system's ffmpeg is older than 5.1"),
    (r"Device creation failed", "its device cannot be opened"),
)
"""What FFmpeg 5.1 to 8 says, and what it means; of several the first here counts."""
_HARMLESS: Final = re.compile(r"\[(warning|info|verbose|debug)\]")
_BROKEN: Final = re.compile(r"hardware accelerator failed|Failed to end picture")
"""Pictures after this line cannot be trusted, though the child goes on."""
_PIXEL_FORMAT: Final = re.compile(r"\bw:\d+ h:\d+ pixfmt:(\w+) ")


def find_ffmpeg() -> str | None:
    """Path of the system's ffmpeg; None when there is none."""
    return shutil.which("ffmpeg")


def explain(lines: Sequence[str], code: int | None = None) -> str:
    """In half a sentence, why a child failed.

    Args:
        lines: what it printed.
        code: its exit status, when it has ended.
    """
    serious = [line for line in lines if not _HARMLESS.search(line)]
    for pattern, meaning in _MEANINGS:
        for line in serious:
            if found := re.search(pattern, line):
                return found.expand(meaning)
    for line in reversed(serious):
        if text := re.sub(r"\[[^\]]*\] ", "", line).strip():
            return text if text.startswith("ffmpeg ") else f"ffmpeg says: {text}"
    if code is not None and code < 0:
        return f"ffmpeg was ended by signal {-code}"
    return "ffmpeg ended" if code is None else f"ffmpeg ended with status {code}"


def run(arguments: Sequence[str], timeout: float, data: bytes = b"") -> tuple[int, bytes, str]:
    """A child that is done soon.

    Args:
        arguments: without the program.
        timeout: seconds after which it is stopped.
        data: its input.

    Returns:
        Its exit status, its output and its messages; when it was stopped the status is -9, when
        there is no ffmpeg 127, and the message a sentence.
    """
    try:
        child = Child(arguments, has_input=bool(data))
    except OSError as error:
        return 127, b"", f"ffmpeg cannot be started: {error.strerror}"
    try:
        return child.drain(timeout, data)
    finally:
        child.end()


class Child:
    """An ffmpeg under way. One thread reads, any thread may ``end`` it.

    Args:
        arguments: without the program.
        has_input: keep its standard input open, for ``write``.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, arguments: Sequence[str], *, has_input: bool = False) -> None:
        program = find_ffmpeg()
        if program is None:
            raise FileNotFoundError(2, "it is not installed")
        self._process, self._out, self._err = start([program, *arguments], has_input=has_input)
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)
        self._poll.register(self._err, select.POLLIN)
        self._is_err_open = True
        self._partial = b""
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._is_ended = False
        self.pixel_format: str | None = None
        """Of the pictures its decoder gives; known before the first arrives."""
        self.is_broken = False
        """Its driver failed on a picture."""
        os.set_blocking(self._err.fileno(), False)
        _widen(self._out.fileno())
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
            _widen(self._process.stdin.fileno())

    @property
    def lines(self) -> list[str]:
        """The newest lines of its messages."""
        return list(self._lines)

    # ---- reading: one thread ----

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes of its output; empty at the end, and once it was told to end.

        PyAV reads through this. Messages are taken up meanwhile, or the child would block.
        """
        while not self._is_ended:
            ready = {fd for fd, _ in self._poll.poll(_LOOK_MS)}
            if self._err.fileno() in ready:
                self.listen()
            if self._out.fileno() in ready:
                return os.read(self._out.fileno(), size)
        return b""

    def listen(self) -> None:
        """Take up all it has said so far.

        It says what is wrong with a picture before it hands out the picture.
        """
        while self._is_err_open:
            try:
                said = os.read(self._err.fileno(), 1 << 16)
            except BlockingIOError:
                return
            if not said:
                self._poll.unregister(self._err)
                self._is_err_open = False
            *whole, self._partial = (self._partial + said).split(b"\n")
            for line in whole:
                self._note(line.decode(errors="replace").strip())

    def _note(self, line: str) -> None:
        self._lines.append(line)
        if found := _PIXEL_FORMAT.search(line):
            self.pixel_format = found[1]
        self.is_broken = self.is_broken or bool(_BROKEN.search(line))

    def wait(self) -> int:
        """After the end of its output: its exit status, all its messages taken up."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            code = -signal.SIGKILL
        self.listen()
        return code

    def drain(self, timeout: float, data: bytes = b"") -> tuple[int, bytes, str]:
        """Give it its input, wait for the end and collect all it printed; see ``run``."""
        try:
            out, err = self._process.communicate(data or None, timeout)
        except subprocess.TimeoutExpired:
            return -9, b"", f"ffmpeg did not answer in {timeout:g} s"
        return self._process.returncode, out, err.decode(errors="replace")

    # ---- writing: one thread, another than the reader ----

    def write(self, data: bytes | memoryview, timeout: float) -> bool:
        """Hand over all of ``data``; False when it took nothing for ``timeout`` seconds.

        Raises:
            OSError: it reads no more.
        """
        assert self._process.stdin is not None
        data = memoryview(data)
        descriptor = self._process.stdin.fileno()
        writable = select.poll()
        writable.register(descriptor, select.POLLOUT)
        while data:
            if not writable.poll(timeout * 1000):
                return False
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(descriptor, data) :]
        return True

    def close_input(self) -> None:
        """No more will be written."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    # ---- ending ----

    def stop(self) -> None:
        """End the process; the reader sees the end of its output. Any thread."""
        self._is_ended = True
        self._kill()

    def end(self) -> None:
        """End the process and let go of its pipes, once nobody reads; twice is fine."""
        self.stop()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:  # stuck in the kernel, as with a GPU that hangs
            log.warning("ffmpeg does not end")
        self.close_input()
        self._out.close()
        self._err.close()

    def _kill(self) -> None:
        if self._process.returncode is None:  # else the number may belong to somebody else
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _widen(pipe: int) -> None:
    """Make a pipe larger: fewer turns for a picture of megabytes. If refused, it stays as it is."""
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return


def render_nodes() -> list[Path]:
    """The render nodes of this machine, in order."""
    return sorted(Path("/dev/dri").glob("renderD*"))
