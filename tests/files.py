"""Video files read back: what is in them, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import av
import numpy as np

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass
class Track:
    """The packets of one stream, in order of the file."""

    kind: str
    codec: str
    times: list[Fraction] = field(default_factory=list)
    durations: list[Fraction] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)


def tracks(path: Path) -> list[Track]:
    """Everything but attachments."""
    with av.open(str(path)) as source:
        found = {
            stream.index: Track(stream.type, stream.codec_context.codec.canonical_name)
            for stream in source.streams
            if stream.type in ("video", "audio", "subtitle")
        }
        for packet in source.demux([source.streams[index] for index in found]):
            if packet.size and packet.pts is not None and packet.time_base is not None:
                track = found[packet.stream.index]
                track.times.append(packet.pts * packet.time_base)
                track.durations.append((packet.duration or 0) * packet.time_base)
                track.data.append(bytes(packet))
                track.keys.append(packet.is_keyframe)
    return list(found.values())


def track(path: Path, kind: str) -> Track:
    """The only track of that kind."""
    (only,) = (found for found in tracks(path) if found.kind == kind)
    return only


def planes(path: Path) -> list[tuple[Fraction, tuple[NDArray[Any], ...]]]:
    """Time and planes of every picture, in order of display."""
    pictures = []
    with av.open(str(path)) as source:
        for frame in source.decode(video=0):
            assert frame.pts is not None
            assert frame.time_base is not None
            size = 2 if "10" in frame.format.name else 1
            pictures.append(
                (
                    frame.pts * frame.time_base,
                    tuple(
                        np.frombuffer(bytes(plane), np.uint8)
                        .reshape(plane.height, -1)[:, : plane.width * size]
                        .copy()
                        for plane in frame.planes
                    ),
                )
            )
    return pictures


def same_pictures(a: Path, b: Path) -> bool:
    """Whether two files hold the same pictures, sample by sample."""
    first, second = planes(a), planes(b)
    return len(first) == len(second) and all(
        np.array_equal(x, y)
        for (_, one), (_, other) in zip(first, second, strict=True)
        for x, y in zip(one, other, strict=True)
    )


def off_grid(times: list[Fraction], rate: Fraction) -> Fraction:
    """Largest distance of sorted ``times`` from first + k / rate, seconds."""
    ordered = sorted(times)
    return max(abs(t - ordered[0] - k / rate) for k, t in enumerate(ordered))
