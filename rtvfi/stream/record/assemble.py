"""Joins the segments of a viewing into files, in order of time; each file is without a gap."""

from __future__ import annotations

import itertools
import logging
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypedDict

from rtvfi.stream.record.islands import Excerpt, Segment, ranges
from rtvfi.stream.see.cadence import SETTLING_FRAMES
from rtvfi.stream.write.job import Job
from rtvfi.stream.write.join import FileExcerpt, join
from rtvfi.stream.write.mux import CRASH_SAFE_FORMAT
from rtvfi.stream.write.pieces import coding, opened
from rtvfi.stream.write.shown import Shown
from rtvfi.stream.write.timeline import Span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction
    from pathlib import Path

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import EncodeOptions
    from rtvfi.core.rates import Grid
    from rtvfi.stream.write.job import Extra
    from rtvfi.stream.write.pieces import Gops

log = logging.getLogger(__name__)

_SHORT_SECONDS: Final = 1
"""Shorter pieces come from seeking around; they are dropped if there is a longer one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewed:
    """The properties of a recorded stream on its output grid."""

    source: str
    info: StreamInfo
    grid: Grid
    zero: Fraction
    """The player's time 0 on the source's clock."""
    has_model: bool
    """Whether a model makes frames; without one, no source frame counts as a stand-in."""
    has_cadence: bool = False
    """Whether passes follow the cadence, which is known only some time after a seek."""
    extras: tuple[Extra, ...] = ()
    """Other files whose audio or subtitles belong to the film."""

    def num_settling(self, first: int) -> int:
        """``Segment.num_settling`` of a segment that begins at grid index ``first``."""
        if not self.has_cadence or first <= 0:
            return 0
        return math.ceil(SETTLING_FRAMES / self.info.source_rate / self.grid.step)


def segment_of(
    path: Path, viewed: Viewed, first: int, held: Gops, rough: Sequence[int], *, has_ended: bool
) -> Segment:
    """Make the ``Segment`` of a piece.

    Args:
        path: the piece.
        viewed: the stream it was recorded from.
        first: grid index of its first picture.
        held: the complete GOPs in it.
        rough, has_ended: fields of ``Segment``.

    Raises:
        EncodeError: the file is gone.
    """
    headers = ("", b"")
    if held.num_frames:
        with opened(path) as file:
            headers = coding(file)
    return Segment(
        path=path,
        first=first,
        stop=first + held.num_frames,
        keys=tuple(first + key for key in held.keys),
        rough=tuple(rough),
        coding=headers,
        num_settling=viewed.num_settling(first),
        has_ended=has_ended,
    )


def worth_keeping(viewed: Viewed, found: list[list[Excerpt]]) -> list[list[Excerpt]]:
    """The islands that are long enough to have been watched, and those that a dying process cut
    off: what would have made them longer was watched, too.
    """
    lengths = [_length(island) for island in found]
    enough = min([round(_SHORT_SECONDS / viewed.grid.step), *sorted(lengths)[-1:]])
    return [island for island in found if _length(island) >= enough or _is_cut_off(island)]


def _is_cut_off(island: list[Excerpt]) -> bool:
    return not island[-1].segment.has_ended


def _length(island: list[Excerpt]) -> int:
    return island[-1].stop - island[0].start


def job_of(path: Path, viewed: Viewed, first: int, encode: EncodeOptions) -> Job:
    """The writer's job for a file that begins at grid index ``first``."""
    grid = viewed.grid
    is_beginning = grid.pts(first) - viewed.zero < grid.step or first == 0
    zero = min(viewed.zero, viewed.info.start) if is_beginning else grid.pts(first)
    shown = Shown(viewed.info)
    return Job(
        path=path,
        container=CRASH_SAFE_FORMAT,
        info=shown.info,
        shown=shown,
        grid=grid,
        first_index=first,
        span=Span(zero=zero, start=None if is_beginning else zero),
        encode=encode,
        source=viewed.source,
        extras=viewed.extras,
    )


Recorded = TypedDict(
    "Recorded",
    {
        "path": str,
        "source": str,
        "frames": int,
        "from": float,
        "to": float,
        "stand_ins": list[list[float]],
        "settling": list[list[float]],
        "is_cut_off": bool,
        "filled": list[list[float]],
    },
)
"""A file that was made, for the report; seconds of the film, stretches as pairs of them."""


class Assembly:
    """The files of one recording.

    Args:
        path: the file the user named; further files are its parts (``NAME.part2.mkv``).
        folder: the folder of the pieces.
        encode: how they were encoded.
    """

    def __init__(self, path: Path, folder: Path, encode: EncodeOptions) -> None:
        self._path = path
        self._folder = folder
        self._encode = encode
        self._is_made = False
        """Whether the file the user named was made."""

    def build(self, viewed: Viewed, found: list[list[Excerpt]]) -> list[Recorded]:
        """Make the files of one viewing.

        Returns:
            What each of them holds, for the report.

        Raises:
            EncodeError, OSError: they cannot be made; the pieces are left in place.
        """
        kept = worth_keeping(viewed, found)
        if len({island[0].segment.coding for island in kept}) > 1:
            log.warning("the encoder changed while recording: its pieces become separate files")
        # Write all of them into the folder first: the file the user named may be a piece of others.
        made = [(island, self._piece(viewed, island, n)) for n, island in enumerate(kept)]
        files = []
        for island, piece in made:
            path = self._final_path()
            piece.replace(path)
            files.append(_described(path, viewed, island))
        return files

    def _piece(self, viewed: Viewed, island: list[Excerpt], number: int) -> Path:
        """The file of an island: its only segment, or its segments joined."""
        first, last = island[0].start, island[-1].stop
        segment = island[0].segment
        path = self._folder / f"{segment.path.stem}-{first}-{number}.joined.mkv"
        is_all = len(island) == 1 and (first, last) == (segment.first, segment.stop)
        if is_all and segment.has_ended:
            segment.path.replace(path)
            return path
        job = job_of(path, viewed, first, self._encode)
        job = replace(job, span=replace(job.span, end=viewed.grid.pts(last)))
        cuts = [
            FileExcerpt(e.segment.path, e.start - e.segment.first, e.stop - e.segment.first)
            for e in island
        ]
        join(cuts, job, reorder=0)
        return path

    def _final_path(self) -> Path:
        """The next free name: the file the user named, then its parts; existing files are kept."""
        if not self._is_made:
            self._is_made = True
            return self._path
        stem, suffix = self._path.stem, self._path.suffix
        parts = (self._path.with_name(f"{stem}.part{n}{suffix}") for n in itertools.count(2))
        return next(path for path in parts if not path.exists())


def _described(path: Path, viewed: Viewed, island: list[Excerpt]) -> Recorded:
    rough = [n for e in island for n in e.segment.rough if e.start <= n < e.stop]
    settling = [(e.start, min(e.stop, e.segment.first + e.segment.num_settling)) for e in island]

    def seconds(index: int) -> float:
        return round(float(viewed.grid.pts(index) - viewed.zero), 3)

    def spans(found: list[tuple[int, int]]) -> list[list[float]]:
        return [[seconds(a), seconds(b)] for a, b in found if a < b]

    return {
        "path": str(path),
        "source": viewed.source,
        "frames": island[-1].stop - island[0].start,
        "from": seconds(island[0].start),
        "to": seconds(island[-1].stop),
        "stand_ins": spans(ranges(rough)),
        "settling": spans(settling),
        "is_cut_off": _is_cut_off(island),
        "filled": spans([(e.start, e.stop) for e in island if e.segment.is_filled]),
    }
