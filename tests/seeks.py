"""A film that is searched, every way in which mpv seeks, and how far off its picture may be."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from clips import ClipSpec

HALF: Final = 0.51
"""Half a source frame and the rounding of a container's clock: the copy nearest to any time."""

FEATURE: Final = ClipSpec(
    num_frames=240,
    gop=48,
    audio=True,
    subtitles=True,
    chapters=(Fraction(0), Fraction(3), Fraction(6)),
)

SEEKS: Final[list[tuple[Any, ...]]] = [
    ("seek", 3.3, "absolute"),
    ("seek", 3.31, "absolute+exact"),
    ("seek", 9.9, "absolute+exact"),
    ("seek", 0, "absolute"),
    ("seek", 5, "absolute+keyframes"),
    ("seek", 1.5, "absolute+keyframes"),
    ("seek", 0.02, "absolute+exact"),
    ("seek", 50, "absolute-percent"),
    ("seek", 12.5, "absolute-percent+exact"),
    ("seek", 90, "absolute-percent+keyframes"),
    ("seek", -1.7, "relative"),
    ("seek", -3, "relative+keyframes"),
    ("seek", 2.2, "relative+exact"),
    ("seek", 10, "relative-percent"),
    ("seek", -0.01, "relative+exact"),
    ("seek", 0.5, "absolute+exact"),
    ("add", "chapter", 1),
    ("add", "chapter", -1),
    ("set", "chapter", "1"),
    ("set", "time-pos", "7.77"),
    ("set", "percent-pos", "33"),
    ("frame-back-step",),
    ("frame-back-step",),
    ("seek", -100, "relative"),
    ("seek", 4.004, "absolute+exact"),
    ("frame-back-step",),
    ("seek", 9.95, "absolute+exact"),
    ("seek", 0.9, "absolute+exact"),
    ("revert-seek",),
    ("seek", 6.006, "absolute+exact"),
    ("seek", 6.0269, "absolute+exact"),
]

RARER_SEEKS: Final[list[tuple[Any, ...]]] = [
    ("seek", -20, "relative-percent+exact"),
    ("seek", 10, "relative-percent+keyframes"),
    ("set", "playback-time", "1.234"),
    ("set", "chapter", "2"),
    ("set", "chapter", "0"),
    ("add", "time-pos", 2.5),
    ("seek", 100, "absolute-percent"),
    ("seek", 9.99, "absolute+keyframes"),
    ("seek", 1000, "absolute+keyframes"),
    ("seek", -2, "absolute+exact"),
    ("seek", -0.5, "relative+exact"),
]
"""Those to a film's end are where sound and picture, of two files for mpv, could part."""
