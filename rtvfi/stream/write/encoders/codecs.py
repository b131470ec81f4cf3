"""The table of encoders: formats, quality options, and how HDR metadata is passed. Pure.

All GOPs must be closed: files are cut and joined at key frames without re-encoding.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from rtvfi.core.errors import UsageError
from rtvfi.core.frame import WRITTEN_FORMATS, Siting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from rtvfi.core.frame import HdrInfo, StreamInfo
    from rtvfi.core.options import EncodeOptions

GOP_SECONDS: Final = 2
_FEW_CORES: Final = 4
_PQ: Final = 16
_HLG: Final = 18

_SAME: Final = {name: name for name in WRITTEN_FORMATS}
_HALVED: Final = {name: name for name in ("yuv420p", "yuv420p10le")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Codec:
    """One encoder."""

    name: str
    """FFmpeg's name."""
    stored: str
    """FFmpeg's name of the codec of its output, which decides which containers can hold it."""
    formats: Mapping[str, str] = field(default_factory=lambda: _SAME)
    """Pixel formats that it accepts: ours, and its name for each."""
    presets: tuple[str, str, str] | None = None
    """Presets for a file, while playing, and while playing on few cores; None = it has none."""
    crf: float | None = None
    """Default quality; None = lossless."""
    quality: str = "crf"
    """Name of its option for quality."""
    qualities: tuple[float, float] = (0, 51)
    """Range of that option, without a value that means "default"."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options that are always passed."""
    params: str | None = None
    """Name of its option that takes a list NAME=VALUE:NAME=VALUE."""
    fixed: tuple[str, ...] = ()
    """Entries of that list that are always passed."""
    style: Literal["", "x264", "x265", "svt", "vaapi"] = ""
    """How HDR metadata and chroma siting are passed; ``vaapi`` runs in a child (``ffmpeg``)."""
    reorder: int = 0
    """With B-frames, the largest number of pictures by which a packet's decoding precedes its
    display.
    """
    is_even: bool = False
    """It refuses 4:2:0 pictures of odd width or height."""

    @property
    def is_hardware(self) -> bool:
        """Whether a device encodes."""
        return self.name.endswith(("_nvenc", "_vaapi"))


_NVENC: Final[dict[str, str]] = {"rc": "vbr", "b": "0", "bf": "0"}
_NVENC_8: Final = {"yuv420p": "yuv420p", "yuv444p": "yuv444p"}
_NVENC_10: Final = {**_NVENC_8, "yuv420p10le": "p010le"}
_VAAPI_8: Final = {"yuv420p": "nv12"}
_VAAPI_10: Final = {**_VAAPI_8, "yuv420p10le": "p010le"}
_VAAPI_QUALITY: Final = {"h264": 21.0, "hevc": 23.0, "av1": 100.0}
"""Default quantisers; the range of AV1 is 1 to 255, of the others 1 to 51."""
_NVENC_PRESETS: Final = ("p5", "p4", "p4")


def _x26(
    style: Literal["x264", "x265"], stored: str, playing: str, crf: float, fixed: tuple[str, ...]
) -> Codec:
    """The row of libx264 or libx265; ``playing`` is its preset while playing."""
    return Codec(
        name=f"lib{style}",
        stored=stored,
        presets=("medium", playing, "ultrafast"),
        crf=crf,
        params=f"{style}-params",
        fixed=fixed,
        style=style,
        reorder=2,
        is_even=True,
    )


CODECS: Final = {
    codec.name: codec
    for codec in (
        _x26("x264", "h264", "veryfast", 17, ("open-gop=0",)),
        _x26("x265", "hevc", "ultrafast", 18, ("open-gop=0", "log-level=error")),
        Codec(
            name="libsvtav1",
            stored="av1",
            formats=_HALVED,
            presets=("8", "12", "12"),
            crf=24,
            qualities=(1, 63),
            params="svtav1-params",
            style="svt",
        ),
        Codec(
            name="libvpx-vp9",
            stored="vp9",
            formats={"yuv420p": "yuv420p", "yuv444p": "yuv444p"},
            crf=24,
            qualities=(0, 63),
            options={"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
        ),
        Codec(
            name="ffv1",
            stored="ffv1",
            options={"level": "3", "slicecrc": "1"},
        ),
        *(
            Codec(
                name=f"{stored}_nvenc",
                stored=stored,
                formats=_NVENC_8 if stored == "h264" else _NVENC_10,
                presets=_NVENC_PRESETS,
                crf=20,
                quality="cq",
                qualities=(1, 51),
                options=_NVENC,
                is_even=True,
            )
            for stored in ("h264", "hevc", "av1")
        ),
        *(
            Codec(
                name=f"{stored}_vaapi",
                stored=stored,
                formats=_VAAPI_8 if stored == "h264" else _VAAPI_10,
                crf=quality,
                quality="global_quality",
                qualities=(1, 255 if stored == "av1" else 51),
                options={"rc_mode": "CQP", "bf": "0"},  # B-frames: few drivers have them
                style="vaapi",
                is_even=True,
            )
            for stored, quality in _VAAPI_QUALITY.items()
        ),
    )
}


LIKELY: Final = "libx264"
"""The encoder that ``auto`` uses for most films. All encoders that ``auto`` may use for a Matroska
file must have the same range of qualities.
"""


def find_codec(name: str) -> Codec:
    """The row of an encoder.

    Raises:
        UsageError: no encoder has that name.
    """
    if name not in CODECS:
        raise UsageError(
            f'there is no encoder "{name}", expected auto, {", ".join(CODECS)}', "--encoder auto"
        )
    return CODECS[name]


def candidates(info: StreamInfo, *, is_live: bool = False) -> tuple[str, ...]:
    """The encoders that ``auto`` tries, best first: H.264 plays everywhere; for HDR, players expect
    HEVC.

    While playing, the processor has other work, so a VA-API encoder comes first if it can store all
    properties of the pictures. A rendering has time, and software encoders make smaller files.
    """
    if info.hdr is not None or info.color.transfer in (_PQ, _HLG):
        return ("libx265", "libsvtav1", "libx264", "libvpx-vp9", "ffv1")
    software = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "ffv1")
    if is_live and info.format.name in _VAAPI_10 and info.color.siting is Siting.LEFT:
        return ("h264_vaapi" if info.format.name in _VAAPI_8 else "hevc_vaapi", *software)
    return software


