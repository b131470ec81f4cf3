"""The engines of one window of ours: child processes, one after the other.

The script in mpv decides when one is needed and when it must end; this process starts and ends
them, because mpv would kill its own children while they are still finishing a recording. An engine
prints its figures, one line each time, so that those of a killed engine are not lost.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from rtvfi.apart.figures import figures_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.apart.early import EarlyEngine
    from rtvfi.core.files import Json

_MOST_BYTES: Final = 1 << 16
"""Bytes kept of the end of an engine's messages."""
_READ_SECONDS: Final = 1.0
"""Longest wait for the last figures of an engine that has ended."""


@dataclass(slots=True)
class Engine:
    """One engine's process."""

    kill: Callable[[], object]
    leave: Callable[[float], object]
    """Waits for its end, at most so many seconds."""
    figures: Json = field(default_factory=dict)
    """Its newest figures."""
    why: str = ""
    """Why we ended it; ``leave`` = it was not needed any more; empty = we did not."""
    status: int | None = None
    """Exit code once it has ended; negative for a signal."""
    messages: str = ""
    """The end of its messages, once it has ended."""

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
            A function to call as soon as the script can receive a report of its end.
        """
        engine = Engine(early.kill, early.close)
        self.all.append(engine)
        reader = self._thread(partial(_read, engine, os.fdopen(early.figures, "rb")))

        def ended(status: int, words: str) -> None:
            reader.join(_READ_SECONDS)
            self._ended(engine, status, words)

        return partial(early.watch, ended)

    def start(self, words: str) -> None:
        """Start an engine.

        Args:
            words: its command line, as a JSON list.
        """
        if self._is_leaving:
            return
        said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the engine runs
        try:
            process = subprocess.Popen(
                json.loads(words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,  # Ctrl+C in the terminal is for the window
            )
        except OSError as error:
            said.close()
            self._tell_script(None, str(error))
            return
        assert process.stdout is not None
        engine = Engine(process.kill, lambda _: None)
        thread = self._thread(partial(self._watch, engine, process, process.stdout, said))
        engine.leave = thread.join
        self.all.append(engine)

    def end(self, why: str) -> None:
        """End the running engine.

        Args:
            why: the reason; ``leave`` = it was asked to end, and does so by itself.
        """
        if self.all:
            engine = self.all[-1]
            engine.why = engine.why or why
            if why != "leave":
                engine.kill()

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
            engine.leave(max(0.0, deadline - time.monotonic()))
            if engine.status is None:
                engine.kill()
                engine.leave(_READ_SECONDS)

    def _thread(self, work: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=work, name="rtvfi-engine", daemon=True)
        thread.start()
        return thread

    def _watch(
        self, engine: Engine, process: subprocess.Popen[bytes], lines: IO[bytes], said: IO[bytes]
    ) -> None:
        """Read an engine's output until it ends; runs on a thread for each engine."""
        _read(engine, lines)
        status = process.wait()
        with said:
            said.seek(max(0, said.seek(0, 2) - _MOST_BYTES))
            messages = said.read().decode(errors="replace")
        self._ended(engine, status, messages)

    def _ended(self, engine: Engine, status: int, messages: str) -> None:
        engine.status, engine.messages = status, messages
        self._tell_script(status, messages)

    def _tell_script(self, status: int | None, messages: str) -> None:
        with self._lock:
            if not self._is_leaving:
                self._tell(status, messages)


def _read(engine: Engine, lines: IO[bytes]) -> None:
    """Read figures, keeping the newest, until the pipe ends."""
    with lines:
        for line in lines:
            engine.figures = figures_of(line) or engine.figures
