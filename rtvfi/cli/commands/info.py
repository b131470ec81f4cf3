"""``rtvfi info``: analyses every frame of a film for its rate, scene cuts and cadence."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from rtvfi.core.errors import DecodeError, UsageError
from rtvfi.core.frame import EndOfStream
from rtvfi.core.logs import plain
from rtvfi.core.options import CUT_THRESHOLD, SourceOptions
from rtvfi.stream.see.cadence import estimate, passes_for

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from fractions import Fraction

    from rich.console import Console

    from rtvfi.core.files import Json
    from rtvfi.core.frame import SourceFrame, StreamInfo
    from rtvfi.stream.decode.source import FrameSource
    from rtvfi.stream.see.changes import Change
    from rtvfi.stream.see.cuts import Seen

SUMMARY: Final = "analyse a film: cuts, frame rate, cadence"

log = logging.getLogger(__name__)

RateClass = Literal["constant", "gaps", "irregular"]


@dataclass(slots=True)
class Scene:
    """The frames from one cut to the next."""

    start: int
    """Index of the first frame."""
    frames: int = 0
    """Number of frames."""
    cadence: int | None = None
    """How many frames a drawing is held, 1 to 4; None if too little moves."""
    repeats: float = 0.0
    """Fraction of the frames that repeat the previous one."""
    passes: int = 0
    """Number of midpoint passes that suits the cadence."""


@dataclass(slots=True)
class Findings:
    """The result of ``look``."""

    stream: StreamInfo
    rate_class: RateClass = "constant"
    """``gaps``: frames are on the grid of the nominal rate, but some are missing; ``irregular``:
    frames are not on that grid.
    """
    frames: int = 0
    duration: float = 0.0
    """Seconds from the first frame to the end of the last."""
    is_complete: bool = True
    """Whether all of the file could be decoded."""
    scenes: list[Scene] = field(default_factory=list)

    @property
    def cuts(self) -> list[int]:
        """Indices of the frames that start a scene, without the first frame of the film."""
        return [scene.start for scene in self.scenes[1:]]

    @property
    def passes(self) -> int:
        """The number of midpoint passes that suits most frames."""
        frames: Counter[int] = Counter()
        for scene in self.scenes:
            frames[scene.passes] += scene.frames
        return frames.most_common(1)[0][0] if frames else 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi info``."""
    parser.add_argument("file", metavar="FILE", help="a file or URL")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--cut-threshold",
        type=float,
        default=CUT_THRESHOLD,
        metavar="0..1",
        help=(
            f"sensitivity of scene cut detection: higher finds more cuts (default {CUT_THRESHOLD})"
        ),
    )


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi info``; returns the exit code."""
    threshold = arguments.cut_threshold
    if not 0 <= threshold <= 1:
        raise UsageError(f'--cut-threshold is "{threshold}", expected 0 to 1')
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from rtvfi.stream.decode.source import open_source

    source = open_source(arguments.file, SourceOptions())
    columns = (TextColumn("analysing every frame"), BarColumn(), MofNCompleteColumn())
    try:
        screen = Console(stderr=True)
        # Redirected to a file, even a transient bar would leave an empty line.
        is_silent = not screen.is_terminal
        with Progress(*columns, console=screen, transient=True, disable=is_silent) as bar:
            info = source.info
            total = None if info.duration is None else round(info.duration * info.source_rate)
            task = bar.add_task("", total=total)
            found = look(source, threshold, lambda: bar.advance(task))
    finally:
        source.close()
    if arguments.json:
        Console(highlight=False, soft_wrap=True).out(json.dumps(as_json(arguments.file, found)))
    else:
        _print(Console(highlight=False, markup=False), arguments.file, found)
    return 0


def look(
    source: FrameSource,
    threshold: float = CUT_THRESHOLD,
    seen_one: Callable[[], None] = lambda: None,
) -> Findings:
    """Analyse a film to its end.

    Args:
        source: just opened; the caller closes it.
        threshold: sensitivity of cut detection, 0 to 1; a higher value finds more cuts.
        seen_one: called after every frame.
    """
    from rtvfi.stream.see.cuts import CutDetector

    detector, found = CutDetector(source.info, threshold), Findings(source.info)
    scenes, clock = _Scenes(found.scenes), _Clock(1 / source.info.source_rate)
    while True:
        try:
            frame = source.read()
        except DecodeError as error:
            log.warning("%s; the results cover only the part before that", error.message)
            found.is_complete = False
            break
        if isinstance(frame, EndOfStream):
            break
        clock.push(frame)
        found.frames += 1
        scenes.push(detector.push(frame))
        seen_one()
    scenes.push(detector.flush())
    scenes.end()
    found.duration, found.rate_class = clock.duration, clock.rate_class
    return found


class _Clock:
    """Determines whether frames come at the nominal rate."""

    def __init__(self, period: Fraction) -> None:
        self._period = period
        self._first: Fraction | None = None
        self._last: SourceFrame | None = None
        self.rate_class: RateClass = "constant"

    def push(self, frame: SourceFrame) -> None:
        last, self._last = self._last, frame
        if last is None:
            self._first = frame.pts
            return
        steps = (frame.pts - last.pts) / self._period
        if steps.denominator != 1:
            self.rate_class = "irregular"
        elif steps != 1 and self.rate_class == "constant":
            self.rate_class = "gaps"

    @property
    def duration(self) -> float:
        if self._last is None or self._first is None:
            return 0.0
        return float(self._last.pts + self._last.duration - self._first)


class _Scenes:
    """Groups frames into scenes."""

    def __init__(self, scenes: list[Scene]) -> None:
        self._scenes = scenes
        self._changes: list[Change] = []
        self._num_same = 0

    def push(self, frames: list[Seen]) -> None:
        for seen in frames:
            if seen.stamp.cut:
                self.end()
                self._scenes.append(Scene(seen.stamp.index))
                self._changes, self._num_same = [], 0
            self._changes.append(seen.change)
            self._num_same += seen.stamp.same or not seen.change.changed

    def end(self) -> None:
        """Complete the current scene."""
        if not self._scenes:
            return
        scene, changes = self._scenes[-1], self._changes
        scene.frames = len(changes)
        scene.repeats = round(self._num_same / scene.frames, 3)
        parts = Counter(c.cadence for c in changes if c.cadence is not None)
        of_parts = parts.most_common(1)[0][0] if parts else 0
        scene.cadence = max(estimate(c.changed for c in changes) or 0, of_parts) or None
        scene.passes = passes_for(scene.cadence or 1)


def as_json(name: str, found: Findings) -> Json:
    """The findings as ``--json`` prints them."""
    stream, color = found.stream, found.stream.color
    return {
        "file": name,
        "rate": str(stream.source_rate),
        "rate_class": found.rate_class,
        "frames": found.frames,
        "duration": round(found.duration, 6),
        "complete": found.is_complete,
        "width": stream.width,
        "height": stream.height,
        "pixel_format": stream.format.name,
        "matrix": color.resolved_matrix(stream.width, stream.height),
        "primaries": color.primaries,
        "transfer": color.transfer,
        "range": "full" if color.full_range else "limited",
        "codec": stream.codec,
        "decoder": stream.decoder,
        "cuts": found.cuts,
        "scenes": [asdict(scene) for scene in found.scenes],
        "passes": found.passes,
    }


_CLASSES = {"constant": "constant", "gaps": "frames are missing", "irregular": "irregular"}
_MATRICES = {
    **dict.fromkeys((5, 6), "bt601"),
    0: "rgb",
    1: "bt709",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
}
"""The usual names of the matrix numbers of ISO 23001-8."""
_DRAWN = {None: "-", 1: "ones", 2: "twos", 3: "threes", 4: "fours"}


def _print(console: Console, name: str, found: Findings) -> None:
    from rich.table import Table

    row = as_json(name, found)
    matrix = _MATRICES.get(row["matrix"], row["matrix"])
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")  # wraps long paths instead of cutting them off
    length = f"{found.duration:.3f} s" + ("" if found.is_complete else ", the rest is damaged")
    for key, value in (
        ("file", plain(name)),
        ("rate", f"{row['rate']} frames/s, {_CLASSES[found.rate_class]}"),
        ("frames", str(found.frames)),
        ("duration", length),
        ("size", f"{row['width']}x{row['height']}"),
        ("picture", f"{row['pixel_format']}, {matrix}, {row['range']} range"),
        ("decoder", f"{row['codec']}, {row['decoder']}"),
        ("cuts at", ", ".join(map(str, found.cuts)) or "none"),
        ("passes", f"{found.passes}, suits most frames"),
    ):
        facts.add_row(key, value)
    table = Table("scene", "frames", "drawn on", "repeats", "passes")
    for scene in found.scenes:
        last = scene.start + scene.frames - 1
        table.add_row(
            f"{scene.start} to {last}",
            str(scene.frames),
            _DRAWN[scene.cadence],
            f"{scene.repeats:.0%}",
            str(scene.passes),
        )
    console.print(facts)
    console.print(table)
