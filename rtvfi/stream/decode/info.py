"""Reads the properties of a video stream, checked against its first packets and picture.

Containers are wrong about rates more often than about anything else: a Matroska file may claim
1000 frames per second. A stated rate is used only if the packets' timestamps agree with it.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Final, cast

import av
import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.stream import Disposition

from rtvfi.core.frame import (
    NO_CROP,
    UNSPECIFIED,
    ColorInfo,
    Crop,
    HdrInfo,
    Siting,
    StreamInfo,
    Turn,
)
from rtvfi.core.rates import snap_rate
from rtvfi.stream.decode.container import container_of
from rtvfi.stream.decode.ebml import TrackFacts, facts_of
from rtvfi.stream.decode.planes import carried_format, is_full_range, whole_sampling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.container import InputContainer
    from av.sidedata.sidedata import SideDataContainer
    from numpy.typing import NDArray

FALLBACK_RATE: Final = Fraction(24)
"""For streams with neither a stated rate nor usable timestamps."""
_RATE_LIMITS: Final = (Fraction(1), Fraction(300))
_USUAL_RATES: Final = (
    *(Fraction(n * 1000, 1001) for n in (24, 30, 60, 48, 120, 15, 12)),
    *(Fraction(n) for n in (24, 25, 30, 50, 60, 12, 15, 10, 20, 48, 100, 120)),
)
_NOT_SHOWN: Final = Disposition.attached_pic | Disposition.timed_thumbnails
_MIN_RATE_PACKETS: Final = 4


def choose_stream(container: InputContainer, wanted: int | None = None) -> av.VideoStream | None:
    """The video stream with index ``wanted``; by default the one players show: the first flagged as
    default, else the first that is not a cover picture. None if there is none.
    """
    streams = [s for s in container.streams.video if not s.disposition & _NOT_SHOWN]
    if (found := next((s for s in streams if s.index == wanted), None)) is not None:
        return found
    return next(
        (s for s in streams if s.disposition & Disposition.default), next(iter(streams), None)
    )


def describe(
    stream: av.VideoStream, frame: av.VideoFrame, rate: Fraction, start: Fraction
) -> StreamInfo:
    """The properties of a stream, from its headers and its first picture."""
    context = stream.codec_context
    name = context.codec.canonical_name
    told = _container_facts(stream)
    return StreamInfo(
        width=frame.width,
        height=frame.height,
        format=carried_format(frame.format),
        color=_color(frame, name),
        source_rate=rate,
        start=start,
        duration=_stated_duration(stream, start),
        pixel_aspect=_players_aspect(stream, told),
        rotation=round(-frame.rotation / 90) * 90 % 360,  # FFmpeg counts counter-clockwise
        turn=_turn(frame),
        crop=_believed(told.crop, frame),
        sampling=whole_sampling(frame.format),
        stereo=told.stereo,
        stream_index=stream.index,
        hdr=_hdr(frame),
        has_captions=_side_bytes(frame, Type.A53_CC) != b"",
        dolby_profile=dolby_profile(_side_bytes(frame, Type.DOVI_METADATA)),
        codec=name,
        decoder=f"software ({context.codec.name})",
    )


def nominal_rate(stream: av.VideoStream, ticks: Sequence[int]) -> Fraction:
    """Frames per second: a stated rate that ``ticks`` do not contradict, else the rate of
    ``ticks``.

    Args:
        stream: FFmpeg's rates of it are tried in the order guessed, average, base.
        ticks: timestamps of the first packets, in the stream's time base, in any order.
    """
    low, high = _RATE_LIMITS
    stated = [r for r in (stream.guessed_rate, stream.average_rate, stream.base_rate) if r]
    stated = [r for r in stated if low <= r <= high]
    ordered = sorted(set(ticks))
    steps = [b - a for a, b in pairwise(ordered)]
    base = stream.time_base
    if base is None or len(steps) < _MIN_RATE_PACKETS:
        return snap_rate(stated[0]) if stated else FALLBACK_RATE
    step = Fraction(median(steps)) * base
    for rate in stated:
        # Twice the rate is accepted: an interlaced picture may be stored as two packets.
        if any(abs(rate * step * k - 1) < Fraction(1, 10) for k in (1, 2)):
            return snap_rate(rate)
    shown = _shown_rate([tick * base for tick in ordered], step, base)
    return snap_rate(shown) if low <= shown <= high else FALLBACK_RATE


def _shown_rate(times: list[Fraction], step: Fraction, tick: Fraction) -> Fraction:
    """A common rate whose grid is within one tick of every time; else the rate of the median
    step.
    """
    for rate in _USUAL_RATES:
        numbers = [round((t - times[0]) * rate) for t in times]
        off = max(abs(times[0] + n / rate - t) for n, t in zip(numbers, times, strict=True))
        if off <= tick and abs(rate * step - 1) < Fraction(1, 10):
            return rate
    return 1 / step


def _color(frame: av.VideoFrame, codec: str) -> ColorInfo:
    def stated(code: int) -> int:
        return code if 0 < code < 256 and code != 3 else UNSPECIFIED  # 3 is reserved

    matrix = stated(int(frame.colorspace))
    if frame.format.is_rgb or frame.format.has_palette:
        # RGB is converted to YUV here, so the matrix is our choice and must be stated from now on.
        matrix = ColorInfo().resolved_matrix(frame.width, frame.height)
    return ColorInfo(
        matrix=matrix,
        primaries=stated(int(frame.color_primaries)),
        transfer=stated(int(frame.color_trc)),
        full_range=is_full_range(frame),
        siting=_siting(frame, codec),
    )


def _siting(frame: av.VideoFrame, codec: str) -> Siting:
    """The usual chroma siting of the format; PyAV 18 does not report the stated one.

    MPEG-1 and JPEG put chroma between the lumas; Ultra HD Blu-ray (HEVC, BT.2020, PQ) on the top
    left one; all others left.
    """
    if codec in {"mpeg1video", "mjpeg"}:
        return Siting.CENTRE
    if codec == "hevc" and frame.color_primaries == 9 and frame.color_trc == 16:
        return Siting.TOP_LEFT
    return Siting.LEFT


def _pixel_aspect(stream: av.VideoStream) -> Fraction:
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(aspect) if aspect and aspect > 0 else Fraction(1)


def _container_facts(stream: av.VideoStream) -> TrackFacts:
    """Track properties of a Matroska file that FFmpeg does not pass on; defaults for other
    files.
    """
    container = stream.container
    if "matroska" not in container.format.name:
        return TrackFacts()
    facts = facts_of(container.name.removeprefix("file:"))
    tracks = facts.tracks if facts is not None else ()
    return (tracks[stream.index] if stream.index < len(tracks) else None) or TrackFacts()


def _players_aspect(stream: av.VideoStream, told: TrackFacts) -> Fraction:
    """The pixel aspect as mpv computes it.

    For cropped or stereo pictures, FFmpeg applies the display size to the cropped picture of one
    eye, mpv (0.35 to 0.41) to the whole stored picture.
    """
    context = stream.codec_context
    if not (told.crop or told.stereo) or told.display is None:
        return _pixel_aspect(stream)
    width, height = told.display
    return Fraction(width * context.height, height * context.width)


def _believed(crop: Crop, frame: av.VideoFrame) -> Crop:
    """The crop, unless nothing of the picture would remain."""
    is_sane = crop.left + crop.right < frame.width and crop.top + crop.bottom < frame.height
    return crop if is_sane else NO_CROP


def _turn(frame: av.VideoFrame) -> Turn:
    """The ``Turn`` of a display matrix (nine words, a b u c d v x y w), which moves a point (x, y)
    to (a x + c y, b x + d y).
    """
    words = _side_data(frame, Type.DISPLAYMATRIX, 9)
    if words is None:
        return Turn()
    a, b, c, d = (int(words[n]) for n in (0, 1, 3, 4))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Turn(swaps=True, flips_x=c < 0, flips_y=b < 0)
    return Turn(flips_x=a < 0, flips_y=d < 0)


def _stated_duration(stream: av.VideoStream, start: Fraction) -> Fraction | None:
    base = stream.time_base
    if stream.duration and base:
        first = stream.start_time * base if stream.start_time is not None else start
        end = first + stream.duration * base
    elif start < 1 and (tagged := _duration_tag(stream.metadata.get("DURATION", ""))):
        end = tagged  # if the stream starts late, muxers disagree about where durations count from
    elif (whole := container_of(stream).duration) is not None:
        end = Fraction(whole, av.time_base)
        if "matroska" not in stream.container.format.name or end <= start:
            # Matroska's duration runs from time zero, others' from the first packet.
            end += Fraction(container_of(stream).start_time or 0, av.time_base)
    else:
        return None
    return end - start if end > start else None


def _duration_tag(text: str) -> Fraction | None:
    """Matroska's statistics tag, "00:24:10.033000000": the end of the track on the file's clock."""
    hours, _, rest = text.partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return Fraction(int(hours) * 3600 + int(minutes) * 60) + Fraction(seconds)
    except ValueError:
        return None


def _hdr(frame: av.VideoFrame) -> HdrInfo | None:
    """HDR10 metadata of the first picture: mastering display and content light level."""
    mastering = _side_data(frame, Type.MASTERING_DISPLAY_METADATA, 22)
    light = _side_data(frame, Type.CONTENT_LIGHT_LEVEL, 2)
    if mastering is None and light is None:
        return None
    primaries = luminance = None
    if mastering is not None:
        has_primaries, has_luminance = mastering[20:22].astype(bool)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = mastering[0:20:2] / mastering[1:20:2]
        if has_primaries and np.isfinite(values[:8]).all():
            primaries = tuple((float(x), float(y)) for x, y in values[:8].reshape(4, 2))
        if has_luminance and np.isfinite(values[8:]).all():
            luminance = (float(values[8]), float(values[9]))
    return HdrInfo(
        primaries=primaries,
        luminance=luminance,
        max_cll=None if light is None else int(light[0]),
        max_fall=None if light is None else int(light[1]),
    )


def dolby_profile(metadata: bytes) -> int | None:
    """The Dolby Vision profile of a picture's metadata (FFmpeg's AVDOVIMetadata): 5, which cannot
    be shown without it, or 8 for all profiles with an ordinary base layer; None without metadata.
    """
    if len(metadata) < 8:
        return None
    header = int.from_bytes(metadata[:8], "little")
    if header < 8 or header + 11 > len(metadata):
        return None
    profile, is_full_range = metadata[header + 4], metadata[header + 10]
    return 5 if profile == 0 and is_full_range else 8


def _side_bytes(frame: av.VideoFrame, kind: Type) -> bytes:
    entry = _side_entry(frame, kind)
    return b"" if entry is None else bytes(entry)


def _side_entry(frame: av.VideoFrame, kind: Type) -> SideData | None:
    """A side data entry by its kind, None if absent.

    Do not iterate over all entries: PyAV 18.1 raises ValueError for kinds newer than its table.
    """
    try:
        return cast("SideDataContainer", frame.side_data)[kind]  # typed as one entry
    except (KeyError, ValueError):
        return None


def _side_data(frame: av.VideoFrame, kind: Type, num_words: int) -> NDArray[np.int32] | None:
    """The first 32-bit words of a side data entry; None if it is absent or too short."""
    entry = _side_entry(frame, kind)
    if entry is None or entry.buffer_size < 4 * num_words:
        return None
    return np.frombuffer(bytes(entry), "<i4", count=num_words)