def why_not(codec: Codec, info: StreamInfo) -> str:
    """Why an encoder cannot encode these pictures; empty if it can."""
    if info.format.name in codec.formats:
        return ""
    return f"it takes {' or '.join(codec.formats)}, not {info.format.name}"


def coded_size(codec: Codec, info: StreamInfo) -> tuple[int, int]:
    """Encoded width and height: one column or row more if the codec needs even sizes.

    The picture's last column and row are repeated; players show them.
    """
    if not codec.is_even or not info.format.chroma_shift:
        return info.width, info.height
    return info.width + info.width % 2, info.height + info.height % 2


def gop_frames(rate: Fraction) -> int:
    """Largest number of pictures from one key frame to the next."""
    return max(1, round(rate * GOP_SECONDS))


def check_quality(codec: Codec, crf: float | None) -> None:
    """Check that a quality is in an encoder's range; None = its default.

    Raises:
        UsageError: it is out of range, or the encoder has none.
    """
    if crf is None:
        return
    if codec.crf is None:
        raise UsageError(f"{codec.name} is lossless and has no quality", "omit --crf")
    least, most = codec.qualities
    if not least <= crf <= most:  # nan neither
        raise UsageError(
            f'--crf is "{crf:g}", expected {least:g} (best) to {most:g} with {codec.name}',
            f"omit it for {codec.crf:g}",
        )


def codec_options(codec: Codec, info: StreamInfo, options: EncodeOptions) -> dict[str, str]:
    """All options of an encoder, except size, format, rate and colour.

    Raises:
        UsageError: a quality or preset for an encoder without one, or a quality out of range.
    """
    check_quality(codec, options.crf)
    chosen = dict(codec.options)
    if options.preset is not None and codec.presets is None:
        raise UsageError(f"{codec.name} has no presets", "omit --preset-encoder")
    if codec.presets is not None:
        place = 0 if not options.is_live else 1 if _num_cores() > _FEW_CORES else 2
        chosen["preset"] = options.preset or codec.presets[place]
    if codec.crf is not None:
        chosen[codec.quality] = f"{codec.crf if options.crf is None else options.crf:g}"
    if options.is_live and codec.reorder:
        chosen["bf"] = "0"
    if codec.params is not None:
        entries = [*codec.fixed, *_siting(codec, info), *_hdr(codec, info.hdr)]
        if options.is_live and codec.style == "x265":
            entries.append("bframes=0")
        if options.is_live and codec.style == "svt":
            entries.append("pred-struct=1")  # low delay: packets in order of display
        if entries:
            chosen[codec.params] = ":".join(entries)
    return chosen


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _siting(codec: Codec, info: StreamInfo) -> list[str]:
    """Entries for the chroma siting; none for left, which players assume by default."""
    if codec.style not in ("x264", "x265") or not info.format.chroma_shift:
        return []
    code = {Siting.LEFT: 0, Siting.CENTRE: 1, Siting.TOP_LEFT: 2}[info.color.siting]
    return [f"chromaloc={code}"] if code else []


def _hdr(codec: Codec, hdr: HdrInfo | None) -> list[str]:
    """HDR10 metadata (SMPTE ST 2086, CTA-861.3) in the encoder's syntax."""
    if hdr is None or not codec.style:
        return []
    names = {
        "x264": ("mastering-display", "cll"),
        "x265": ("master-display", "max-cll"),
        "svt": ("mastering-display", "content-light"),
    }[codec.style]
    entries = ["hdr10=1", "repeat-headers=1"] if codec.style == "x265" else []
    if hdr.primaries is not None and hdr.luminance is not None:
        entries.append(f"{names[0]}={_mastering(hdr, is_decimal=codec.style == 'svt')}")
    if hdr.max_cll is not None:
        entries.append(f"{names[1]}={hdr.max_cll},{hdr.max_fall or 0}")
    return entries


def _mastering(hdr: HdrInfo, *, is_decimal: bool) -> str:
    """``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)``: decimals, or integers in units of 0.00002 and of
    0.0001 cd/m2.
    """
    assert hdr.primaries is not None
    assert hdr.luminance is not None
    red, green, blue, white = hdr.primaries
    low, high = hdr.luminance

    def pair(values: tuple[float, ...], unit: int) -> str:
        if is_decimal:
            return ",".join(f"{value:.5f}" for value in values)
        return ",".join(str(round(value * unit)) for value in values)

    points = zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
    text = "".join(f"{name}({pair(point, 50000)})" for name, point in points)
    return text + f"L({pair((high, low), 10000)})"
