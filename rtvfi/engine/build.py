"""Builds a running pipeline from options: opens the film, chooses the output grid, and for a player
wraps the result as a virtual file. Does not import torch.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rtvfi.core.rates import Grid, RateChoice, resolve
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.plan.planner import GAP, PlanOptions
from rtvfi.stream.plan.steering import Retiming
from rtvfi.stream.run.parts import Start
from rtvfi.stream.run.pipeline import Pipeline
from rtvfi.stream.serve.frame_stream import FrameStream
from rtvfi.stream.serve.matroska import VirtualMkv
from rtvfi.stream.serve.parts import PartedStream
from rtvfi.stream.serve.records import RecordMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.core.frame import OutputFrame, StreamInfo
    from rtvfi.core.options import SourceOptions, StreamOptions
    from rtvfi.stream.decode.source import FrameSource
    from rtvfi.stream.run.playhead import Playhead

log = logging.getLogger(__name__)

PLAYER_READAHEAD_SECONDS: Final = 1.0
PLAYER_READAHEAD_BYTES: Final = 150 << 20
"""Bytes of one stream that mpv buffers by default; this limits how far ahead we can work."""

_PRIME_FRAMES: Final = 8
_NEAR: Final = Fraction(1, 64)
"""An output this near to a source picture (in fractions of the distance to the next one) copies it.
Nobody sees the difference, and it saves a call where the rates almost divide.
"""
_LONGEST_MOTION: Final = Fraction(1, 4)
"""With ``--vfr keep``: two frames up to this many seconds apart are interpolated over the whole
interval; in a longer interval the first frame is held for a while.
"""
_SNAP: Final = Fraction(1, 1000)
"""A first frame within this many seconds of the player's time 0 counts as at 0, because the player
rounds its clock.
"""


def pipeline_for(
    path: str,
    source: SourceOptions,
    stream: StreamOptions,
    playhead: Playhead,
    wrap: Callable[[FrameSource], FrameSource] | None = None,
) -> Pipeline:
    """Make a pipeline for a film; its threads start with ``Pipeline.open``.

    Args:
        path: a file, URL or folder of pictures, as for ``open_source``.
        source: how it is opened.
        stream: how frames are made.
        playhead: where the player is.
        wrap: wraps the opened source; the pipeline reads the result (``--enhance``).
    """

    def opened(interrupted: Callable[[], bool]) -> FrameSource:
        found = open_source(path, source, interrupted)
        return found if wrap is None else wrap(found)

    return Pipeline(opened, playhead, stream.cut_threshold)


@dataclass(frozen=True, slots=True, eq=False)
class Viewing:
    """One file on one output grid, ready to be served."""

    path: str
    pipeline: Pipeline
    info: StreamInfo
    target_rate: Fraction
    stream: FrameStream
    end: float
    """Seconds on the player's clock at which its pictures end."""

    def close(self) -> None:
        """Stop and wait for the threads."""
        self.stream.cancel()
        self.pipeline.close()


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a stream on the player's clock."""

    target_rate: Fraction
    origin: Fraction
    """The player's time 0 on the source's clock."""
    duration: Fraction
    """Seconds of picture from the stream's first frame on."""
    tap: Callable[[OutputFrame, bool], None] | None = None
    """Receives every frame, for a recorder: ``Start.tap``."""
    begin: Fraction = Fraction(0)
    """Start of the film on the player's clock: 0, unless the player keeps the times of the file."""


def view(
    pipeline: Pipeline,
    path: str,
    info: StreamInfo,
    options: StreamOptions,
    place: Place,
    playhead: Playhead,
) -> Viewing:
    """Put an opened pipeline on an output grid and wrap it as a virtual file."""
    grid = Grid(info.start, 1 / place.target_rate)
    origin = info.start if abs(info.start - place.origin) < _SNAP else place.origin
    records = RecordMap(grid, origin, info.start + place.duration, place.begin)
    payload_seconds = 1 / (info.payload_bytes * float(place.target_rate))
    ring_seconds = min(options.ring_seconds, options.ring_bytes * payload_seconds)
    readahead = min(PLAYER_READAHEAD_SECONDS, PLAYER_READAHEAD_BYTES * payload_seconds)
    ring_frames = max(2, round(ring_seconds * place.target_rate))
    start = Start(
        grid=grid,
        origin=origin,
        # A recording holds the pictures that render makes.
        plan=PlanOptions(tail=options.tail, snap=Fraction(0) if place.tap else _NEAR),
        retiming=Retiming(style=options.style, passes=options.passes),
        is_governed=True,
        attainable=min(1.0, readahead + ring_seconds),
        ring_frames=ring_frames,
        prime_frames=min(_PRIME_FRAMES, ring_frames, records.num_records),
        tap=place.tap,
    )
    pipeline.start(start, options.ring_bytes)
    title = f"Interpolated {float(place.target_rate):.5g} fps"
    if info.stretches:
        stream: FrameStream = PartedStream(pipeline, info, records, playhead, title)
    else:
        mkv = VirtualMkv(info, records.times_us(), grid.step, title)
        stream = FrameStream(pipeline, mkv, records, playhead)
    end = float(info.start + place.duration - origin)
    return Viewing(path, pipeline, info, place.target_rate, stream, end)


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """One file on one output grid, every frame of it made by the model."""

    pipeline: Pipeline
    info: StreamInfo
    grid: Grid

    @property
    def target_rate(self) -> Fraction:
        """Pictures per second."""
        return 1 / self.grid.step


def rendering(
    pipeline: Pipeline, info: StreamInfo, options: StreamOptions, grid: Grid, first_index: int = 0
) -> Rendering:
    """Put an opened pipeline on an output grid. It has no deadlines, so no frame is a stand-in.

    Args:
        pipeline: opened.
        info: its stream.
        options: how frames are made.
        grid: the output clock.
        first_index: index of the first output wanted; those before it are not made.
    """
    ring_frames = max(8, round(options.ring_seconds / grid.step))
    start = Start(
        grid=grid,
        origin=info.start,
        plan=PlanOptions(tail=options.tail),
        retiming=Retiming(style=options.style, passes=options.passes),
        attainable=1.0,
        ring_frames=ring_frames,
        prime_frames=1,
        first_index=first_index,
        is_strict=True,
        period=None if grid.is_steady else max(1 / info.source_rate, _LONGEST_MOTION / GAP),
    )
    pipeline.start(start, options.ring_bytes)
    return Rendering(pipeline, info, grid)


def target_rate(choice: RateChoice, info: StreamInfo, display_rate: float | None) -> Fraction:
    """Output rate of a stream in frames per second; the source's own if none are to be inserted.

    Args:
        choice: the user's choice.
        info: the stream.
        display_rate: Hz, as mpv reports it: None, 0 and NaN (X11 without a monitor) mean unknown.
    """
    display = None
    if display_rate is not None and math.isfinite(display_rate) and display_rate > 1:
        display = Fraction(display_rate).limit_denominator(1001)
    return resolve(choice, info.source_rate, display)
