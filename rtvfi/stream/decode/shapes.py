"""Pictures whose size or pixel aspect changes within a stream: one shape for all of them.

Broadcasts go from 4:3 to 16:9 and back, recordings of web calls change their size with the line.
What is played or written keeps one shape, the usual one; pictures of another shape lie in it whole,
between black bars where they must.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rtvfi.stream.decode.container import FAILURES, is_url, open_container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import av
    from av.container import InputContainer

log = logging.getLogger(__name__)

_PLACES: Final = 5
"""Where a film is looked at beside its beginning, evenly."""
_CHANGING: Final = ("matroska", "mpeg", "webm", "h264", "hevc", "ogg", "flv")
"""Words in FFmpeg's names of containers whose pictures may change without a new header."""
_FREE: Final = ("vp8", "vp9", "av1")
"""Codecs whose pictures may change their size in any container."""
_ASPECT_INSIDE: Final = ("mpeg", "h264", "hevc")
"""The same, of those that leave the pixel aspect to the pictures; mpv believes the others' own."""
_MOST_PACKETS: Final = 60
_SAME: Final = Fraction(1, 100)


@dataclass(frozen=True, slots=True)
class Shape:
    """Size and pixel aspect of a picture."""

    width: int
    height: int
    aspect: Fraction

    @property
    def ratio(self) -> Fraction:
        """Width to height as displayed."""
        return self.width * self.aspect / self.height

    @property
    def area(self) -> Fraction:
        """Displayed, in pixels of its height."""
        return self.width * self.aspect * self.height

    def is_like(self, other: Shape) -> bool:
        """Whether the ratios are the same to the eye: sizes are rounded to whole pixels."""
        return abs(self.ratio / other.ratio - 1) < _SAME

    def __str__(self) -> str:
        return f"{self.width}x{self.height} at {float(self.ratio):.3g}:1"


class Aspects:
    """The pixel aspects of pictures that tell them.

    Args:
        inside: what the decoder knows now. It reads ahead of the pictures it gives, but a new one
            begins at a key frame.
    """

    def __init__(self, inside: Callable[[], Fraction | None]) -> None:
        self._inside = inside
        self.reset()

    def reset(self) -> None:
        """Frames from elsewhere follow."""
        self._now: Fraction | None = None
        self._size = 0, 0

    def of(self, frame: av.VideoFrame) -> Fraction | None:
        """The aspect of the next frame; None where it tells none."""
        size = frame.width, frame.height
        if self._now is None or frame.key_frame or size != self._size:
            self._size = size
            told = self._inside()
            self._now = Fraction(told) if told else self._now
        return self._now


def aspect_is_inside(container: str) -> bool:
    """Whether the pictures of such a container tell their pixel aspect, and may change it."""
    return any(word in container for word in _ASPECT_INSIDE)


def usual_shape(
    path: str, stream_index: int, first: Shape, span: tuple[Fraction, Fraction]
) -> Shape:
    """The shape of most of the pictures: the usual ratio of width to height, at its largest size.

    Args:
        path: a file; of addresses the first shape is taken.
        stream_index: of the pictures in it.
        first: shape of the first picture.
        span: times of the first and the last picture, seconds.
    """
    if is_url(path):
        return first
    try:
        with open_container(path) as container:
            stream = next(s for s in container.streams.video if s.index == stream_index)
            is_free = stream.codec_context.codec.canonical_name in _FREE
            if not is_free and not any(word in container.format.name for word in _CHANGING):
                return first
            found = Counter([first, *_seen(container, stream, first, span)])
    except FAILURES as error:
        log.debug("%s: its shapes were not looked for: %s", path, error)
        return first
    return usual_of(found)


def usual_of(found: Mapping[Shape, int]) -> Shape:
    """The shape for pictures of several.

    Args:
        found: shapes, and how often they were seen; at least one.
    """

    def common(shape: Shape) -> tuple[int, Fraction]:
        alike = [other for other in found if other.is_like(shape)]
        return sum(found[other] for other in alike), max(other.area for other in alike)

    usual = max(found, key=common)
    return max((shape for shape in found if shape.is_like(usual)), key=lambda shape: shape.area)


def fitted(picture: Shape, frame: Shape) -> tuple[int, int, int, int]:
    """Where a picture lies in a frame of another shape: left, top, width, height; all even."""
    width, height = frame.width, frame.height
    if picture.ratio > frame.ratio:
        height = round(frame.height * frame.ratio / picture.ratio / 2) * 2
    elif picture.ratio < frame.ratio:
        width = round(frame.width * picture.ratio / frame.ratio / 2) * 2
    width, height = max(2, min(width, frame.width)), max(2, min(height, frame.height))
    return (frame.width - width) // 4 * 2, (frame.height - height) // 4 * 2, width, height


def _seen(
    container: InputContainer, stream: av.VideoStream, first: Shape, span: tuple[Fraction, Fraction]
) -> Iterator[Shape]:
    """The shapes of the key frames at some places."""
    context = stream.codec_context
    context.skip_frame = "NONKEY"
    context.thread_count = 1
    base = stream.time_base or Fraction(1, 1000)
    is_inside = aspect_is_inside(container.format.name)
    for place in range(1, _PLACES + 1):
        aim = span[0] + (span[1] - span[0]) * place / (_PLACES + 1)
        context.flush_buffers()
        container.seek(int(aim / base), stream=stream)
        for number, packet in enumerate(container.demux(stream)):
            if frames := packet.decode():
                inside = context.sample_aspect_ratio
                aspect = Fraction(inside) if is_inside and inside else first.aspect
                yield Shape(frames[0].width, frames[0].height, aspect)
                break
            if number > _MOST_PACKETS:
                break
    context.flush_buffers()
