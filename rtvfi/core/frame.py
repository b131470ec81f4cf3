"""Types that every package uses: pictures, their times, and the properties of a video stream.

Times are exact: ``Fraction`` seconds on the source's own clock. Intervals are half open.

On the host a picture is a *payload*: one contiguous, 1-D uint8 array that holds the Y, U and V
planes one after the other without padding, in the stream's pixel format (FFmpeg's names, little
endian). A payload is never written to once its frame exists, so frames may share one: a shown copy
of a source frame *is* the source payload.

On the device a picture is torch tensors, and the default contract is NCHW, RGB, float16 or float32,
[0, 1], contiguous. Models that work on planes take ``models.base.Planes`` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNSPECIFIED: Final = 2
"""ISO 23001-8 code for a matrix, primaries or transfer the file does not state."""


DOLBY_OWN_COLOURS: Final = 5
"""The Dolby Vision profile whose colours cannot be shown without its metadata."""


class EndOfStream(Enum):
    """Type of ``END``."""

    END = "end"


END: Final = EndOfStream.END
"""Returned by a source or ring after the last frame, on every call.

None means something else: "no frame yet".
"""


class Siting(Enum):
    """Where a 4:2:0 chroma sample lies between its four luma samples."""

    LEFT = "left"
    CENTRE = "centre"
    TOP_LEFT = "top-left"


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """A planar YUV layout that rtvfi processes without converting it."""

    name: str
    """FFmpeg's name."""
    bits: int
    """Significant bits of a sample: 8, or 10 (the low bits of 16-bit little-endian words)."""
    chroma_shift: int
    """log2 of the chroma subsampling, the same in both directions: 1 for 4:2:0, 0 for 4:4:4."""

    @property
    def sample_bytes(self) -> int:
        """Bytes of one stored sample."""
        return 1 if self.bits == 8 else 2

    def plane_shapes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of Y, U, V; odd sizes round chroma up."""
        half = self.chroma_shift
        chroma = (-(-height >> half), -(-width >> half))
        return ((height, width), chroma, chroma)

    def payload_bytes(self, width: int, height: int) -> int:
        """Length of the payload of one picture."""
        return sum(h * w for h, w in self.plane_shapes(width, height)) * self.sample_bytes


PIXEL_FORMATS: Final = {
    f.name: f
    for f in (
        PixelFormat("yuv420p", 8, 1),
        PixelFormat("yuv420p10le", 10, 1),
        PixelFormat("yuv444p", 8, 0),
        PixelFormat("yuv444p10le", 10, 0),
    )
}
"""Formats that are processed as they are; a source converts others to the nearest of these when
it decodes, with a message.
"""

WRITTEN_FORMATS: Final = {
    **PIXEL_FORMATS,
    **{f.name: f for f in (PixelFormat("yuv422p", 8, 1), PixelFormat("yuv422p10le", 10, 1))},
}
"""Formats of output files. 4:2:2 is processed as 4:4:4; every second chroma column of that is the
source's own.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColorInfo:
    """Colour description with ISO 23001-8 numbers, as stated by the file (2 = unspecified)."""

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    full_range: bool = False
    siting: Siting = Siting.LEFT

    def resolved_matrix(self, width: int, height: int) -> int:
        """The matrix to compute with: the stated one, else mpv's rule (709 when HD, else 601)."""
        if self.matrix != UNSPECIFIED:
            return self.matrix
        return 1 if width >= 1280 or height > 576 else 6


@dataclass(frozen=True, kw_only=True, slots=True)
class HdrInfo:
    """HDR10 static metadata."""

    primaries: tuple[tuple[float, float], ...] | None = None
    """CIE xy of red, green, blue and the white point."""
    luminance: tuple[float, float] | None = None
    """Minimum and maximum of the mastering display, cd/m2."""
    max_cll: int | None = None
    max_fall: int | None = None


@dataclass(frozen=True, slots=True)
class Crop:
    """Columns and rows at the edges of a picture that players do not show."""

    left: int
    top: int
    right: int
    bottom: int

    def __bool__(self) -> bool:
        return any((self.left, self.top, self.right, self.bottom))


