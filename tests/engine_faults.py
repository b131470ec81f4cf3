"""What may go wrong in an engine apart, done on purpose while a real film plays in a real player: a
table of what the viewer sees.

    PYTHONPATH=.:tests .venv/bin/python tests/engine_faults.py [--window] [FAULT ...]

plays in ``mpv`` with our script, or with ``--window`` in the window of ``rtvfi play``, which then
records it, too. The film is
``clips/anim/bbb_480p24_5s.mp4`` of the shared folder twelve times, with its sound, else the demo.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from anympv import ROOT, AnyMpv, OwnWindow

from rtvfi.core.data import data_path

SIGNALS: Final = {"SIGKILL": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}
_QUIET_GAP: Final = 0.125
"""Seconds without a picture that nobody notices: three of the film."""
_NEAR: Final = 0.1
"""Seconds before mpv tells of a switch of tracks that belong to it."""
_MOST_GB: Final = 1.0
"""What an engine may hold here."""


class Faulty(AnyMpv):
    """An mpv whose engine has faults on request."""

    def environ(self, folder: Path) -> dict[str, str]:
        """Where the engine looks for faults."""
        self._faults = folder / "faults"
        self._faults.mkdir()
        path = f"{ROOT / 'tests' / 'faulty'}:{ROOT}"
        return {"PYTHONPATH": path, "RTVFI_FAULTS": str(self._faults)}

    def do(self, fault: str) -> int:
        """Do a fault to the engine that runs; its number."""
        pid = int(self.tell()["pid"])
        if fault in SIGNALS:
            os.kill(pid, SIGNALS[fault])
            return pid
        order = self._faults / fault
        order.touch()
        self.wait(lambda: not order.exists(), f"the engine to begin with {fault}")
        return pid

    def wait_made(self) -> None:
        """Wait until the engine makes pictures and mpv shows them."""
        self.wait(lambda: self.is_ours_shown and _has_made(self), "pictures of the engine")


class FaultyWindow(OwnWindow, Faulty):
    """The window of ``rtvfi play`` of the same kind."""

    model = "dis"

    def _command(self, mpv: tuple[str, ...], files: list[str]) -> list[str]:
        said = self.folder / "said"  # a log file would have every word of mpv's pass through Python
        return ["sh", "-c", f'exec "$@" 2>"{said}"', "sh", *super()._command(mpv, files)]


def _has_made(mpv: AnyMpv) -> bool:
    return bool(mpv.tell().get("frames", {}).get("synthetic"))


@dataclass(frozen=True)
class Fault:
    """What happens, and when."""

    name: str
    when: str = "playing"
    """Or ``seeking``: a seek is sent at the same moment, and another one half a second later."""
    times: int = 1
    comes_back: bool = True
    """Pictures of an engine are awaited afterwards."""


FAULTS: Final = (
    Fault("nothing"),
    Fault("nothing", "seeking"),
    Fault("SIGKILL"),
    Fault("SIGKILL", "seeking"),
    Fault("SIGSTOP"),
    Fault("SIGSTOP", "seeking"),
    Fault("segfault"),
    Fault("segfault", "seeking"),
    Fault("abort"),
    Fault("exit"),
    Fault("hang_in_model"),
    Fault("hang_in_model", "seeking"),
    Fault("hold_interpreter"),
    Fault("hang_in_decoder"),
    Fault("hang_in_decoder", "seeking"),
    Fault("allocate"),
    Fault("allocate", "seeking"),
    Fault("raise_in_model", comes_back=False),
    Fault("device_error", comes_back=False),
    Fault("mistake", comes_back=False),
    Fault("cut_picture"),
    Fault("die_at_opening", "opening"),
    Fault("hang_at_opening", "opening", comes_back=False),
    Fault("SIGKILL", "paused"),
    Fault("SIGKILL", times=2, comes_back=False),
)


@dataclass(frozen=True)
class Seen:
    """By the viewer."""

    tracks: str
    sentences: tuple[str, ...]
    gap: float
    """Longest time without a new picture, seconds, until an engine's are back."""
    until: float
    """Seconds from the fault to the end of that time; 0 when it is too short to be noticed."""
    gap_after: float
    """The same from then on: mpv goes back to the engine's track."""
    smooth_after: float | None
    """Seconds from the fault until an engine's pictures are shown again."""
    recorded: str
    """What the recording holds, and what is said of it."""


