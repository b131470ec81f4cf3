"""A quick measurement of this machine, for when it decides the output rate or the flow scale."""

from __future__ import annotations

import time
from fractions import Fraction
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rtvfi.core.rates import RateChoice
from rtvfi.engine.build import target_rate
from rtvfi.engine.device import cores_for_pictures
from rtvfi.models.catalogue import find
from rtvfi.stream.plan.ladder import Quality
from rtvfi.stream.run.executors.crew import Crew

if TYPE_CHECKING:
    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import StreamOptions

HOLDS: Final = 0.6
"""Fraction of a frame's time that its pictures may take; decoder and player need the rest."""
SCALES: Final = (1.0, 0.5, 0.25)
"""Flow scales of models without torch, the best first."""
_USUAL_PASSES: Final = 1
"""Passes to expect: most drawings are held for two frames."""
_SIZE: Final = (480, 272)
"""Width and height of the pictures used for measuring."""
_REPEATS: Final = 3
_LEAST_SECONDS: Final = 0.03
"""Shortest measurement, so that a moment of other programs' work does not spoil it."""


class Cost(NamedTuple):
    """Seconds per pixel."""

    motion: float
    """Motion between two pictures."""
    picture: float
    """Making one new picture."""


def fitting_rate(
    choice: RateChoice,
    info: StreamInfo,
    display_rate: float | None,
    model: str,
    options: StreamOptions,
) -> Fraction:
    """The output rate. ``auto`` is the highest that the display can show if ``model`` is fast
    enough here, and 2x otherwise.

    If it turns out to be too much all the same, quality is reduced while playing.
    """
    if choice.kind != "auto" or not find(model).is_torch_free:
        return target_rate(choice, info, display_rate)
    most = target_rate(RateChoice("display"), info, display_rate)
    lightest = SCALES[-1] if options.is_auto_scaled else _scale(options, info)
    return (
        most if _holds(lightest, info, most, options) else target_rate(choice, info, display_rate)
    )


def fitting_scale(info: StreamInfo, rate: Fraction, options: StreamOptions) -> float:
    """The flow scale of a model without torch: the user's, or the best one that this machine keeps
    up with at this rate, or the lightest if there is none.
    """
    if not options.is_auto_scaled:
        return _scale(options, info)
    held = (scale for scale in SCALES if _holds(scale, info, rate, options))
    return next(held, SCALES[-1])


def _scale(options: StreamOptions, info: StreamInfo) -> float:
    return min(1.0, options.flow_scale_of(info.width, info.height))


def _holds(scale: float, info: StreamInfo, rate: Fraction, options: StreamOptions) -> bool:
    passes = 0
    if options.style == "smooth":
        passes = _USUAL_PASSES if options.passes is None else options.passes
    cost = _cost(scale, cores_for_pictures(is_live=True))
    return share(cost, info, rate, passes) <= HOLDS


def share(cost: Cost, info: StreamInfo, rate: Fraction, passes: int = 0) -> float:
    """Load: seconds of work per second of film, at this output rate and with so many passes."""
    num_new = Quality(ratio=Fraction(rate / info.source_rate), passes=passes).num_calls
    pixels = info.width * info.height * (1 if info.format.chroma_shift else 2)
    return float(info.source_rate) * pixels * ((1 + passes) * cost.motion + num_new * cost.picture)


@lru_cache
def _cost(flow_scale: float, threads: int) -> Cost:
    """Measure the cost on a small picture; takes about 0.05 s."""
    from rtvfi.models.dis.model import Dis

    width, height = _SIZE
    y, x = np.mgrid[:height, :width]
    lumas = [(128 + 100 * np.sin(x / 9 + k) * np.cos(y / 7)).astype(np.uint8) for k in (0, 0.5)]
    chroma = np.full((height // 2, width // 2), 128, np.uint8)
    crew = Crew(threads)
    try:
        model = Dis(flow_scale, 8, crew.spread)
        best = [float("inf")] * 2
        end = time.perf_counter() + _LEAST_SECONDS
        for number in count():
            if number >= _REPEATS and time.perf_counter() > end:
                break
            left = model.prepare([lumas[0], chroma, chroma])  # in a film, the last pair's right
            begin = time.perf_counter()
            ends = left, model.prepare([lumas[1], chroma, chroma])
            motion = model.motion(*ends)
            found = time.perf_counter()
            out = [np.empty_like(plane) for plane in (lumas[0], chroma, chroma)]
            model.between(ends, motion, 0.5, out)
            times = found - begin, time.perf_counter() - found
            best = [min(old, new) for old, new in zip(best, times, strict=True)]
    finally:
        crew.close()
    return Cost(*(seconds / (width * height) for seconds in best))
