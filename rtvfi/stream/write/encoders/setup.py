"""The parameters with which an encoder is opened. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtvfi.core.frame import WRITTEN_FORMATS, Siting
from rtvfi.stream.write.encoders.codecs import Codec, codec_options, coded_size, gop_frames

if TYPE_CHECKING:
    from fractions import Fraction

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import EncodeOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """An encoder, its input and its output."""

    codec: Codec
    info: StreamInfo
    """The stream of payloads."""
    stored: StreamInfo
    """The stream in the file: like ``info``, perhaps in another pixel format."""
    rate: Fraction
    """Pictures per second, nominal."""
    is_steady: bool
    """Whether all pictures are evenly spaced at that rate."""
    options: EncodeOptions

    @property
    def encoder_options(self) -> dict[str, str]:
        """The encoder's options, from ``codec_options``.

        Raises:
            UsageError: a quality or preset is invalid.
        """
        return codec_options(self.codec, self.stored, self.options)

    @property
    def size(self) -> tuple[int, int]:
        """Encoded width and height."""
        return coded_size(self.codec, self.stored)

    @property
    def target(self) -> str:
        """The pixel format under the codec's name for it."""
        return self.codec.formats[self.stored.format.name]

    @property
    def gop(self) -> int:
        """Largest number of pictures from one key frame to the next."""
        return gop_frames(self.rate)


def stored_info(codec: Codec, info: StreamInfo, options: EncodeOptions) -> StreamInfo:
    """The stream as a codec stores it: in the chosen pixel format, by default that of ``info``.

    For players (``is_for_players``) 4:4:4 is stored as 4:2:0, because hardly any browser, phone or
    television shows 4:4:4. Lossless codecs keep it.
    """
    name = options.pix_fmt or info.format.name
    if options.pix_fmt is None and info.sampling in codec.formats:
        name = info.sampling
    if options.pix_fmt is None and options.is_for_players and codec.crf is not None:
        name = name.replace("444", "420").replace("422", "420")
    wanted = WRITTEN_FORMATS[name]
    if wanted.chroma_shift <= info.format.chroma_shift or name == info.sampling:
        return replace(info, format=wanted)
    # swscale places the new samples in the centre of the old ones.
    return replace(info, format=wanted, color=replace(info.color, siting=Siting.CENTRE))