def _film(folder: Path) -> Path:
    """A minute of a real film."""
    short = Path(os.environ.get("RTVFI_SHARED", ROOT.parent / "shared"))
    short = short / "clips" / "anim" / "bbb_480p24_5s.mp4"
    if not short.exists():
        return data_path("weights", "demo.mkv")
    film = folder / "film.mkv"
    loop = ("ffmpeg", "-v", "error", "-stream_loop", "11")
    subprocess.run([*loop, "-i", short, "-c", "copy", film], check=True)
    return film


def num_pictures(film: Path) -> int:
    """Pictures that can be decoded."""
    words = "-v error -count_frames -select_streams v -show_entries stream=nb_read_frames"
    done = subprocess.run(
        ["ffprobe", *words.split(), "-of", "csv=p=0", film],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.strip().strip(","))


class Trial:
    """One fault in one player.

    Args:
        folder: empty, for the player's home.
        film: what it plays.
        is_window: ``rtvfi play`` instead of mpv.
    """

    def __init__(self, folder: Path, film: Path, *, is_window: bool) -> None:
        self._log, self._stats = folder / "log", folder / "stats"
        self._said, self._report = folder / "said", folder / "report.json"
        mpv: tuple[str, ...] = ("--loop-playlist=inf", "--ao=null")
        mpv += (f"--log-file={self._log}", f"--dump-stats={self._stats}")
        mpv += ("--msg-level=cplayer=trace",)  # tells of show-text
        settings = {"wait": "5", "patience": "6", "memory": str(_MOST_GB)}
        if is_window:
            opts = ",".join(f"rtvfi-{name}={value}" for name, value in settings.items())
            mpv = (*mpv, f"--script-opts={opts}")
            words = ("--record", str(folder / "o.mkv"), "--report", str(self._report))
            self.player: Faulty = FaultyWindow(folder, film, film, words=words, mpv=mpv)
        else:
            self.player = Faulty(folder, film, film, mpv=mpv, model="dis", **settings)
        self._tracks: list[tuple[float, bool]] = []

    def seen(self, fault: Fault) -> Seen:
        """Play, do it, and look until the film is smooth again, or will not be."""
        with self.player as player:
            player.begin()
            player.wait_made()
            player.observe(lambda: self._tracks.append((time.monotonic(), player.is_ours_shown)))
            self._play_for(2)
            if fault.when == "paused":
                player.player.command("set", "pause", "yes")
                self._carry_out(fault)
                player.wait(lambda: not player.is_ours_shown, "the film's own track")
            player.player.command("script-message", "the-fault")
            begun = time.monotonic()
            if fault.when == "paused":
                player.player.command("set", "pause", "no")
            else:
                self._carry_out(fault)
            smooth = self._wait_smooth(begun, fault)
            self._play_for(3)
            player.player.command("quit")
            player.process.wait(120)
        tracks = [(at - begun, "smooth" if ours else "film") for at, ours in self._tracks]
        tracks = [b for a, b in pairwise([(0.0, ""), *tracks]) if a[1] != b[1]]
        shown = [name for at, name in tracks if at > 0 or fault.when == "paused"]
        is_back = [at for at, name in tracks if name == "smooth" and at > 0]
        back = is_back[-1] - _NEAR if is_back else math.inf
        gaps = self._gaps()
        longest = max([gap for gap in gaps if gap[1] - gap[0] < back], default=(0.0, 0.0))
        until = longest[1] if longest[0] > _QUIET_GAP else 0.0
        after = max([gap[0] for gap in gaps if gap[1] - gap[0] >= back], default=0.0)
        said = tuple(self._sentences())
        seen = " → ".join(["smooth", *shown])
        return Seen(seen, said, longest[0], until, after, smooth, self._recorded())

    def _carry_out(self, fault: Fault) -> None:
        player = self.player
        for turn in range(fault.times):
            if turn:
                player.wait_made()
            if fault.when == "seeking":
                player.player.command("seek", 20, "absolute+exact")
            if fault.name != "nothing":
                player.do(fault.name)
            if fault.when == "seeking":
                self._play_for(0.5)
                player.player.command("seek", 30, "absolute+exact")
            if fault.when == "opening":
                player.player.command("playlist-next")

    def _wait_smooth(self, begun: float, fault: Fault) -> float | None:
        player = self.player
        if not fault.comes_back:
            self._play_for(12)
            return None
        if fault.name not in ("nothing", "cut_picture") and fault.when != "paused":
            player.wait(
                lambda: any(not ours for at, ours in self._tracks if at > begun), "the film"
            )
        player.wait_made()
        return time.monotonic() - begun

    def _play_for(self, seconds: float) -> None:
        time.sleep(seconds)

    # ---- what mpv and the window wrote ----

    def _recorded(self) -> str:
        """The stretches in the recording, each held against its file."""
        if not self._report.exists():
            return ""
        recording = json.loads(self._report.read_text())["recording"]
        stretches = []
        for file in recording["files"]:
            there = num_pictures(self._report.parent / file["path"])
            wrong = "" if there == file["frames"] else f" ({there} pictures of {file['frames']})"
            stretches.append(f"{file['from']:.1f} to {file['to']:.1f} s{wrong}")
        said = re.findall(r"the recording (has a gap|ends early), because", self._said.read_text())
        return "; ".join(filter(None, (", ".join(stretches), *said, recording["error"])))

    def _fault_at(self) -> float:
        for line in self._log.read_text(errors="replace").splitlines():
            if "the-fault" in line and (found := re.match(r"\[ *([\d.]+)\]", line)):
                return float(found[1])
        raise AssertionError("mpv's log does not tell of the fault")

    def _gaps(self) -> list[tuple[float, float]]:
        """(how long, until when after the fault) no new picture was displayed."""
        text = self._stats.read_text()
        flips = [int(at) / 1e6 - 10 for at in re.findall(r"^(\d+) start video-flip", text, re.M)]
        begun = self._fault_at()
        return [(b - a, b - begun) for a, b in pairwise(flips) if b > begun]

    def _sentences(self) -> list[str]:
        """What was said on the screen after the fault."""
        lines = self._log.read_text(errors="replace").partition("the-fault")[2].splitlines()
        found = [
            re.search(r'Run command: show-text.*?args=\[text="(.*?)", dur', line) for line in lines
        ]
        return list(dict.fromkeys(match[1] for match in found if match))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--window", action="store_true", help="in the window of rtvfi play")
    parser.add_argument("faults", nargs="*", metavar="FAULT")
    words = parser.parse_args()
    sys.stdout.write(
        "| fault | while | track | on the screen | longest gap | pictures go on after | "
        "smooth again after | gap then | recording |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    for fault in FAULTS:
        if words.faults and fault.name not in words.faults:
            continue
        with tempfile.TemporaryDirectory() as folder:
            film = _film(Path(folder))
            home = Path(folder) / "home"
            home.mkdir()
            try:
                seen = Trial(home, film, is_window=words.window).seen(fault)
            except AssertionError as error:  # a machine that is too busy to play at all
                sys.stdout.write(f"| {fault.name} | {fault.when} | {error} |\n")
                continue
        smooth = "never" if seen.smooth_after is None else f"{seen.smooth_after:.1f} s"
        name = fault.name.replace("_", " ") + (" twice" if fault.times > 1 else "")
        cells = (name, fault.when, seen.tracks, "; ".join(seen.sentences) or "nothing")
        times = (f"{seen.gap:.2f} s", f"{seen.until:.2f} s", smooth, f"{seen.gap_after:.2f} s")
        sys.stdout.write(f"| {' | '.join((*cells, *times, seen.recorded))} |\n")
        sys.stdout.flush()
    load = os.getloadavg()
    sys.stdout.write(f"\n{os.cpu_count()} cores, load {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}\n")


if __name__ == "__main__":
    main()
