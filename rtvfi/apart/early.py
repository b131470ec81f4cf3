"""The engine of a window of ours, begun before there is a window.

``rtvfi play`` splits in two before it has loaded libmpv, PyAV or torch, and before it has a thread:
the copy becomes the engine, and loads decoder and network while the other loads libmpv and opens
the window. So neither waits for the other, Python starts once, and the drivers of a GPU are loaded
by one process each. Both are told of the other's end by a pair of sockets between them: it closes.

An engine that follows, after a death or a rest, is started by the script (``rtvfi serve``).
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
    from collections.abc import Callable

    from rtvfi.core.files import Json
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)

_NAME: Final = "rtvfi-engine"
_KEPT_BYTES: Final = 1 << 12
"""Of the last words of an engine."""
_PIECE_BYTES: Final = 1 << 16
_LEAVE_SECONDS: Final = 1.5
"""Longest wait for an engine that was told to end; it takes 0.5 s for threads that are busy."""
_TRY_SECONDS: Final = 0.005
_CONNECT_SECONDS: Final = 10.0


class EarlyEngine:
    """The engine that was begun, seen from the window's process.

    Args:
        pid: of its process, a child of this one.
        channel: closes when it ends.
        said: a pipe with its messages.
    """

    def __init__(self, pid: int, channel: socket, said: int) -> None:
        self.pid = pid
        self._channel = channel
        self._said = said
        self._guard = threading.Lock()
        self._is_there = True
        self._watcher: threading.Thread | None = None

    def check(self) -> None:
        """Wait until it knows that it can run.

        Raises:
            RtvfiError: it cannot, as it says.
        """
        answer = _receive(self._channel)
        if answer is None or not answer:  # it has died, which the script will say; or all is well
            return
        kind = UsageError if answer["exit_code"] == UsageError.exit_code else DeviceError
        self.close()
        raise kind(answer["message"], answer["hint"])

    def meet(self, path: Path, script: str) -> None:
        """Tell it where mpv listens.

        Args:
            path: of the socket, whose name it removes if that was made for it.
            script: name of our script in that mpv.
        """
        with self._guard:
            if self._is_there:
                _send(self._channel, {"path": os.fsdecode(path), "script": script})

    def watch(self, ended: Callable[[int, str], None]) -> None:
        """Tell of its end: exit status, negative for a signal, and its last words (a thread's)."""

        def run() -> None:
            words = self._last_words()
            _, status = os.waitpid(self.pid, 0)
            with self._guard:
                self._is_there = False
                self._channel.close()
            ended(os.waitstatus_to_exitcode(status), words)

        self._watcher = threading.Thread(target=run, name=_NAME, daemon=True)
        self._watcher.start()

    def kill(self) -> None:
        """End it at once; any thread."""
        with self._guard:
            if self._is_there:
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it in order, or, if it takes long, at once; wait until it has."""
        with suppress(OSError):
            self._channel.shutdown(SHUT_RDWR)
        if self._watcher is None:
            self.watch(lambda _status, _words: None)
            assert self._watcher is not None
        self._watcher.join(_LEAVE_SECONDS)
        self.kill()
        self._watcher.join(_LEAVE_SECONDS)

    def _last_words(self) -> str:
        """Wait for its end; what it said last."""
        words, is_over = b"", False
        poll = select.poll()
        for number in (self._channel.fileno(), self._said):
            os.set_blocking(number, False)
            poll.register(number, select.POLLIN)
        while not is_over:
            ready = [number for number, _ in poll.poll()]
            # The pipe last: what was said before the end is there by then.
            for number in sorted(ready, key=lambda number: number == self._said):
                data = _read(number)
                if number == self._said:
                    words = (words + data)[-_KEPT_BYTES:]
                    if not data:
                        poll.unregister(number)
                elif not data:
                    is_over = True
        while data := _read(self._said):
            words = (words + data)[-_KEPT_BYTES:]
        os.close(self._said)
        text = words.decode(errors="replace")
        log.debug("the engine has ended: %s", text.strip())
        return text


def begin(options: PlayOptions) -> EarlyEngine | None:
    """Split in two; the copy does not return.

    Args:
        options: how films are shown; the first file is opened at once.

    Returns:
        The engine; None where this process has threads, which a copy would not have.
    """
    if threading.active_count() > 1:
        return None
    ours, its = socketpair()
    said, saying = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            os.close(said)
            code = _engine(options, its, saying)
        finally:
            sys.stderr.flush()
            os._exit(code)
    its.close()
    os.close(saying)
    return EarlyEngine(pid, ours, said)


# ---- in the engine ----


def _engine(options: PlayOptions, channel: socket, saying: int) -> int:
    """Be the engine; returns the exit code."""
    go_first()
    os.setsid()  # Ctrl+C in the terminal ends the window, and that ends us
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, ours in ((nothing, 0), (nothing, 1), (saying, 2)):
        os.dup2(number, ours)
    with suppress(OSError):
        Path("/proc/self/comm").write_text(_NAME, encoding="ascii")  # for ps
    # The script shows what it is told; a terminal belongs to the player.
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
    engine = attached.Attached(options)
    engine.prefetch()
    met = _receive(channel)
    connection = None if met is None else _connected(Path(met["path"]), channel)
    if met is None or connection is None:
        return 0
    return engine.run(connection, met["script"])


def _connected(path: Path, channel: socket) -> socket | None:
    """A connection to an mpv that has just been told to listen; None when it has ended.

    Raises:
        PlayerError: nobody listens there.
    """
    from rtvfi.apart.attached import connect

    deadline = time.monotonic() + _CONNECT_SECONDS
    poll = select.poll()
    poll.register(channel, 0)  # its end alone
    while True:
        try:
            connection = connect(path)
        except RtvfiError:
            # mpv tells nobody when it has begun to listen.
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
    with suppress(OSError):  # whoever has gone is noticed elsewhere
        channel.sendall(json.dumps(message).encode("ascii") + b"\n")


def _receive(channel: socket) -> Json | None:
    """The next message; None when the other has ended."""
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


def _read(number: int) -> bytes:
    """What is there; nothing at the end, and where there is nothing yet."""
    try:
        return os.read(number, _PIECE_BYTES)
    except OSError:
        return b""
