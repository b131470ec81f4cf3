"""What every encoder is told when it is opened. Pure."""

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
    """One encoder, and what it makes of which pictures."""

    codec: Codec
    info: StreamInfo
    """Of the payloads."""
    stored: StreamInfo
    """What comes out: as ``info``, perhaps in another pixel format."""
    rate: Fraction
    """Pictures per second, nominal."""
    is_steady: bool
    """Whether they come at that rate."""
    options: EncodeOptions

    @property
    def told(self) -> dict[str, str]:
        """See ``codec_options``.

        Raises:
            UsageError: see there.
        """
        return codec_options(self.codec, self.stored, self.options)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height that are encoded."""
        return coded_size(self.codec, self.stored)

    @property
    def target(self) -> str:
        """The pixel format under the codec's name for it."""
        return self.codec.formats[self.stored.format.name]

    @property
    def gop(self) -> int:
        """Most pictures from one key frame to the next."""
        return gop_frames(self.rate)


def stored_info(codec: Codec, info: StreamInfo, options: EncodeOptions) -> StreamInfo:
    """What a codec makes of pictures: the pixel format asked for, else theirs.

    4:4:4 pictures of which a film for players is made are halved: hardly a browser, phone or
    television shows 4:4:4. What is lossless keeps everything.
    """
    name = options.pix_fmt or info.format.name
    if options.pix_fmt is None and info.sampling in codec.formats:
        name = info.sampling
    if options.pix_fmt is None and options.is_for_players and codec.crf is not None:
        name = name.replace("444", "420").replace("422", "420")
    wanted = WRITTEN_FORMATS[name]
    if wanted.chroma_shift <= info.format.chroma_shift or name == info.sampling:
        return replace(info, format=wanted)
    # swscale puts the new samples in the middle of the old ones.
    return replace(info, format=wanted, color=replace(info.color, siting=Siting.CENTRE))
