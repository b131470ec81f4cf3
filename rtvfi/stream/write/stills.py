"""Reads still pictures, and writes PNGs of 8 or 16 bits or short animations."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import av
import av.filter
import numpy as np
from av.video.reformatter import Colorspace

from rtvfi.core.errors import DecodeError, EncodeError, OpenError, first_line
from rtvfi.core.files import replacing
from rtvfi.core.options import MAX_PIXELS
from rtvfi.stream.decode.container import ffmpeg_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from av.filter.context import FilterContext
    from numpy.typing import NDArray

Animation = Literal["gif", "webp", "apng"]
Moving = Animation | Literal["mp4"]


class Form(NamedTuple):
    """How pictures that follow each other are kept in a file, in FFmpeg's words."""

    container: str
    encoder: str
    pixels: str
    container_options: Mapping[str, str]
    encoder_options: Mapping[str, str] = {}
    is_bt709: bool = False
    """Its colours are of BT.709, and it says so."""


ANIMATIONS: Final[dict[Animation, Form]] = {
    "gif": Form("gif", "gif", "pal8", {"loop": "0"}),
    "webp": Form("webp", "libwebp_anim", "yuv420p", {"loop": "0"}),
    "apng": Form("apng", "apng", "rgb24", {"plays": "0"}),
}
_MP4: Final = Form(
    "mp4",
    "libx264",
    "yuv420p",
    {"movflags": "+faststart"},
    {"crf": "14", "preset": "slow"},
    is_bt709=True,
)
_FAILURES: Final = (av.FFmpegError, ValueError, OSError)


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A picture read from a file."""

    rgb: NDArray[np.float32]
    """(H, W, 3), [0, 1]."""
    bits: int
    """8 or 16: bits per sample that hold everything in the file."""
    has_alpha: bool
    """Whether the file has an alpha channel, which is ignored."""


def read_still(path: Path) -> Still:
    """Read the first picture of a file.

    Raises:
        OpenError: the file does not exist or is not a picture.
        DecodeError: the picture is damaged.
    """
    try:
        container = av.open(ffmpeg_name(str(path)))
    except _FAILURES as error:
        raise OpenError(f'"{path}" cannot be read as a picture: {first_line(error)}') from error
    with container:
        if not container.streams.video:
            raise OpenError(f'"{path}" holds no picture')
        context = container.streams.video[0].codec_context
        if context.width * context.height > MAX_PIXELS:
            raise OpenError(f'"{path}" is too large: {context.width}x{context.height}')
        context.options = {"max_pixels": str(MAX_PIXELS)}
        try:
            frame = next(container.decode(video=0), None)
        except _FAILURES as error:
            raise DecodeError(f'"{path}" is damaged or no picture: {first_line(error)}') from error
        if frame is None:
            raise DecodeError(f'"{path}" is damaged: it holds no whole picture')
        components = frame.format.components
        bits = 16 if max(c.bits for c in components) > 8 else 8
        codes = frame.to_ndarray(format="rgb48le" if bits == 16 else "rgb24")
    rgb = codes.astype(np.float32) / np.float32(2**bits - 1)
    return Still(rgb, bits, any(c.is_alpha for c in components))


class PngEncoder:
    """Encodes RGB frames of one size as PNG.

    Args:
        width: pixels.
        height: pixels.
        bits: 8 or 16 per sample.
    """

    def __init__(self, width: int, height: int, bits: int) -> None:
        self.pixels = "rgb24" if bits == 8 else "rgb48be"
        """FFmpeg's name of the best input format; frames of other formats are converted."""
        context = av.CodecContext.create("png", "w")
        context.width, context.height, context.pix_fmt = width, height, self.pixels
        context.time_base = Fraction(1)
        context.thread_count = 1  # with more, output is delayed
        self._context = context

    def encode(self, frame: av.VideoFrame) -> bytes:
        """The content of a PNG file."""
        (packet,) = self._context.encode(frame.reformat(format=self.pixels))
        return bytes(packet)


def write_png(path: Path, rgb: NDArray[np.float32], bits: int) -> None:
    """Write a picture as PNG, atomically.

    Args:
        path: the file; an existing one is replaced.
        rgb: (H, W, 3), [0, 1]; clamped, and rounded to the nearest code.
        bits: 8 or 16 per sample.

    Raises:
        EncodeError: the file cannot be written.
    """
    frame = _frame(rgb, bits)
    try:
        data = PngEncoder(frame.width, frame.height, bits).encode(frame)
        with replacing(path) as part:
            part.write_bytes(data)
    except _FAILURES as error:
        raise EncodeError(f'"{path}" cannot be written: {first_line(error)}') from error


