"""The engines of one window of ours: child processes, one after the other.

The script in mpv decides when one is needed and when it must end; this process starts and ends
them, because mpv would kill its own children while they are still finishing a recording. An engine
prints its figures, one line each time, so that those of a killed engine are not lost; its warnings
are shown in the terminal.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader
from typing import IO, TYPE_CHECKING, Final, Protocol, cast

from rtvfi.apart.figures import figures_of
from rtvfi.core.program import start

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import FileIO

    from rtvfi.apart.early import EarlyEngine
    from rtvfi.core.files import Json

log = logging.getLogger(__name__)

_MOST_CHARACTERS: Final = 1 << 16
"""What is kept of the end of an engine's messages."""
_READ_SECONDS: Final = 1.0
"""Longest wait for the last lines of an engine that has ended: a child of its own may still hold
its pipes.
"""
_WARNING: Final = "warning: "
"""Beginning of the line of a warning; see ``core/logs.py``."""


class Process(Protocol):
    """A child process; any thread may use it."""

    def wait(self) -> int:
        """Wait for its end; returns its exit code, negative for a signal."""

    def kill(self) -> None:
        """Kill it, unless it has ended."""


@dataclass(slots=True)
class Engine:
    """One engine's process."""

    process: Process
    thread: threading.Thread | None = None
    """Waits for its end, and reports it."""
    figures: Json = field(default_factory=dict)
    """Its newest figures."""
    messages: str = ""
    """The end of its messages."""
    why: str = ""
    """Why we ended it; ``leave`` = it was not needed any more; empty = we did not."""
    status: int | None = None
    """Exit code once it has ended; negative for a signal."""

    @property
    def early_end(self) -> str:
        """Why it ended although it was still needed; empty if it did not."""
        if not self.status or self.why == "leave":
            return ""
        lines = self.messages.splitlines()
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        if self.why or errors:
            return self.why or errors[-1]
        with suppress(ValueError):
            return f"killed by {signal.Signals(-self.status).name}"
        return f"ended with code {self.status}"


class Engines:
    """All engines of a window.

    Args:
        tell: reports the end of an engine to the script, with exit code and messages, or with None
            and a reason if one could not be started. It is called on a thread of this class, and
            not after ``about_to_leave``.
    """

    def __init__(self, tell: Callable[[int | None, str], object]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._is_leaving = False
        self.all: list[Engine] = []
        """All engines in the order of their start."""

    def adopt(self, early: EarlyEngine) -> Callable[[], object]:
        """Take over an engine that was started already.

        Returns:
            A function to call once, as soon as the script can receive a report of its end.
        """
        return self._add(early, os.fdopen(early.out, "rb"), os.fdopen(early.err, "rb"))

    def start(self, words: str) -> None:
        """Start an engine.

        Args:
            words: its command line, as a JSON list.
        """
        if self._is_leaving:
            return
        try:
            started = start(json.loads(words))
        except OSError as error:
            self._tell_script(None, str(error))
            return
        out, err = (BufferedReader(cast("FileIO", pipe)) for pipe in (started.out, started.err))
        self._add(started.process, out, err)()

    def end(self, why: str) -> None:
        """Kill the running engine.

        Args:
            why: the reason; ``leave`` = it is not needed now.
        """
        if self.all:
            engine = self.all[-1]
            engine.why = engine.why or why
            engine.process.kill()

    def about_to_leave(self) -> None:
        """Prepare for the end of the player: from now on no end is early, and none is reported."""
        with self._lock:
            self._is_leaving = True
            for engine in self.all:
                if engine.status is None:
                    engine.why = "leave"

    def leave(self, seconds: float) -> None:
        """Wait until the engine ends, which it does when the player has ended; then kill it."""
        deadline = time.monotonic() + seconds
        for engine in self.all:
            if engine.thread is None:  # the script has never been ready to hear of it
                engine.process.kill()
                continue
            engine.thread.join(max(0.0, deadline - time.monotonic()))
            if engine.status is None:
                engine.process.kill()
                engine.thread.join(2 * _READ_SECONDS)

    def _add(self, process: Process, out: IO[bytes], err: IO[bytes]) -> Callable[[], object]:
        """Read what an engine writes; returns what begins to wait for its end."""
        engine = Engine(process)
        readers = [
            _thread(partial(_read_figures, engine, out)),
            _thread(partial(_read_messages, engine, err)),
        ]
        with self._lock:
            self.all.append(engine)
            engine.why = "leave" if self._is_leaving else ""

        def wait() -> None:
            engine.thread = _thread(partial(self._wait, engine, readers))

        return wait

    def _wait(self, engine: Engine, readers: list[threading.Thread]) -> None:
        """Wait until an engine has ended, and report it; runs on a thread of its own."""
        status = engine.status = engine.process.wait()
        deadline = time.monotonic() + _READ_SECONDS
        for reader in readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        log.debug("an engine has ended with code %d: %s", status, engine.messages.strip())
        self._tell_script(status, engine.messages)

    def _tell_script(self, status: int | None, messages: str) -> None:
        with self._lock:
            if not self._is_leaving:
                self._tell(status, messages)


def _thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, name="rtvfi-engine", daemon=True)
    thread.start()
    return thread


def _read_figures(engine: Engine, lines: IO[bytes]) -> None:
    """Read figures, keeping the newest, until the pipe ends."""
    with lines:
        for line in lines:
            engine.figures = figures_of(line) or engine.figures


def _read_messages(engine: Engine, lines: IO[bytes]) -> None:
    """Read messages, keeping the end and passing on warnings, until the pipe ends."""
    with lines:
        for line in lines:
            text = line.decode(errors="replace")
            engine.messages = (engine.messages + text)[-_MOST_CHARACTERS:]
            if text.startswith(_WARNING):
                log.warning("%s", text.removeprefix(_WARNING).rstrip("\n"))
