"""Finds changes of picture size and pixel aspect within a stream, and decides on one shape.

Broadcasts change between 4:3 and 16:9; recordings of web calls change their size with the
connection. Written files have one shape, the most common one; pictures of another shape are fitted
into it, with black bars where needed. While playing, pictures keep their shapes.
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rtvfi.core.frame import NO_CROP, Shape, Stretch
from rtvfi.stream.decode.container import FAILURES, is_url, open_container

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import av
    from av.container import InputContainer
    from av.packet import Packet

    from rtvfi.core.frame import StreamInfo

log = logging.getLogger(__name__)

_PLACES: Final = 5
"""Number of evenly spaced places that are examined, besides the beginning."""
_CHANGING: Final = ("matroska", "mpeg", "webm", "h264", "hevc", "ogg", "flv")
"""Parts of FFmpeg's names of containers whose pictures may change without a new header."""
_FREE: Final = ("vp8", "vp9", "av1")
"""Codecs whose pictures may change their size in any container."""
_ASPECT_INSIDE: Final = ("mpeg", "h264", "hevc")
"""Parts of the names of containers that state no pixel aspect, so that the pictures' own applies;
for the others mpv uses the container's.
"""
_MOST_PACKETS: Final = 600
"""Limit of packets read in search of a key frame."""
_NEAR_SECONDS: Final = 4
"""When two key frames of different shape are at most this far apart, all those between are read."""
_BACK_OFF_SECONDS: Final = (0, 1, 3, 10)
"""Seconds before the target at which seeks are tried in turn: transport streams land too late."""
_MOST_STRETCHES: Final = 64
"""A film with more stretches is converted to one shape."""


class Aspects:
    """The pixel aspects that pictures state.

    Args:
        inside: returns the decoder's current aspect. The decoder is ahead of the pictures it
            returns, but the aspect changes only at key frames.
    """

    def __init__(self, inside: Callable[[], Fraction | None]) -> None:
        self._inside = inside
        self.reset()

    def reset(self) -> None:
        """Forget the current aspect, before a seek's frames follow."""
        self._now: Fraction | None = None
        self._size = 0, 0

    def of(self, frame: av.VideoFrame) -> Fraction | None:
        """The pixel aspect of the next frame; None if it states none."""
        size = frame.width, frame.height
        if self._now is None or frame.key_frame or size != self._size:
            self._size = size
            told = self._inside()
            self._now = Fraction(told) if told else self._now
        return self._now


def aspect_is_inside(container: str) -> bool:
    """Whether pictures in such a container state their own pixel aspect, and may change it."""
    return any(word in container for word in _ASPECT_INSIDE)


def shaped(path: str, info: StreamInfo, *, keeps_shapes: bool) -> StreamInfo:
    """The stream's properties with the shapes found: the most common one, or each in its own time.

    Args:
        path: a file; a URL is not searched, all its pictures get the first one's shape.
        info: the stream's properties by its first picture.
        span: times of the first and the last picture, seconds.
        keeps_shapes: as in ``SourceOptions``.
    """
    if is_url(path):
        return info
    first = Stretch(info.start, info.shape)
    try:
        with open_container(path) as container:
            stream = next(s for s in container.streams.video if s.index == info.stream_index)
            is_free = stream.codec_context.codec.canonical_name in _FREE
            if not is_free and not any(word in container.format.name for word in _CHANGING):
                return info
            look = _Look(container, stream, info.pixel_aspect)
            seen = [first, *look.at_places((info.start, info.start + (info.duration or 0)))]
            found = _changes(look, seen) if keeps_shapes else seen
    except FAILURES as error:
        log.debug("%s: its shapes were not looked for: %s", path, error)
        return info
    if keeps_shapes:
        return in_stretches(info, found)
    return in_one_shape(info, usual_of(Counter(stretch.shape for stretch in found)))


def in_one_shape(info: StreamInfo, shape: Shape) -> StreamInfo:
    """The stream's properties when all its pictures get one shape."""
    if shape == info.shape:
        return info
    return replace(
        info, width=shape.width, height=shape.height, pixel_aspect=shape.aspect, crop=NO_CROP
    )


def in_stretches(info: StreamInfo, found: Sequence[Stretch]) -> StreamInfo:
    """The stream's properties when every picture keeps its shape.

    Args:
        info: the properties with the first shape.
        found: stretches in order; neighbours may be equal.
    """
    stretches = tuple(
        after
        for before, after in zip((None, *found), found, strict=False)
        if before is None or before.shape != after.shape
    )
    if len(stretches) < 2:
        return info
    if len(stretches) > _MOST_STRETCHES:
        return in_one_shape(info, usual_of(Counter(stretch.shape for stretch in stretches)))
    return replace(
        info,
        width=max(stretch.shape.width for stretch in stretches),
        height=max(stretch.shape.height for stretch in stretches),
        pixel_aspect=Fraction(1),
        crop=NO_CROP,
        stretches=stretches,
    )


