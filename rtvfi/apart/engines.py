"""The engines of one window of ours: processes, one after the other.

The script in mpv says when one is wanted and when it has to go; this process starts and ends them,
because mpv would kill its own children while they still finish a recording. What an engine prints
are its figures, line by line, so that those of a killed one are not lost.
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
"""As much of the end of what an engine said counts."""
_READ_SECONDS: Final = 1.0
"""Longest wait for the last figures of an engine that has ended."""


@dataclass(slots=True)
class Engine:
    """One process."""

    kill: Callable[[], object]
    leave: Callable[[float], object]
    """Waits so many seconds for its end."""
    figures: Json = field(default_factory=dict)
    """The newest it told."""
    why: str = ""
    """Why it was ended by us; ``leave``: nobody needed it."""
    status: int | None = None
    """Exit code once it has ended; negative for a signal."""
    messages: str = ""
    """The end of what it said, once it has ended."""

    @property
    def early_end(self) -> str:
        """Why it ended although it was needed; empty = it did not."""
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
        tell: tells the script of an end, with exit code and messages, or None and a reason where
            one could not be started; called on a thread of ours, and not once the player goes.
    """

    def __init__(self, tell: Callable[[int | None, str], object]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._is_leaving = False
        self.all: list[Engine] = []
        """In order."""

    def adopt(self, early: EarlyEngine) -> Callable[[], object]:
        """Take over one that was begun already.

        Returns:
            To be called when the script can be told of its end.
        """
        engine = Engine(early.kill, lambda _seconds: early.close())
        self.all.append(engine)
        reader = self._thread(partial(_read, engine, os.fdopen(early.figures, "rb")))

        def ended(status: int, words: str) -> None:
            reader.join(_READ_SECONDS)
            self._ended(engine, status, words)

        return partial(early.watch, ended)

    def start(self, words: str) -> None:
        """Start one.

        Args:
            words: its command line, a JSON list.
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
        """End the one that runs.

        Args:
            why: ``leave``: it was told to, and ends in order.
        """
        if self.all:
            engine = self.all[-1]
            engine.why = engine.why or why
            if why != "leave":
                engine.kill()

    def about_to_leave(self) -> None:
        """The player goes: nobody is told any more, and no end is early."""
        with self._lock:
            self._is_leaving = True
            for engine in self.all:
                if engine.status is None:
                    engine.why = "leave"

    def leave(self, seconds: float) -> None:
        """The player is gone, which ends an engine: wait for that, and kill what is left."""
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
        """An engine's own thread."""
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
    """Keep the newest figures until the pipe ends."""
    with lines:
        for line in lines:
            engine.figures = figures_of(line) or engine.figures