def write_animation(
    path: Path, pictures: Sequence[NDArray[np.float32]], kind: Moving, rate: Fraction
) -> None:
    """Write an animation that loops for ever, atomically.

    Args:
        path: the file; an existing one is replaced.
        pictures: (H, W, 3) each, [0, 1].
        kind: gif (256 colours), webp, apng or mp4 (H.264, BT.709; it does not loop, and the last
            row or column of an odd size is repeated), all with 8 bits.
        rate: pictures per second.

    Raises:
        EncodeError: the file cannot be written.
    """
    if kind == "mp4":
        pictures = [_even(rgb) for rgb in pictures]
    frames = [_frame(rgb, 8) for rgb in pictures]
    size = (frames[0].width, frames[0].height)
    shown = _with_palette(frames) if kind == "gif" else frames
    _write(path, shown, size, _MP4 if kind == "mp4" else ANIMATIONS[kind], rate)


def write_frames(
    path: Path, frames: Iterable[av.VideoFrame], kind: Animation, rate: Fraction
) -> None:
    """Like ``write_animation``, for an iterator of pictures: in a gif each has its own palette.

    Args:
        path: the file; an existing one is replaced; without pictures nothing is written.
        frames: RGB pictures of one size.
        kind: gif, webp or apng.
        rate: pictures per second.

    Raises:
        EncodeError: the file cannot be written.
    """
    coming = iter(frames)
    first = next(coming, None)
    if first is None:
        return
    frames = itertools.chain([first], coming)
    if kind == "gif":
        frames = _with_palettes(first, frames)
    _write(path, frames, (first.width, first.height), ANIMATIONS[kind], rate)


def _frame(rgb: NDArray[np.float32], bits: int) -> av.VideoFrame:
    top = 2**bits - 1
    codes = np.rint(np.clip(rgb, 0, 1) * np.float64(top))
    if bits == 8:
        return av.VideoFrame.from_ndarray(codes.astype(np.uint8), format="rgb24")
    return av.VideoFrame.from_ndarray(codes.astype(np.uint16), format="rgb48le")


def _even(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture with even width and height, for subsampled chroma."""
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _write(
    path: Path,
    frames: Iterable[av.VideoFrame],
    size: tuple[int, int],
    how: Form,
    rate: Fraction,
) -> None:
    try:
        with (
            replacing(path) as part,
            av.open(
                ffmpeg_name(str(part)),
                "w",
                format=how.container,
                options=dict(how.container_options),
            ) as container,
        ):
            stream = container.add_stream(how.encoder, rate=rate)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = *size, how.pixels
            stream.options = dict(how.encoder_options)
            matrix = None
            if how.is_bt709:
                matrix = Colorspace.ITU709
                context = stream.codec_context
                context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
            for number, frame in enumerate(frames):
                frame.pts, frame.time_base = number, 1 / rate
                shown = frame.reformat(format=how.pixels, dst_colorspace=matrix)
                container.mux(stream.encode(shown))
            container.mux(stream.encode(None))
    except _FAILURES as error:
        raise EncodeError(f'"{path}" cannot be written: {first_line(error)}') from error


def _with_palette(frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
    """Reduce all pictures to the 256 colours that suit them best together."""
    _graph, source, sink = _palette_graph(frames[0], "stats_mode=full", "new=0")
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1)
        source.push(frame)
    source.push(None)
    return [_pulled(sink) for _ in frames]


def _with_palettes(
    first: av.VideoFrame, frames: Iterable[av.VideoFrame]
) -> Iterator[av.VideoFrame]:
    """Reduce each picture to the 256 colours that suit it best."""
    _graph, source, sink = _palette_graph(first, "stats_mode=single", "new=1")
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number, Fraction(1)
        source.push(frame)
        yield _pulled(sink)


def _pulled(sink: FilterContext) -> av.VideoFrame:
    frame = sink.pull()
    assert isinstance(frame, av.VideoFrame)
    return frame


def _palette_graph(
    first: av.VideoFrame, how_made: str, how_used: str
) -> tuple[av.filter.Graph, FilterContext, FilterContext]:
    """(graph, input, output). Keep the graph alive: in PyAV 18.1 its ends do not."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=first.width, height=first.height, format=first.format, time_base=Fraction(1)
    )
    split = graph.add("split")
    make, use = graph.add("palettegen", how_made), graph.add("paletteuse", how_used)
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(make, 0, 0)
    split.link_to(use, 1, 0)
    make.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph, source, sink
