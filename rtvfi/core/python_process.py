"""Python in a child process, for work that may crash, hang or use up the memory.

The child reports its results while it works, as lines of JSON, so that those from before a crash
are kept. It has a process group of its own, which is killed with it.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.program import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rtvfi.core.files import Json

_END_SECONDS: Final = 2.0
_KEPT_BYTES: Final = 1 << 16
TOO_LONG: Final = "it took too long"
"""Returned by ``PythonProcess.end`` for a child that had to be killed."""


class PythonProcess:
    """A module that runs in a child process. Used by one thread.

    Args:
        module: name of a module whose ``__main__`` part calls ``speaker``.
        arguments: its command line.
        environ: its environment.
    """

    def __init__(self, module: str, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        package = str(Path(__file__).resolve().parents[2])
        search = os.pathsep.join(filter(None, (package, environ.get("PYTHONPATH"))))
        command = [sys.executable, "-P", "-m", module, *arguments]
        self._process, self._out, self._err = start(command, {**environ, "PYTHONPATH": search})
        self._poll = select.poll()
        for pipe in (self._out, self._err):
            os.set_blocking(pipe.fileno(), False)
            self._poll.register(pipe, select.POLLIN)
        self._open = {self._out.fileno(), self._err.fileno()}
        self._said = b""
        self._partial = b""

    def found(self, deadline: float, silence: float = math.inf) -> Iterator[Json]:
        """Yield the results it reports, until it ends, ``deadline`` (``time.monotonic``) has
        passed, or it has reported nothing for ``silence`` seconds.

        Everything reported by then is always yielded.
        """
        while self._open:
            left = min(silence, max(0.0, deadline - time.monotonic()))
            ready = [fd for fd, _ in self._poll.poll(left * 1000)]
            if not ready:
                return
            for fd in ready:
                yield from self._take(fd)

    def _take(self, fd: int) -> Iterator[Json]:
        data = os.read(fd, _KEPT_BYTES)
        if not data:
            self._poll.unregister(fd)
            self._open.discard(fd)
        elif fd == self._err.fileno():
            self._said = (self._said + data)[-_KEPT_BYTES:]
        else:
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                yield json.loads(line)

    def kill(self) -> None:
        """Kill it; may be called by any thread, before ``end``."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> str:
        """Kill it and everything it started, if it still runs.

        Returns:
            Why it failed, in a few words; empty when it succeeded.
        """
        code = self._process.poll()
        if not self._open and code is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(_END_SECONDS)
        why = TOO_LONG if code is None else _why(code, self._last_line())
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # stuck in the kernel: left behind
            self._process.wait(_END_SECONDS)
        self._out.close()
        self._err.close()
        return why

    def _last_line(self) -> str:
        lines = self._said.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def _why(code: int, last_line: str) -> str:
    if code == 0:
        return ""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"it was ended by {signal.Signals(-code).name}"
    return last_line or f"it ended with status {code}"


def speaker() -> Callable[[Mapping[str, object]], None]:
    """In the child: the function that reports a result. Everything else that is printed goes to
    standard error.
    """
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(finding: Mapping[str, object]) -> None:
        out.write(json.dumps(finding) + "\n")
        out.flush()

    return say
