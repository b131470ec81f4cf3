"""Chooses the frames of a film that methods should interpolate.

The input frames are ``step`` frames apart, and the true frame is half way between them. Triplets
that contain a cut are skipped, and so are those whose middle frame repeats an input frame (a
drawing held for two frames), because it is not half way. Both are counted in a remark.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.core.errors import OpenError
from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, SourceFrame, StreamInfo
from rtvfi.quality.triplets import TO_RAW
from rtvfi.stream.decode.container import ffmpeg_name
from rtvfi.stream.see.cuts import CutDetector, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_WIDTH: Final = 480
_HEIGHT: Final = 270
"""The size at which a film is analysed."""
_INFO: Final = StreamInfo(
    width=_WIDTH,
    height=_HEIGHT,
    format=PIXEL_FORMATS["yuv420p"],
    color=ColorInfo(matrix=1),
    source_rate=Fraction(24),
    start=Fraction(0),
    duration=None,
    pixel_aspect=Fraction(1),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The frames to interpolate."""

    middles: list[int]
    """Frame numbers, counted from 0 in presentation order."""
    remark: str
    """What was left out, and why."""


def chosen_of_pictures(num: int, step: int) -> list[int]:
    """The middle frames of all triplets among ``num`` pictures, with ends ``step`` apart."""
    return [end + step // 2 for end in range(0, num - step, step)]


def choose(path: Path, step: int) -> Choice:
    """Choose the frames of a film.

    Args:
        path: a file that ffmpeg can read.
        step: frames from the left to the right input frame, even.

    Raises:
        OpenError: ffmpeg finds no video in it.
    """
    detector = CutDetector(_INFO)
    cuts: set[int] = set()
    repeats: set[int] = set()
    num = 0
    for number, payload in enumerate(_small(path)):
        frame = SourceFrame(payload, Fraction(number, 24), Fraction(1, 24))
        num = number + 1
        _note(detector.push(frame), cuts, repeats)
    _note(detector.flush(), cuts, repeats)
    middles, across, repeating = [], 0, 0
    half = step // 2
    for middle in chosen_of_pictures(num, step):
        before, after = range(middle - half + 1, middle + 1), range(middle + 1, middle + half + 1)
        if cuts.intersection((*before, *after)):
            across += 1
        elif repeats.issuperset(before) or repeats.issuperset(after):
            repeating += 1
        else:
            middles.append(middle)
    return Choice(middles, _left_out(across, repeating))


def _left_out(across: int, repeating: int) -> str:
    parts = []
    if across:
        parts.append(f"{across} across cuts")
    if repeating:
        parts.append(f"{repeating} whose middle frame repeats an input frame")
    return f"left out: {', '.join(parts)}" if parts else ""


def _note(seen: list[Seen], cuts: set[int], repeats: set[int]) -> None:
    for stamp, _, change in seen:
        if stamp.cut:
            cuts.add(stamp.index)
        elif stamp.same or not change.changed:
            repeats.add(stamp.index)


def _small(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The payloads of all frames, scaled down."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", ffmpeg_name(str(path))]
    command += ["-map", "0:v:0", "-vf", f"scale={_WIDTH}:{_HEIGHT}:flags=area", *TO_RAW]
    size = _INFO.payload_bytes
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        found = False
        while len(data := child.stdout.read(size)) == size:
            found = True
            yield np.frombuffer(data, np.uint8)
    if not found:
        raise OpenError(f'"{path}" cannot be read', "expected a video, a folder or a list (CSV)")
