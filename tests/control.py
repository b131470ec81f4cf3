"""The owner of an engine: requests and answers over its socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 60.0


class Engine:
    """A running ``rtvfi serve --control``; use it as a context manager, which ends it."""

    def __init__(
        self, folder: Path, *options: str, environ: Mapping[str, str] | None = None
    ) -> None:
        words = [sys.executable, "-P", "-m", "rtvfi", "serve", "--control", str(folder / "sock")]
        words += ["--device", "cpu", "--hwaccel", "none", *options]
        self.process = subprocess.Popen(
            words,
            env={**os.environ, "PYTHONPATH": str(ROOT), "RTVFI_CONFIG": "", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.path = folder / "sock"
        self.notes: list[str] = []
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(PATIENCE)
        self._lines: Any = None
        self._number = 0

    def listening(self) -> dict[str, Any]:
        """Wait until it listens; what it printed."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the engine ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def connect(self) -> None:
        """Become the owner."""
        self.connection.connect(str(self.path))
        self._lines = self.connection.makefile("rb")

    def __enter__(self) -> Self:
        self.listening()
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()
        self.wait()

    def leave(self) -> None:
        """Close the connection without a word."""
        if self._lines is not None:
            self._lines.close()
        self.connection.close()

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        """A request and its answer."""
        self._number += 1
        self.send(json.dumps({"id": self._number, "do": do, **words}).encode())
        answer = self.answer()
        assert answer["id"] == self._number
        return answer

    def send(self, line: bytes) -> None:
        """A line as it is."""
        self.connection.sendall(line + b"\n")

    def answer(self) -> dict[str, Any]:
        """The next answer; notes before it are kept."""
        while True:
            message: dict[str, Any] = json.loads(self._lines.readline())
            if "note" not in message:
                return message
            self.notes.append(message["note"])
