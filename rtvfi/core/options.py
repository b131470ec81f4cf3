"""What a user may choose about decoding, timing and interpolating; importable without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from fractions import Fraction

    from rtvfi.core.frame import Stretch

Style = Literal["smooth", "rhythm", "plain", "off"]
Tail = Literal["hold", "stretch"]
Hwaccel = Literal["auto", "vaapi", "cuda", "none"]
Deinterlace = Literal["auto", "on", "off", "ivtc"]
Form = Literal["auto", "eager", "compile", "graph"]
"""How a network is run: see ``models.fast.fastest``."""
Overlap = Literal["off", "on"]

SelfTest = Literal["auto", "again", "off"]
"""When a GPU is tested before networks use it: see ``engine.trusted``."""

CUT_THRESHOLD: Final = 0.3
"""The likeness (SSIM of miniatures) below which a pair of frames needs less evidence to be a cut;
higher finds more cuts.
"""
MAX_PIXELS: Final = 8192 * 8192
"""Larger pictures are refused before anything is allocated."""
MAX_PASSES: Final = 5
"""More passes blur drawings that are held longer than any animator holds them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceOptions:
    """How a file is opened."""

    hwaccel: Hwaccel = "auto"
    """``auto`` takes what works and says what is live; a named one fails when it cannot be had."""
    vaapi_device: str = "auto"
    """A render node or an X display; ``auto`` takes the first render node that works."""
    deinterlace: Deinterlace = "auto"
    """``auto`` makes progressive what is flagged as interlaced, ``on`` everything; ``ivtc`` finds
    the 24 pictures of a film among the 30 that it was woven into.
    """
    stream_index: int | None = None
    """FFmpeg's number of the video stream; None = the one players show."""
    max_pixels: int = MAX_PIXELS
    """Larger pictures are refused before anything is allocated."""
    threads: int = 0
    """Decoder threads; 0 = min(4, cores)."""
    keeps_shapes: bool = False
    """Pictures whose shape changes on the way stay as they are: ``StreamInfo.stretches`` tells
    them; else all are brought into one shape.
    """
    stretches: tuple[Stretch, ...] = ()
    """What is known of the shapes of this stream already; empty = look for them."""
    picture_rate: Fraction | None = None
    """Pictures per second where a folder of numbered pictures is read as a film; None = it is
    none.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamOptions:
    """How source frames become output frames."""

    style: Style = "smooth"
    """``smooth`` evens out drawings held for several frames, ``rhythm`` keeps their timing (with a
    model that looks at three frames), ``plain`` keeps every frame; ``off`` inserts nothing.
    """
    passes: int | None = None
    """Rounds of evening out, 0 to 5; None = by what each scene shows."""
    tail: Tail = "hold"
    """How an evened-out scene ends: its last frame is held, or motion slows down towards it."""
    flow_scale: float | None = None
    """Size at which motion is estimated; None = by ``flow_scales``."""
    flow_scales: tuple[tuple[float, float], ...] = ((1920 * 1088, 1.0), (math.inf, 0.5))
    """Pixels of a picture up to which a flow scale is taken, and that scale; the last for all."""
    form: Form = "eager"
    """How the network is run; ``auto`` measures what is faster, a named one fails when it cannot be
    had.
    """
    overlap: Overlap = "off"
    """``on`` has a GPU copy pictures while it is at work on others; they are the same."""
    cut_threshold: float = CUT_THRESHOLD
    """A pair with a 32x32 RGB SSIM below this is a scene cut; higher finds more."""
    ring_seconds: float = 0.5
    """Output frames kept ready, in seconds of output."""
    ring_bytes: int = 256 << 20
    """The same in bytes; whichever bound is met first holds."""

    @property
    def is_auto_scaled(self) -> bool:
        """Whether nobody asked for a flow scale."""
        return self.flow_scale is None and self.flow_scales == StreamOptions().flow_scales

    def flow_scale_of(self, width: int, height: int) -> float:
        """The size at which motion is estimated for pictures of this size."""
        if self.flow_scale is not None:
            return self.flow_scale
        return next(scale for most, scale in self.flow_scales if width * height <= most)

    def smaller(self) -> StreamOptions:
        """The same with motion looked for at half the size, where that is large enough."""
        least = 0.25
        half = self.flow_scale and max(least, self.flow_scale / 2)
        halves = tuple((most, max(least, scale / 2)) for most, scale in self.flow_scales)
        return replace(self, flow_scale=half, flow_scales=halves)

    def facts(self) -> dict[str, object]:
        """What pictures depend on, for JSON: a rendering goes on only where these are equal.

        An explicit list, so that an option that changes no picture (the rings) does not make
        interrupted work worthless. A new option that does change pictures belongs here.
        """
        return {
            "style": self.style,
            "passes": self.passes,
            "tail": self.tail,
            "flow_scale": self.flow_scale,
            "flow_scales": [[str(most), scale] for most, scale in self.flow_scales],
            "form": self.form,
            "cut_threshold": self.cut_threshold,
        }

    @property
    def is_by_cadence(self) -> bool:
        """Whether pictures depend on all that was seen before, by way of the cadence found."""
        return self.style == "smooth" and self.passes is None


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodeOptions:
    """How pictures are written."""

    encoder: str = "auto"
    """``auto`` takes the best that works and says which; a named one fails when it cannot run."""
    crf: float | None = None
    """Quality on the encoder's own scale, lower is better; None = the encoder's row in codecs."""
    preset: str | None = None
    """The encoder's own preset; None = the encoder's row in codecs."""
    vaapi_device: str = "auto"
    """See ``SourceOptions``."""
    pix_fmt: str | None = None
    """One of ``frame.PIXEL_FORMATS``; None = as the pictures are."""
    is_for_players: bool = False
    """Where ``pix_fmt`` does not say: 4:4:4 becomes 4:2:0, but in lossless files."""
    sub_codepage: str = "auto"
    """Encoding of subtitles that are copied, as mpv's option of that name says it."""
    is_live: bool = False
    """While playing: fast, and without B-frames, so that a file can be cut at any picture."""

    def facts(self) -> dict[str, object]:
        """What a file depends on, for JSON; see ``StreamOptions.facts``."""
        return {
            "encoder": self.encoder,
            "crf": self.crf,
            "preset": self.preset,
            "pix_fmt": self.pix_fmt,
            "is_for_players": self.is_for_players,
            "is_live": self.is_live,
        }
