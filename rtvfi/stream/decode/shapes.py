"""Pictures whose size or pixel aspect changes within a stream: found, and brought into one.

Broadcasts go from 4:3 to 16:9 and back, recordings of web calls change their size with the line.
What is written keeps one shape, the usual one; pictures of another shape lie in it whole, between
black bars where they must. What is played keeps the shapes.
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
"""Where a film is looked at beside its beginning, evenly."""
_CHANGING: Final = ("matroska", "mpeg", "webm", "h264", "hevc", "ogg", "flv")
"""Words in FFmpeg's names of containers whose pictures may change without a new header."""
_FREE: Final = ("vp8", "vp9", "av1")
"""Codecs whose pictures may change their size in any container."""
_ASPECT_INSIDE: Final = ("mpeg", "h264", "hevc")
"""The same, of those that leave the pixel aspect to the pictures; mpv believes the others' own."""
_MOST_PACKETS: Final = 600
"""Read in search of a key frame."""
_NEAR_SECONDS: Final = 4
"""Between two key frames of unlike shape, up to which those between them are read one by one."""
_BACK_OFF_SECONDS: Final = (0, 1, 3, 10)
"""Before the aim at which seeks are tried: transport streams land behind it."""
_MOST_STRETCHES: Final = 64
"""A film of more is brought into one shape."""


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


def shaped(path: str, info: StreamInfo, *, keeps_shapes: bool) -> StreamInfo:
    """The stream as its pictures are carried: in the shape of most of them, or each in its own.

    Args:
        path: a file; of addresses the first shape is taken.
        info: the stream as its first picture has it.
        keeps_shapes: see ``SourceOptions``.
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
    """The stream with all its pictures in one shape."""
    if shape == info.shape:
        return info
    return replace(
        info, width=shape.width, height=shape.height, pixel_aspect=shape.aspect, crop=NO_CROP
    )


def in_stretches(info: StreamInfo, found: Sequence[Stretch]) -> StreamInfo:
    """The stream with every picture in the shape it has.

    Args:
        info: the stream in its first shape.
        found: in order; neighbours may be alike.
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


class _Look:
    """Key frames of a film, each decoded by itself.

    Args:
        container: just opened.
        stream: its pictures.
        aspect: of their pixels, where they do not tell it.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream, aspect: Fraction) -> None:
        self._container, self._stream, self._aspect = container, stream, aspect
        self._base = stream.time_base or Fraction(1, 1000)
        self._is_inside = aspect_is_inside(container.format.name)
        stream.codec_context.thread_count = 1

    def at_places(self, span: tuple[Fraction, Fraction]) -> Iterator[Stretch]:
        """What stands at some places of the film, in order."""
        newest = span[0]
        for place in range(1, _PLACES + 1):
            aim = span[0] + (span[1] - span[0]) * place / (_PLACES + 1)
            found = next(self.keys(aim), None)
            if found is not None and found.start > newest:
                newest = found.start
                yield found

    def keys(self, aim: Fraction) -> Iterator[Stretch]:
        """The key frames from ``aim`` on, or from a little before or behind it."""
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
    """Where between places that were looked at the shape changes; with the first of them."""
    found = [seen[0]]
    for left, right in itertools.pairwise(seen):
        if left.shape != right.shape and len(found) <= _MOST_STRETCHES:
            found += _between(look, left, right)
    return found


def _between(look: _Look, left: Stretch, right: Stretch) -> Iterator[Stretch]:
    """The changes from one key frame to a later one of another shape."""
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
    """The key frames after ``start``, none left out."""
    keys: Iterator[Stretch] = iter(())
    for back in _BACK_OFF_SECONDS:
        keys = look.keys(start - back)
        nearest = next(keys, None)
        if nearest is not None and nearest.start <= start:
            break
    return (key for key in keys if key.start > start)
