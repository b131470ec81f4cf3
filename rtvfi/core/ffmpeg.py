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
"""Verbose lines name the decoder in use; the levels in them mark which lines are errors."""

_LOOK_MS: Final = 200
"""How often a reader checks for a request to stop; the end of the pipes wakes it at once."""
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
"""Messages of FFmpeg 5.1 to 8, and what to tell the user; the first match in this order wins."""
_HARMLESS: Final = re.compile(r"\[(warning|info|verbose|debug)\]")
_BROKEN: Final = re.compile(r"hardware accelerator failed|Failed to end picture")
"""After this message pictures cannot be trusted, although ffmpeg continues."""
_PIXEL_FORMAT: Final = re.compile(r"\bw:\d+ h:\d+ pixfmt:(\w+) ")


def find_ffmpeg() -> str | None:
    """Path of the system's ffmpeg; None when there is none."""
    return shutil.which("ffmpeg")


def explain(lines: Sequence[str], code: int | None = None) -> str:
    """Why an ffmpeg failed, as a clause for a message ("its driver does not start").

    Args:
        lines: the messages it printed.
        code: its exit status; None while it runs.
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
    """Run ffmpeg to its end, for short work.

    Args:
        arguments: without the program.
        timeout: seconds after which it is killed.
        data: its standard input.

    Returns:
        (exit status, standard output, messages). The status is -9 after a timeout and 127 without
        an ffmpeg; the messages are then a sentence for the user.
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
    """A running ffmpeg. One thread reads, one may write, any thread may ``stop`` it.

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
        """Pixel format of the pictures it decodes; set before the first one arrives."""
        self.is_broken = False
        """Its driver failed on a picture: later ones cannot be trusted."""
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
        """Up to ``size`` bytes of its output; empty at the end, and after ``stop``.

        PyAV reads through this. Messages are read at the same time, because the child would block
        on a full message pipe.
        """
        while not self._is_ended:
            ready = {fd for fd, _ in self._poll.poll(_LOOK_MS)}
            if self._err.fileno() in ready:
                self.listen()
            if self._out.fileno() in ready:
                return os.read(self._out.fileno(), size)
        return b""

    def listen(self) -> None:
        """Read all messages so far.

        ffmpeg reports what is wrong with a picture before it writes the picture.
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
        """Its exit status; called after the end of its output. All messages have then been read."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            code = -signal.SIGKILL
        self.listen()
        return code

    def drain(self, timeout: float, data: bytes = b"") -> tuple[int, bytes, str]:
        """Send ``data``, wait for the end and collect the output; returns the same as ``run``."""
        try:
            out, err = self._process.communicate(data or None, timeout)
        except subprocess.TimeoutExpired:
            return -9, b"", f"ffmpeg did not answer in {timeout:g} s"
        return self._process.returncode, out, err.decode(errors="replace")

    # ---- writing: one thread, another than the reader ----

    def write(self, data: bytes | memoryview, timeout: float) -> bool:
        """Write all of ``data``; False if ffmpeg read nothing for ``timeout`` seconds.

        Raises:
            OSError: ffmpeg has closed its input.
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
        """Close its standard input: ffmpeg then finishes."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    # ---- ending ----

    def stop(self) -> None:
        """Kill the process; the reader then sees the end of its output. Any thread may call it."""
        self._is_ended = True
        self._kill()

    def end(self) -> None:
        """Kill the process and close its pipes. No thread may be reading; calling twice is fine."""
        self.stop()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:  # stuck in the kernel, as with a GPU that hangs
            log.warning("ffmpeg does not end")
        self.close_input()
        self._out.close()
        self._err.close()

    def _kill(self) -> None:
        if self._process.returncode is None:  # else the pid may belong to another process by now
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _widen(pipe: int) -> None:
    """Enlarge a pipe, so that a picture of megabytes takes fewer reads; a refusal is ignored."""
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return


def render_nodes() -> list[Path]:
    """The render nodes of this machine, in order."""
    return sorted(Path("/dev/dri").glob("renderD*"))
