"""A real ``mpv`` with our script in a fresh folder, told and asked by its JSON IPC.

Nothing here sleeps for a condition but where a process must be gone, which nobody tells.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import cv2
from barcode import read_code
from clips import FILM
from seeks import HALF

from rtvfi.apart.script import install
from rtvfi.playing.mpv.remote import RemoteMpv

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 60.0
MPV: Final = shutil.which("mpv")
ADDRESSES: Final = ("http://127.0.0.1:", "rtvfi://")
"""What the addresses of our tracks begin with: in any mpv, and in a window of our own."""
_QUIET: Final = ("--vo=null", "--ao=null", "--no-terminal", "--ytdl=no")


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_gone(pid: int) -> None:
    """Wait until a process that is not ours has ended."""
    deadline = time.monotonic() + PATIENCE
    while is_there(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


class AnyMpv:
    """A running ``mpv``; use it as a context manager, which ends it.

    Args:
        folder: empty, for its home.
        files: what it plays.
        mpv: options of it.
        settings: lines of script-opts/rtvfi.conf.
    """

    def __init__(
        self,
        folder: Path,
        *files: Path | str,
        mpv: tuple[str, ...] = ("--pause",),
        **settings: str,
    ) -> None:
        self.folder = folder
        self.runtime = folder / "run"
        self.runtime.mkdir(mode=0o700)
        self._socket = str(folder / "mpv.sock")
        command = [sys.executable, "-P", "-m", "rtvfi"]
        _, conf = install(folder / "mpv", command)
        lines = {
            "wait": "60",
            "patience": "60",
            "model": "copy",
            "fps": "2x",
            "more": "--device cpu --hwaccel none",
        } | {key.replace("_", "-"): value for key, value in settings.items()}
        with conf.open("a") as file:
            file.writelines(f"{key}={value}\n" for key, value in lines.items())
        environ = {
            **os.environ,
            "HOME": str(folder),
            "MPV_HOME": str(folder / "mpv"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "RTVFI_CONFIG": "",
            "PYTHONPATH": str(ROOT),
        } | self.environ(folder)
        words = self._command((f"--input-ipc-server={self._socket}", *mpv), [*map(str, files)])
        self.process = subprocess.Popen(words, env=environ, stdin=subprocess.DEVNULL)
        self._changed = threading.Condition()
        self._is_settled = False
        self._num_pictures = 0
        self._num_echoes = 0
        self._told: dict[str, Any] | None = None
        self.said: list[str] = []
        self.player: Any = None

    def environ(self, folder: Path) -> dict[str, str]:
        """More of its environment; ``folder`` is its own."""
        del folder
        return {}

    def _command(self, mpv: tuple[str, ...], files: list[str]) -> list[str]:
        assert MPV is not None
        return [MPV, *_QUIET, *mpv, "--", *files]

    def __enter__(self) -> Self:
        deadline = time.monotonic() + PATIENCE
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self._socket)
                break
            except OSError:
                connection.close()
                assert time.monotonic() < deadline, "mpv does not listen"
                assert self.process.poll() is None, "mpv does not start"
                time.sleep(0.02)
        self.player = player = RemoteMpv(connection)
        player.event_callback("playback-restart")(lambda _: self._settled(is_settled=True))
        player.event_callback("seek", "start-file")(lambda _: self._settled(is_settled=False))
        player.register_message_handler("rtvfi-told", self._take)
        player.register_message_handler("test-echo", self._echo)
        for name in ("vid", "time-pos", "pause", "path", "playback-time"):
            player.observe_property(name, lambda *_: self._wake())
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self.process.wait(PATIENCE)
        self.player.close()

    # ---- waiting ----

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _settled(self, *, is_settled: bool) -> None:
        with self._changed:
            self._is_settled = is_settled
            self._num_pictures += is_settled
            self._changed.notify_all()

    def _take(self, text: str) -> None:
        with self._changed:
            self._told = json.loads(text)
            self._changed.notify_all()

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until ``is_so``, looked at whenever mpv tells of a change, and now and then."""
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            with self._changed:
                self._changed.wait(0.1)

    def observe(self, told: Callable[[], None]) -> None:
        """Call ``told`` whenever another video track is shown, and now."""
        self.player.observe_property("vid", lambda *_: told())

    def wait_shown(self) -> None:
        """Wait for the picture of the film, seek or switch under way."""
        self.wait(lambda: self._is_settled, "a picture")

    def begin(self) -> None:
        """Wait until the first film has its picture (it may have had it before we asked)."""
        # While mpv waits in its hook, 0.41 has a time already, but no picture.
        self.wait(lambda: self.player.video_params is not None, "the film")
        self.wait(lambda: self.player.seeking is False, "a picture")

    def _catch_up(self) -> None:
        """Take in what mpv has told up to now: the picture of an earlier command is not taken for
        that of the next.
        """
        before = self._num_echoes
        self.player.command("script-message", "test-echo")
        self.wait(lambda: self._num_echoes > before, "an echo")

    def _echo(self, *_: object) -> None:
        with self._changed:
            self._num_echoes += 1
            self._changed.notify_all()

    def settle(self, *command: Any) -> None:
        """Carry out a command that seeks, alone, and wait for its picture."""
        self._catch_up()
        before = self._num_pictures
        self.player.command(*command)
        self.wait(lambda: self._num_pictures > before and self._is_settled, f"{command}")

    def wait_ours(self) -> None:
        """Wait until the interpolated track is shown."""
        self.wait(lambda: self.is_ours_shown, "our track")

    def leaves_nothing(self, engine: int, code: int = 0) -> None:
        """Wait for the end of the window, and then for that of its engine."""
        assert self.process.wait(PATIENCE) == code
        wait_gone(engine)
        assert [*self.runtime.iterdir()] == []

    def quit(self) -> None:
        """End it by command; nothing of it and its engine may be left."""
        engine = self.tell()["pid"]
        self.player.command("quit")
        self.leaves_nothing(engine)

    # ---- looking ----

    def tell(self) -> dict[str, Any]:
        """What the engine says of itself, or the script where there is none: then it has no pid."""
        with self._changed:
            self._told = None

        def has_answer() -> bool:
            if self._told is None:  # an engine that has just begun or died may have missed it
                self.player.command("script-message", "rtvfi-tell")
            return self._told is not None

        self.wait(has_answer, "an answer")
        assert self._told is not None
        return self._told

    def kill_engine(self) -> int:
        """Kill it and wait for the film's own track; returns the number its process had."""
        pid: int = self.tell()["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_gone(pid)
        self.wait(lambda: not self.is_ours_shown, "the film's own track")
        return pid

    @property
    def is_ours_shown(self) -> bool:
        """Whether the selected video track is the interpolated one."""
        return any(
            track["selected"] and str(track.get("external-filename", "")).startswith(ADDRESSES)
            for track in self.player.track_list
            if track["type"] == "video"
        )

    @property
    def time(self) -> float:
        """Where mpv says it is."""
        return float(self.player.time_pos)

    def number(self) -> int | None:
        """The bar code on the screen."""
        path = self.folder / "shot.png"
        self.player.command("screenshot-to-file", str(path), "video")
        picture = cv2.imread(str(path))
        assert picture is not None
        return read_code(picture)

    def off_by(self, rate: float) -> float:
        """How far the picture on the screen is from the time mpv states, in source frames."""
        number = self.number()
        assert number is not None, f"no number on the screen at {self.time}"
        return abs(number - self.time * rate)

    def check_at(self, target: float) -> None:
        """Seek exactly, in a film of the usual rate: the picture must be that of the time."""
        self.settle("seek", target, "absolute+exact")
        assert self.off_by(float(FILM)) < HALF


class OwnWindow(AnyMpv):
    """The same of ``rtvfi play`` with the engine apart.

    Args:
        folder: see ``AnyMpv``, like ``files`` and ``settings``.
        words: more of its command line.
    """

    model = "copy"

    def __init__(
        self, folder: Path, *files: Path | str, words: tuple[str, ...] = (), **settings: Any
    ) -> None:
        self._words = words
        super().__init__(folder, *files, **settings)

    def _command(self, mpv: tuple[str, ...], files: list[str]) -> list[str]:
        words = [sys.executable, "-P", "-m", "rtvfi", "play", "--engine", "apart"]
        words += ["--model", self.model, "--fps", "2x", "--device", "cpu", "--hwaccel", "none"]
        patient = "--script-opts=rtvfi-patience=60"
        for option in (*_QUIET, patient, *mpv):
            words += ["--mpv", option.removeprefix("--").replace("no-terminal", "terminal=no")]
        return [*words, *self._words, "--", *files]
