"""A player with a real mpv and no display: commands in, events and pictures out.

Nothing here sleeps. A test asks for something and waits for the event that says it happened.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from barcode import read_code

from rtvfi.core.options import SourceOptions, StreamOptions
from rtvfi.player import Player
from rtvfi.playing.mpv import window
from rtvfi.settings.config import PlayOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction
    from pathlib import Path

    import pytest
    from numpy.typing import NDArray

    from rtvfi.engine.build import Viewing

PATIENCE: Final = 40.0
"""Seconds after which an event that did not come is a failure; never waited out otherwise."""

_QUIET: Final = (
    ("config", "no"),
    ("vo", "null"),
    ("ao", "null"),
    ("osc", "no"),
    ("load-scripts", "no"),
    ("ytdl", "no"),
    ("input-terminal", "no"),
)


class Playing:
    """A running ``Player``; use it as a context manager, which ends it.

    Args:
        monkeypatch: to see the window when it opens.
        files: what to play.
        mpv: options for mpv on top of those without display and sound.
        options: fields of ``PlayOptions``.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *files: Path | str,
        mpv: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        fields: dict[str, Any] = {
            "files": tuple(map(str, files)),
            "model": "copy",
            "device": "cpu",
            "fps": "2x",
            "stream": StreamOptions(),
            "source": SourceOptions(hwaccel="none", threads=1),
        }
        fields |= options | {"mpv": (*_QUIET, *(mpv or {"pause": "yes"}).items())}
        self._player = Player(PlayOptions(**fields))
        self._changed = threading.Condition()
        self._events: Counter[str] = Counter()
        self._is_there = False
        """The picture of the newest file, seek or switch is shown."""
        self._values: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._run, name="player-under-test")
        self.mpv: Any = None
        self.code: int | None = None
        self.error: Exception | None = None
        real = window.open_window

        def open_window(given: Any) -> Any:
            handle = real(given)
            self._listen(handle)
            return handle

        monkeypatch.setattr(window, "open_window", open_window)

    def _run(self) -> None:
        try:
            self.code = self._player.run()
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.error = error
        with self._changed:
            self._changed.notify_all()

    def _listen(self, handle: Any) -> None:
        for name in ("file-loaded", "seek", "playback-restart", "end-file", "shutdown"):
            handle.event_callback(name)(lambda _, name=name: self.note(name))
        for name in ("time-pos", "pause", "vid", "seeking", "sub-text"):
            handle.observe_property(name, self._set)
        with self._changed:
            self.mpv = handle
            self._changed.notify_all()

    def note(self, event: str) -> None:
        """Count an event; a test may add its own."""
        with self._changed:
            self._events[event] += 1
            if event in ("file-loaded", "seek"):
                self._is_there = False
            elif event == "playback-restart":
                self._is_there = True
            self._changed.notify_all()

    def _set(self, name: str, value: Any) -> None:
        with self._changed:
            self._values[name] = value
            self._changed.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait(lambda: self.mpv is not None or not self._thread.is_alive(), "a window")
        if self.error is not None:
            raise self.error
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive() and not self._events["shutdown"]:
            self.mpv.command("quit")
        self.join()

    def join(self) -> int | None:
        """Wait for the player's own end; its exit code."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the player did not end"
        return self.code

    # ---- waiting ----

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until events have made ``is_so`` true."""
        with self._changed:
            assert self._changed.wait_for(is_so, PATIENCE), f"waited in vain for {what}"

    def count(self, event: str) -> int:
        """How often an event came."""
        with self._changed:
            return self._events[event]

    def wait_for(self, event: str, count: int = 1) -> None:
        """Wait until ``event`` has come ``count`` times in all."""
        self.wait(lambda: self._events[event] >= count, f"{event} number {count}")

    def wait_value(self, name: str, value: Any) -> None:
        """Wait until a watched property (time-pos, pause, vid, sub-text) has a value."""
        self.wait(lambda: self._values.get(name) == value, f"{name} = {value}")

    def settle(self, *command: Any) -> None:
        """Carry out a command that seeks, alone, and wait for its picture."""
        self._await_picture("seek", lambda: self.mpv.command(*command))

    def next_file(self, command: str = "playlist-next") -> None:
        """Go to another entry and wait for its first picture."""
        self._await_picture("file-loaded", lambda: self.mpv.command(command))

    def _await_picture(self, event: str, act: Callable[[], object]) -> None:
        """Wait for an event that ``act`` brings, and then for the picture that belongs to it.

        Counting pictures will not do: one that a switch before it brought may come late.
        """
        count = self.count(event)
        act()
        self.wait(
            lambda: self._events[event] > count and self._is_there, f"a picture after {event}"
        )

    def land(self, target: float) -> None:
        """Seek while others may be under way; wait until this one has its picture."""
        self.mpv.command("seek", target, "absolute+exact")
        # In this order: a seek that is only queued leaves both properties as they were, and one
        # under way already states its target.
        self.wait(
            lambda: abs((self.mpv.time_pos or -1) - target) < 0.2 and not self.mpv.seeking,
            f"a picture at {target}",
        )

    def switch(self, *command: Any) -> None:
        """Carry out a command that changes the track of a paused film; wait for its picture.

        mpv sends no event when the new track's picture is there: a seek on the spot does.
        """
        track = self.mpv.vid

        def change() -> None:
            self.mpv.command(*command)
            self.wait(lambda: self._values.get("vid") not in (None, track), "the other track")

        is_by_us = command[0] in ("script-message", "keypress")
        if is_by_us and self.is_ours_shown and not self.tracks("audio"):
            self._await_picture("seek", change)  # a silent film is sought on the spot anyway
        else:
            change()
        self.settle("seek", 0, "relative+exact")

    def step(self) -> None:
        """One frame forward; mpv sends no event but moves time-pos and pauses again."""
        before = self._values.get("time-pos")
        self.mpv.command("frame-step")
        self.wait(
            lambda: self._values.get("time-pos") != before and self._values.get("pause") is True,
            "the next frame",
        )

    # ---- looking ----

    @property
    def viewing(self) -> Viewing:
        """What is shown of ours."""
        viewing = self._player._showing.viewing
        assert viewing is not None, "the film plays as it is"
        return viewing

    @property
    def time(self) -> float:
        """Where mpv says it is."""
        return float(self.mpv.time_pos)

    def picture(self) -> NDArray[np.uint8]:
        """What is shown, (H, W, 3), without subtitles and overlay."""
        shot = self.mpv.command("screenshot-raw", "video")
        flat = np.frombuffer(shot["data"], np.uint8).reshape(shot["h"], shot["stride"])
        return flat[:, : 4 * shot["w"]].reshape(shot["h"], shot["w"], 4)[..., :3]

    def number(self) -> int | None:
        """The bar code on the screen."""
        return read_code(self.picture())

    def tracks(self, kind: str = "video") -> list[dict[str, Any]]:
        """mpv's tracks of a kind."""
        return [track for track in self.mpv.track_list if track["type"] == kind]

    @property
    def is_ours_shown(self) -> bool:
        """Whether the selected video track is the interpolated one."""
        return any(
            track["selected"] and str(track.get("external-filename", "")).startswith("rtvfi:")
            for track in self.tracks()
        )


def off_by(playing: Playing, rate: Fraction) -> float:
    """How far the picture on the screen is from the time mpv states, in source frames."""
    number = playing.number()
    assert number is not None, f"no number on the screen at {playing.time}"
    return abs(number - playing.time * float(rate))
