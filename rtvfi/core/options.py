"""Options of decoding, timing, interpolation and encoding; importable without torch."""

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
"""How a network is run: eagerly, compiled, as a captured graph, or measured
(``models.fast.fastest``).
"""
Overlap = Literal["off", "on"]

SelfTest = Literal["auto", "again", "off"]
"""Whether a GPU is tested before networks use it: only if it was not tested before, once more, or
never (``engine.trusted``).
"""

CUT_THRESHOLD: Final = 0.3
"""SSIM of two frames' miniatures, 0 to 1, below which less evidence is needed to call it a cut; a
higher threshold finds more cuts. ``configs/default.toml`` and the help text repeat the value.
"""
MAX_PIXELS: Final = 8192 * 8192
"""Larger pictures are refused before anything is allocated."""
MAX_PASSES: Final = 5
"""Upper limit: more passes would suit only drawings held longer than animators hold them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceOptions:
    """How a file is opened."""

    hwaccel: Hwaccel = "auto"
    """``auto`` uses a device that works; a device named here fails if it is not available."""
    vaapi_device: str = "auto"
    """A render node or an X display; ``auto`` = the first render node that works."""
    deinterlace: Deinterlace = "auto"
    """``auto`` deinterlaces frames flagged as interlaced, ``on`` all frames; ``ivtc`` (inverse
    telecine) restores the 24 pictures per second that were spread over 30.
    """
    stream_index: int | None = None
    """FFmpeg's index of the video stream; None = the one players choose."""
    max_pixels: int = MAX_PIXELS
    """Larger pictures are refused before anything is allocated."""
    threads: int = 0
    """Decoder threads; 0 = min(4, cores)."""
    keeps_shapes: bool = False
    """Pictures keep their shape when it changes in mid-stream (``StreamInfo.stretches`` lists the
    shapes); otherwise all are converted to one shape.
    """
    stretches: tuple[Stretch, ...] = ()
    """The shapes of this stream, if known already; empty = scan the file for them."""
    web: tuple[tuple[str, str], ...] = ()
    """FFmpeg options for an http(s) URL: headers and the like, sent with every request."""
    picture_rate: Fraction | None = None
    """Pictures per second, when the path is a folder of numbered pictures; None = a video file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamOptions:
    """How source frames become output frames."""

    style: Style = "smooth"
    """``smooth`` evens out drawings held for several frames, ``rhythm`` keeps their timing (with a
    model that looks at three frames), ``plain`` keeps every frame; ``off`` inserts nothing.
    """
    passes: int | None = None
    """Midpoint passes, 0 to 5; None = chosen by the cadence of each scene."""
    tail: Tail = "hold"
    """End of a scene after midpoint passes: hold its last frame, or slow down towards it."""
    flow_scale: float | None = None
    """Scale at which motion is estimated (1, 0.5, 0.25); None = from ``flow_scales``."""
    flow_scales: tuple[tuple[float, float], ...] = ((1920 * 1088, 1.0), (math.inf, 0.5))
    """(pixels, flow scale), rising: the first row with at least a picture's pixels applies."""
    form: Form = "eager"
    """How the network is run; ``auto`` uses the fastest, a form named here fails if it is not
    available.
    """
    overlap: Overlap = "off"
    """``on``: a GPU copies pictures while it computes others; the pictures are the same."""
    cut_threshold: float = CUT_THRESHOLD
    """See ``CUT_THRESHOLD``, the default; 0 to 1, higher finds more cuts."""
    ring_seconds: float = 0.5
    """Bound of the output ring, in seconds of output."""
    ring_bytes: int = 256 << 20
    """Bound of the output ring, in bytes; whichever bound is reached first applies."""

    @property
    def is_auto_scaled(self) -> bool:
        """Whether the flow scale is left to rtvfi: the user named none."""
        return self.flow_scale is None and self.flow_scales == StreamOptions().flow_scales

    def flow_scale_of(self, width: int, height: int) -> float:
        """The flow scale for pictures of this size."""
        if self.flow_scale is not None:
            return self.flow_scale
        return next(scale for most, scale in self.flow_scales if width * height <= most)

    def smaller(self) -> StreamOptions:
        """The same options with half the flow scale, unless that is too small."""
        least = 0.25
        half = self.flow_scale and max(least, self.flow_scale / 2)
        halves = tuple((most, max(least, scale / 2)) for most, scale in self.flow_scales)
        return replace(self, flow_scale=half, flow_scales=halves)

    def facts(self) -> dict[str, object]:
        """The options that change pictures, as JSON values: a rendering is resumed only where they
        are equal.

        The list is explicit, so that an option that changes no picture (the rings) does not
        prevent resuming. A new option that does change pictures must be added here.
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
        """Whether a picture depends on all earlier frames, through the cadence detected in them."""
        return self.style == "smooth" and self.passes is None


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodeOptions:
    """How pictures are written."""

    encoder: str = "auto"
    """``auto`` = the best one that works; an encoder named here fails if it cannot run."""
    crf: float | None = None
    """Quality on the encoder's own scale, lower is better; None = its default in ``CODECS``."""
    preset: str | None = None
    """The encoder's own preset; None = its default in ``CODECS``."""
    vaapi_device: str = "auto"
    """As in ``SourceOptions``."""
    pix_fmt: str | None = None
    """One of ``frame.PIXEL_FORMATS``; None = the format of the pictures."""
    is_for_players: bool = False
    """Where ``pix_fmt`` is None, store 4:4:4 as 4:2:0, which more players can play; lossless files
    stay 4:4:4.
    """
    sub_codepage: str = "auto"
    """Text encoding of copied subtitles, in the syntax of mpv's ``sub-codepage``."""
    is_live: bool = False
    """While playing: fast, and without B-frames, so that a file can be cut at any picture."""

    def facts(self) -> dict[str, object]:
        """The options that change the file, as JSON values; compare ``StreamOptions.facts``."""
        return {
            "encoder": self.encoder,
            "crf": self.crf,
            "preset": self.preset,
            "pix_fmt": self.pix_fmt,
            "is_for_players": self.is_for_players,
            "is_live": self.is_live,
        }