def usual_of(found: Mapping[Shape, int]) -> Shape:
    """The common shape for a stream with several.

    Args:
        found: how often each shape was seen; not empty.
    """

    def common(shape: Shape) -> tuple[int, Fraction]:
        alike = [other for other in found if other.is_like(shape)]
        return sum(found[other] for other in alike), max(other.area for other in alike)

    usual = max(found, key=common)
    return max((shape for shape in found if shape.is_like(usual)), key=lambda shape: shape.area)


def fitted(picture: Shape, frame: Shape) -> tuple[int, int, int, int]:
    """The rectangle of a picture in a frame of another shape: left, top, width, height; all
    even.
    """
    width, height = frame.width, frame.height
    if picture.ratio > frame.ratio:
        height = round(frame.height * frame.ratio / picture.ratio / 2) * 2
    elif picture.ratio < frame.ratio:
        width = round(frame.width * picture.ratio / frame.ratio / 2) * 2
    width, height = max(2, min(width, frame.width)), max(2, min(height, frame.height))
    return (frame.width - width) // 4 * 2, (frame.height - height) // 4 * 2, width, height


class _Look:
    """Finds the shapes of single key frames of a film.

    Args:
        container: freshly opened.
        stream: its video stream.
        aspect: pixel aspect of frames that state none.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream, aspect: Fraction) -> None:
        self._container, self._stream, self._aspect = container, stream, aspect
        self._base = stream.time_base or Fraction(1, 1000)
        self._is_inside = aspect_is_inside(container.format.name)
        stream.codec_context.thread_count = 1

    def at_places(self, span: tuple[Fraction, Fraction]) -> Iterator[Stretch]:
        """Yield the shape at each of the places to examine, in order."""
        newest = span[0]
        for place in range(1, _PLACES + 1):
            aim = span[0] + (span[1] - span[0]) * place / (_PLACES + 1)
            found = next(self.keys(aim), None)
            if found is not None and found.start > newest:
                newest = found.start
                yield found

    def keys(self, aim: Fraction) -> Iterator[Stretch]:
        """Yield the key frames from about ``aim`` seconds on."""
        self._container.seek(int(aim / self._base), stream=self._stream)
        num_passed = 0
        for packet in self._container.demux(self._stream):
            num_passed += 1
            if num_passed > _MOST_PACKETS:
                return
            if not packet.is_keyframe or packet.pts is None:
                continue
            shape = self._shape_of(packet)
            if shape is not None:
                num_passed = 0
                yield Stretch(packet.pts * self._base, shape)

    def _shape_of(self, packet: Packet[av.VideoStream]) -> Shape | None:
        context = self._stream.codec_context
        context.flush_buffers()
        try:
            frames = [*context.decode(packet), *context.decode(None)]
        except FAILURES:
            frames = []
        inside = context.sample_aspect_ratio
        context.flush_buffers()
        if not frames:
            return None
        aspect = Fraction(inside) if self._is_inside and inside else self._aspect
        return Shape(frames[0].width, frames[0].height, aspect)


def _changes(look: _Look, seen: Sequence[Stretch]) -> list[Stretch]:
    """The first stretch, and every change of shape between the places examined."""
    found = [seen[0]]
    for left, right in itertools.pairwise(seen):
        if left.shape != right.shape and len(found) <= _MOST_STRETCHES:
            found += _between(look, left, right)
    return found


def _between(look: _Look, left: Stretch, right: Stretch) -> Iterator[Stretch]:
    """Yield the changes between two key frames of different shape."""
    while right.start - left.start > _NEAR_SECONDS:
        middle = next(look.keys((left.start + right.start) / 2), None)
        if middle is None or not left.start < middle.start < right.start:
            break
        if middle.shape == right.shape:
            right = middle
        elif middle.shape == left.shape:
            left = middle
        else:
            yield from _between(look, left, middle)
            left = middle
    shape = left.shape
    for key in _keys_behind(look, left.start):
        if key.start >= right.start:
            break
        if key.shape != shape:
            shape = key.shape
            yield key
    if shape != right.shape:
        yield right


def _keys_behind(look: _Look, start: Fraction) -> Iterator[Stretch]:
    """Yield all key frames after ``start``."""
    keys: Iterator[Stretch] = iter(())
    for back in _BACK_OFF_SECONDS:
        keys = look.keys(start - back)
        nearest = next(keys, None)
        if nearest is not None and nearest.start <= start:
            break
    return (key for key in keys if key.start > start)
