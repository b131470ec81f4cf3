"""The description of a file to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtvfi.stream.write.beside.extras import Extra, companion_of
from rtvfi.stream.write.encoders.encode import open_encoder
from rtvfi.stream.write.timeline import Timeline

if TYPE_CHECKING:
    from pathlib import Path

    from av.container import OutputContainer

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import EncodeOptions
    from rtvfi.core.rates import Grid
    from rtvfi.stream.write.beside.companion import Companion
    from rtvfi.stream.write.encoders.encode import Encoder
    from rtvfi.stream.write.shown import Shown
    from rtvfi.stream.write.timeline import Span

__all__ = ["Extra", "Job"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """Describes a file to be written."""

    path: Path
    container: str
    """FFmpeg's name of the container."""
    becomes: str | None = None
    """FFmpeg's name of the final container, if the pictures are remuxed into another one later."""
    info: StreamInfo
    """The stream of pictures in the file."""
    shown: Shown | None = None
    """Turns and crops pictures before they are written; None = they are written as they are."""
    grid: Grid
    first_index: int
    """Grid index of the file's first picture."""
    span: Span
    encode: EncodeOptions
    source: str | None = None
    """The film from which audio, subtitles, fonts and chapters are copied; None = pictures only."""
    has_audio: bool = True
    extras: tuple[Extra, ...] = ()
    """Separate files whose audio or subtitles are copied, too."""
    carried: tuple[Path, int] | None = None
    """(older file with the same beginning, number of its pictures to copy without re-encoding)."""
    pngs: Path | None = None
    """A folder to which all pictures are written as PNG, too."""

    def open_encoder(self, container: OutputContainer) -> Encoder:
        """Open the encoder of this job with ``encode.open_encoder``."""
        grid = self.grid
        rate = 1 / grid.step
        return open_encoder(
            container,
            self.info,
            rate,
            self.encode,
            is_steady=grid.is_steady,
            becomes=self.becomes,
        )

    def companion(self) -> Companion | None:
        """The companion that copies audio, subtitles and chapters, from ``extras.companion_of``."""
        codepage = self.encode.sub_codepage
        return companion_of(
            self.source, self.span, self.extras, has_audio=self.has_audio, codepage=codepage
        )

    @property
    def timeline(self) -> Timeline:
        """Times of the pictures in the file."""
        return Timeline(self.grid, self.first_index, self.span.zero)
