"""What a file is to hold, told to whoever writes it."""

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
    """What a file is to hold."""

    path: Path
    container: str
    """FFmpeg's name."""
    becomes: str | None = None
    """Container that the pictures are put into afterwards, if another."""
    info: StreamInfo
    """Of the pictures in the file."""
    shown: Shown | None = None
    """What makes them of those that are put; None = they are put as they are."""
    grid: Grid
    first_index: int
    """Grid index of the file's first picture."""
    span: Span
    encode: EncodeOptions
    source: str | None = None
    """Where sound, subtitles, fonts and chapters are copied from; None = pictures alone."""
    has_audio: bool = True
    extras: tuple[Extra, ...] = ()
    """Files beside the source, copied with it."""
    carried: tuple[Path, int] | None = None
    """An older file with the same beginning, and how many of its pictures are taken over."""
    pngs: Path | None = None
    """A folder where all pictures are put as PNG, too."""

    def open_encoder(self, container: OutputContainer) -> Encoder:
        """The encoder for a file of this job; see ``encode.open_encoder``."""
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
        """What is copied beside the pictures; see ``extras.companion_of``."""
        codepage = self.encode.sub_codepage
        return companion_of(
            self.source, self.span, self.extras, has_audio=self.has_audio, codepage=codepage
        )

    @property
    def timeline(self) -> Timeline:
        """Times of the pictures in the file."""
        return Timeline(self.grid, self.first_index, self.span.zero)