NO_CROP: Final = Crop(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Turn:
    """How stored pictures become upright: first rows and columns are exchanged, then the picture is
    mirrored.
    """

    swaps: bool = False
    flips_x: bool = False
    """Left and right are exchanged."""
    flips_y: bool = False
    """Top and bottom are exchanged."""

    def __bool__(self) -> bool:
        return self.swaps or self.flips_x or self.flips_y


_SAME_RATIO: Final = Fraction(1, 100)


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
        """The displayed area, in square pixels as high as the picture's own."""
        return self.width * self.aspect * self.height

    def is_like(self, other: Shape) -> bool:
        """Whether the ratios are the same to the eye: sizes are rounded to whole pixels."""
        return abs(self.ratio / other.ratio - 1) < _SAME_RATIO

    def __str__(self) -> str:
        return f"{self.width}x{self.height} at {float(self.ratio):.3g}:1"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The frames of a stream that share one shape; it lasts until the next stretch starts."""

    start: Fraction
    """PTS of its first frame."""
    shape: Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamInfo:
    """Properties of an open video stream; constant for the life of a source.

    Pictures that change size or format in mid-stream are converted to this size and format. Where
    they keep their shapes (``stretches``), a smaller picture lies at the top left of a payload of
    this size, and its last row and column are repeated up to the edges.
    """

    width: int
    height: int
    format: PixelFormat
    color: ColorInfo
    source_rate: Fraction
    """Nominal frames per second, snapped (24000/1001, 25, ...)."""
    start: Fraction
    """PTS of the first frame, seconds on the file's clock."""
    duration: Fraction | None
    """Seconds from ``start`` to the end of the last frame; None when the file does not say."""
    pixel_aspect: Fraction
    """Sample aspect ratio, 1 for square pixels."""
    rotation: int = 0
    """Degrees clockwise by which players turn the picture: 0, 90, 180 or 270."""
    turn: Turn = Turn()
    """What makes the picture upright; unlike ``rotation`` it covers mirrored pictures."""
    crop: Crop = NO_CROP
    """What the container says to crop; decoded pictures still include it."""
    sampling: str = ""
    """The one of ``WRITTEN_FORMATS`` that holds all chroma of a 4:2:2 or 4:1:1 source; empty for
    other sources.
    """
    stretches: tuple[Stretch, ...] = ()
    """The shapes of the stream in order, the first from ``start`` on; empty = one shape for all."""
    stereo: int = 0
    """Matroska's StereoMode: from 1 on, each picture holds two views; 0 = an ordinary picture."""
    stream_index: int = 0
    """FFmpeg's number of the stream in its file."""
    hdr: HdrInfo | None = None
    has_captions: bool = False
    """The video packets contain closed captions (CEA-608 and 708)."""
    dolby_profile: int | None = None
    """Dolby Vision: ``DOLBY_OWN_COLOURS``, or 8 for every profile with a usable base layer."""
    is_seekable: bool = True
    codec: str = ""
    decoder: str = "software"
    """Name of the decoder in use, for the overlay and the report."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.source_rate <= 0 or self.pixel_aspect <= 0:
            raise ValueError(f"impossible stream: {self}")

    @property
    def payload_bytes(self) -> int:
        """Length of every payload of this stream."""
        return self.format.payload_bytes(self.width, self.height)

    @property
    def shape(self) -> Shape:
        """The shape of every payload."""
        return Shape(self.width, self.height, self.pixel_aspect)

    def shape_at(self, pts: Fraction) -> Shape:
        """The shape of the picture shown at ``pts``, which lies at the top left of the payload."""
        begun = [stretch.shape for stretch in self.stretches if stretch.start <= pts]
        return begun[-1] if begun else self.stretches[0].shape if self.stretches else self.shape


def plane_views(
    payload: NDArray[np.uint8], info: StreamInfo
) -> tuple[NDArray[np.uint8 | np.uint16], ...]:
    """Y, U, V of a payload as 2-D views (no copy); uint8, or uint16 for 10 bit."""
    samples = payload if info.format.bits == 8 else payload.view("<u2")
    views, start = [], 0
    for rows, columns in info.format.plane_shapes(info.width, info.height):
        views.append(samples[start : start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return tuple(views)


@dataclass(frozen=True, slots=True, eq=False)
class SourceFrame:
    """A decoded picture with its exact time."""

    payload: NDArray[np.uint8]
    pts: Fraction
    duration: Fraction
    """Seconds until the next frame is due; nominal when the file does not say."""
    epoch: int = 0
    """Generation of the seek it belongs to."""
    starts_stretch: bool = False
    """The previous frame has another shape: a new stretch starts (``StreamInfo.stretches``)."""
    strange: Shape | None = None
    """The picture's own shape, where that differs from the one expected at its time."""


class Kind(Enum):
    """How an output frame was made."""

    COPY = "copy"
    """A bit-exact source frame: it belongs at this time, or is known to be the right result, or no
    model is running.
    """
    SYNTHETIC = "synthetic"
    """Made by a model."""
    CHEAP = "cheap"
    """The nearest source frame, because there was no time to run the model."""


@dataclass(frozen=True, slots=True, eq=False)
class OutputFrame:
    """A picture to show, on the output grid."""

    payload: NDArray[np.uint8]
    index: int
    """Number on the output grid: shown at ``origin + index * step``."""
    pts: Fraction
    kind: Kind
    epoch: int = 0
