"""Reports on a rendering: progress, a status line on SIGUSR1, a desktop notification at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.render.progress import JsonProgress, Pace, RichProgress, StatusFile, left_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from rtvfi.render.progress import Progress, State
    from rtvfi.settings.config import RenderOptions

LONG_SECONDS: Final = 60.0
"""A desktop notification is sent only after work of at least this duration."""
_NOTIFY_SECONDS: Final = 10


class Shows:
    """Reports on all files of a command.

    ``SIGUSR1`` prints a status line. At the end of long work a desktop notification is sent.
    """

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        self._began = time.monotonic()
        self._number = 0
        self._now: tuple[Pace, State | None, str] | None = None

    def __enter__(self) -> Self:
        self._previous = None
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGUSR1, lambda *_: self._say_left())
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGUSR1, self._previous)
        if not isinstance(error, KeyboardInterrupt):
            seconds = time.monotonic() - self._began
            notify_if_long(seconds, _ended(self._options.files, error))

    def begin(self, source: str, target: Path, num_files: int = 1) -> Progress:
        """Start reporting on the next file.

        Args:
            source: path or URL of the input.
            target: path of the output.
            num_files: more than one if several files are rendered together.

        Returns:
            Where to send progress.
        """
        self._number += num_files
        kinds: list[Progress] = [
            (JsonProgress if self._options.is_json else RichProgress)(source, target)
        ]
        if self._options.status is not None:
            kinds.append(StatusFile(self._options.status, source, target))
        self._now = (Pace(), None, target.name)
        return _Several(kinds, self._keep)

    def _keep(self, state: State) -> None:
        if self._now is not None:
            self._now = (self._now[0], state, self._now[2])

    def _say_left(self) -> None:
        if self._now is None:
            return
        clock_, state, name = self._now
        num_after = len(self._options.files) - self._number
        after = f", {num_after} files after it" if num_after > 1 else ""
        after = ", 1 file after it" if num_after == 1 else after
        if state is None:
            sys.stderr.write(f"{name}: starting{after}\n")
        else:
            rate, left = clock_.pace(state)
            sys.stderr.write(
                f"{name}: {state.num_frames}/{state.total or '?'} frames, {rate:.1f} fps, "
                f"{left_text(left)} left{after}\n"
            )
        sys.stderr.flush()


class _Several:
    """Shows progress in several ways at once."""

    def __init__(self, kinds: Sequence[Progress], keep: Callable[[State], None]) -> None:
        self._kinds, self._keep = kinds, keep

    def show(self, state: State) -> None:
        """Show a state in all ways."""
        self._keep(state)
        for kind in self._kinds:
            kind.show(state)

    def end(self) -> None:
        """Stop showing in all ways."""
        for kind in self._kinds:
            kind.end()


def _ended(files: Sequence[str], error: BaseException | None) -> str:
    what = Path(files[0]).name if len(files) == 1 else f"{len(files)} films"
    return f"{what}: {'rendered' if error is None else 'rendering failed'}"


def notify_if_long(seconds: float, text: str) -> None:
    """Send a desktop notification, if there is a desktop and the work took at least a minute.

    Args:
        seconds: how long the work took.
        text: the notification.
    """
    program = shutil.which("notify-send")
    has_desktop = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if seconds < LONG_SECONDS or program is None or not has_desktop:
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            [program, "--app-name=rtvfi", "--icon=video-x-generic", "--", "rtvfi", text],
            check=False,
            capture_output=True,
            timeout=_NOTIFY_SECONDS,
        )
