"""When the pictures of a rendering are: its clock, and the part of the film that is wanted."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from rtvfi.core.errors import UsageError
from rtvfi.core.rates import DEFAULT_DISPLAY_RATE, Grid, between, parse_rate
from rtvfi.engine.build import target_rate
from rtvfi.stream.decode.stamps import frame_times
from rtvfi.stream.write.beside.companion import first_time
from rtvfi.stream.write.mux import LEAST_SECONDS, MAX_RATE

if TYPE_CHECKING:
    from rtvfi.core.frame import StreamInfo
    from rtvfi.settings.config import RenderOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """Indices on the clock that are rendered: [first, stop); stop None = to the end."""

    first: int
    stop: int | None
    zero: Fraction
    """The player's time 0 on the source's clock."""


def clock_of(options: RenderOptions, source: str, info: StreamInfo) -> Grid:
    """The output clock: a steady one, or the film's own with outputs between its frames.

    Raises:
        UsageError: too many pictures a second, or times that cannot be kept.
    """
    choice = parse_rate(options.fps)
    if not options.keeps_times:
        rate = _checked(target_rate(choice, info, None))
        return Grid(info.start, 1 / rate)
    if options.source.deinterlace == "ivtc":
        raise UsageError("--vfr keep and --deinterlace ivtc exclude each other", "leave one out")
    multiple = choice.value
    if choice.kind in ("display", "vrr"):
        multiple = Fraction(max(1, math.floor(DEFAULT_DISPLAY_RATE / info.source_rate)))
    if choice.kind == "rate" or multiple.denominator != 1:
        raise UsageError(
            f"--vfr keep makes a multiple of the film's own frames, not {options.fps}", "--multi 2"
        )
    rate = _checked(multiple * info.source_rate)
    if Path(source).is_dir():
        return Grid(info.start, 1 / rate)
    frames, end = frame_times(source, info)
    clock = between(frames, end, int(multiple), 1 / rate, LEAST_SECONDS)
    log.debug("%s: %d frames, %d times", source, len(frames), len(clock.times))
    return clock


def _checked(rate: Fraction) -> Fraction:
    if rate > MAX_RATE:
        raise UsageError(f"{float(rate):g} fps are too many, at most {MAX_RATE}")
    return rate


def part_of(options: RenderOptions, source: str, info: StreamInfo, grid: Grid) -> Part:
    """The part that ``--start`` and ``--end`` name.

    Raises:
        UsageError: there is nothing in it.
    """
    begin = 0 if info.start == 0 else first_time(source)
    zero = min(Fraction(begin), info.start)
    first = 0
    if options.start:
        first = max(0, grid.first_at_or_after(zero + options.start))
        if info.duration is not None and grid.pts(first) >= info.start + info.duration:
            raise UsageError(
                f"--start is {float(options.start):g} s, the film ends at "
                f"{float(info.start + info.duration - zero):.3f} s"
            )
    stop = None if options.end is None else grid.first_at_or_after(zero + options.end)
    if stop is not None and stop <= first:
        raise UsageError(f"--end {float(options.end or 0):g} s is not after the start")
    return Part(first, stop, zero)
