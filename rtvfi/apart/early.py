"""The first engine of our own window, started before the window.

``rtvfi play`` forks before it has loaded libmpv, PyAV or torch, and before it has a second thread:
the child becomes the engine and loads decoder and network, while the parent loads libmpv and opens
the window. So neither waits for the other, Python starts only once, and each process loads only
the GPU drivers it needs. A socket pair connects them; each notices the end of the other because it
closes.

A later engine, after a crash or a rest, is started by the script (``rtvfi serve``).
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RDWR, socket, socketpair
from typing import TYPE_CHECKING, Final

from rtvfi.apart.memory import go_first
from rtvfi.apart.sockets import FOR_MPV, remove_socket
from rtvfi.core.errors import DeviceError, RtvfiError, UsageError
from rtvfi.core.logs import plain
from rtvfi.engine.trusted import check_options

if TYPE_CHECKING:
    from rtvfi.core.files import Json
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)

_NAME: Final = "rtvfi-engine"
LEAVE_SECONDS: Final = 1.5
"""Longest wait for an engine that was told to end; it gives busy threads 0.5 s itself."""
_TRY_SECONDS: Final = 0.005
"""Time between two tries to connect to mpv, which does not report when it has begun to listen."""
_CONNECT_SECONDS: Final = 10.0
"""Longest wait for that connection."""


class EarlyEngine:
    """The engine's process, as seen from the window's process.

    Args:
        pid: its process id; it is a child of this process.
        channel: the socket to it, which closes when it ends.
        out: file descriptor of a pipe with its figures; see ``figures.py``.
        err: file descriptor of a pipe with its messages.
    """

    def __init__(self, pid: int, channel: socket, out: int, err: int) -> None:
        self.pid, self.out, self.err = pid, out, err
        self._channel = channel
        self._guard = threading.Lock()
        self._status: int | None = None
        """Its exit code once it has ended, and its process id may be another's."""

    def check(self) -> None:
        """Wait until it has checked the options.

        Raises:
            RtvfiError: the engine's error, if it cannot run.
        """
        answer = _receive(self._channel)
        if answer is None or not answer:  # it died, which the script will report; or all is well
            return
        kind = UsageError if answer["exit_code"] == UsageError.exit_code else DeviceError
        self.close()
        raise kind(answer["message"], answer["hint"])

    def meet(self, path: Path, script: str) -> None:
        """Tell it where mpv listens.

        Args:
            path: path of the socket; the engine deletes it if it was made for the engine.
            script: name of our script in that mpv.
        """
        with self._guard:
            if self._status is None:
                _send(self._channel, {"path": os.fsdecode(path), "script": script})

    def wait(self) -> int:
        """Wait for its end, on any thread; returns its exit code, negative for a signal."""
        if self._status is None:
            # Without the lock, and so that the process id stays reserved until it is taken.
            with suppress(ChildProcessError):  # another thread was first
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._guard:
            if self._status is None:
                self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
                self._channel.close()
            return self._status

    def kill(self) -> None:
        """Kill it; any thread may call it."""
        with self._guard:
            if self._status is None:
                os.kill(self.pid, signal.SIGKILL)

    def leave(self) -> None:
        """Ask it to end, if it has not met mpv; later it ends with mpv."""
        with suppress(OSError):
            self._channel.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Ask it to end, kill it if it does not, and wait until it has ended."""
        self.leave()
        end = threading.Thread(target=self.wait, name=_NAME, daemon=True)
        end.start()
        end.join(LEAVE_SECONDS)
        self.kill()
        end.join(LEAVE_SECONDS)


def begin(options: PlayOptions) -> EarlyEngine | None:
    """Fork the engine; this function returns only in the parent.

    Args:
        options: how films are shown; the first file is opened at once.

    Returns:
        The engine; None if this process has other threads, which a fork would lose.
    """
    if threading.active_count() > 1:
        return None
    ours, its = socketpair()
    out, its_out = os.pipe()
    err, its_err = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            os.close(out)
            os.close(err)
            code = _engine(options, its, its_out, its_err)
        finally:
            sys.stderr.flush()
            os._exit(code)
    its.close()
    os.close(its_out)
    os.close(its_err)
    return EarlyEngine(pid, ours, out, err)


# ---- in the engine ----


def _engine(options: PlayOptions, channel: socket, out: int, err: int) -> int:
    """Run the engine, in the child; returns the exit code."""
    go_first()
    os.setsid()  # Ctrl+C in the terminal ends the window, and that ends us
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard, number in enumerate((nothing, out, err)):
        os.dup2(number, standard)
        if number > 2:
            os.close(number)
    with suppress(OSError):
        Path("/proc/self/comm").write_text(_NAME, encoding="ascii")  # for ps
    # The window's process shows warnings, and the script shows why the engine has ended.
    if not logging.getLogger("rtvfi").isEnabledFor(logging.DEBUG):
        logging.getLogger("rtvfi").setLevel(logging.WARNING)
    try:
        return _serve(options, channel)
    except RtvfiError as error:
        told = {"exit_code": error.exit_code, "message": error.message, "hint": error.hint}
        _send(channel, told)
        sys.stderr.write(f"error: {plain(error.message)}".replace("\n", "\\n") + "\n")
        return error.exit_code
    except Exception:
        log.exception("the engine failed")
        return 1


def _serve(options: PlayOptions, channel: socket) -> int:
    from rtvfi.apart import attached

    check_options(options)
    _send(channel, {})
    tells_figures = (options.report or options.record) is not None
    engine = attached.Attached(options, tells_figures=tells_figures)
    engine.prefetch()
    met = _receive(channel)
    connection = None if met is None else _connected(Path(met["path"]), channel)
    if met is None or connection is None:
        return 0
    return engine.run(connection, met["script"])


def _connected(path: Path, channel: socket) -> socket | None:
    """Connect to an mpv that was just told to listen; None if the window's process has ended.

    Raises:
        PlayerError: nobody listens there.
    """
    from rtvfi.apart.attached import connect

    deadline = time.monotonic() + _CONNECT_SECONDS
    poll = select.poll()
    poll.register(channel, 0)  # reports only that it is closed
    while True:
        try:
            connection = connect(path)
        except RtvfiError:
            # mpv does not report when it has begun to listen, so try again.
            if poll.poll(_TRY_SECONDS * 1000):
                return None
            if time.monotonic() > deadline:
                raise
        else:
            if path.name.startswith(FOR_MPV):
                remove_socket(path, FOR_MPV)
            return connection


# ---- between the two ----


def _send(channel: socket, message: Json) -> None:
    with suppress(OSError):  # the end of the other side is noticed elsewhere
        channel.sendall(json.dumps(message).encode("ascii") + b"\n")


def _receive(channel: socket) -> Json | None:
    """The next message; None if the other process has ended."""
    line = b""
    while not line.endswith(b"\n"):
        try:
            byte = channel.recv(1)
        except OSError:
            return None
        if not byte:
            return None
        line += byte
    message: Json = json.loads(line)
    return message
