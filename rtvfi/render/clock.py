"""The output times of a rendering, and the part of the film that is rendered."""

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
    """The part of a film that is rendered: outputs [first, stop), as indices on the output grid."""

    first: int
    stop: int | None
    """None = to the end of the film."""
    zero: Fraction
    """The pts in the source that a player shows as time 0."""


def clock_of(options: RenderOptions, source: str, info: StreamInfo) -> Grid:
    """The grid of output times: at a constant rate, or (``--vfr keep``) the film's own times with
    new ones in between.

    Args:
        options: of the rendering.
        source: path or URL of the film.
        info: what is known of the film.

    Raises:
        UsageError: the rate is too high, or does not go with ``--vfr keep``.
    """
    choice = parse_rate(options.fps)
    if not options.keeps_times:
        rate = _checked(target_rate(choice, info, None))
        return Grid(info.start, 1 / rate)
    if options.source.deinterlace == "ivtc":
        raise UsageError("--vfr keep and --deinterlace ivtc cannot be combined", "leave one out")
    multiple = choice.value
    if choice.kind in ("display", "vrr"):
        multiple = Fraction(max(1, math.floor(DEFAULT_DISPLAY_RATE / info.source_rate)))
    if choice.kind == "rate" or multiple.denominator != 1:
        raise UsageError(
            f"--vfr keep needs a whole multiple of the film's rate, not {options.fps}", "--multi 2"
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
        raise UsageError(f"{float(rate):g} fps is too high, expected at most {MAX_RATE}")
    return rate


def part_of(options: RenderOptions, source: str, info: StreamInfo, grid: Grid) -> Part:
    """The part of the film between ``--start`` and ``--end``.

    Raises:
        UsageError: the part is empty.
    """
    begin = 0 if info.start == 0 else first_time(source)
    zero = min(Fraction(begin), info.start)
    first = 0
    if options.start:
        first = max(0, grid.first_at_or_after(zero + options.start))
        if info.duration is not None and grid.pts(first) >= info.start + info.duration:
            raise UsageError(
                f"--start is {float(options.start):g} s, but the film ends at "
                f"{float(info.start + info.duration - zero):.3f} s"
            )
    stop = None if options.end is None else grid.first_at_or_after(zero + options.end)
    if stop is not None and stop <= first:
        raise UsageError(f"--end {float(options.end or 0):g} s is not after the start")
    return Part(first, stop, zero)
