"""Makes the files of a recording from its pieces, and renders what was skipped between them; the
pieces may have been written by other processes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtvfi.core.errors import EncodeError, RtvfiError
from rtvfi.stream.record.assemble import Assembly, Viewed, job_of, segment_of, worth_keeping
from rtvfi.stream.record.islands import Segment, gaps, islands
from rtvfi.stream.write.journal import journal_folder
from rtvfi.stream.write.pieces import Gops, survey
from rtvfi.stream.write.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rtvfi.core.options import EncodeOptions
    from rtvfi.stream.record.assemble import Recorded

log = logging.getLogger(__name__)

Filler = Callable[[Viewed, int, int, Writer], None]
"""Renders the frames [start, stop) of a stream into a writer; raises KeyboardInterrupt when the
user stops it.
"""


@dataclass(frozen=True, slots=True)
class Completion:
    """How the pieces of a recording become files.

    Args:
        path: the file the user named.
        encode: how the pieces were encoded.
        say: shows a sentence to the user.
        filler: renders what was skipped between the first and the last moment watched; None leaves
            the gaps.
    """

    path: Path
    encode: EncodeOptions
    say: Callable[[str], None]
    filler: Filler | None = None

    def files(self, recorded: Iterable[tuple[Viewed, Sequence[Segment]]]) -> Iterator[Recorded]:
        """Make the files, one after the other.

        Yields:
            What each file holds, for the report.

        Raises:
            EncodeError, OSError: they cannot be made; the pieces are left in place.
        """
        assembly = Assembly(self.path, journal_folder(self.path), self.encode)
        for viewed, segments in recorded:
            yield from assembly.build(viewed, islands([*segments, *self._fill(viewed, segments)]))

    def _fill(self, viewed: Viewed, segments: Sequence[Segment]) -> list[Segment]:
        """Render the gaps between what was watched: all of them, or none if that is interrupted."""
        if self.filler is None:
            return []
        missing = gaps(worth_keeping(viewed, islands(segments)))
        filled: list[Segment] = []
        try:
            for start, stop in missing:
                filled.append(self._filled(self.filler, viewed, start, stop))
        except KeyboardInterrupt:
            self.say("filling was stopped: what was watched stays in parts")
            return []
        except (RtvfiError, OSError) as error:
            reason = error.message if isinstance(error, RtvfiError) else error.strerror
            log.warning("what was watched stays in parts, the gaps cannot be filled: %s", reason)
            return []
        return filled

    def _filled(self, filler: Filler, viewed: Viewed, start: int, stop: int) -> Segment:
        path = journal_folder(self.path) / f"filled-{start}.mkv"
        writer = Writer(job_of(path, viewed, start, self.encode))
        try:
            filler(viewed, start, stop, writer)
        except BaseException:
            writer.abort()
            raise
        writer.finish()
        segment = surveyed(writer, viewed, start)
        if segment.stop < stop:
            raise EncodeError("the film is shorter now")
        return replace(segment, is_filled=True, num_settling=0)


def held(writer: Writer) -> Gops:
    """The complete GOPs of a finished writer's file."""
    job, statistics = writer.job, writer.statistics
    if writer.error is None:
        return Gops(tuple(statistics.keys), statistics.num_frames)
    return survey(job.path, job.timeline, is_finished=False)


def surveyed(writer: Writer, viewed: Viewed, first: int, rough: Sequence[int] = ()) -> Segment:
    """The ``Segment`` of a finished writer's file."""
    path, has_ended = writer.job.path, writer.error is None
    return segment_of(path, viewed, first, held(writer), rough, has_ended=has_ended)
