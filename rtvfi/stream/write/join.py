"""Joins pieces that are already written into one file, without re-encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtvfi.core.errors import EncodeError
from rtvfi.stream.write.mux import OutputFile
from rtvfi.stream.write.pieces import coding, copied_stream, opened, packets
from rtvfi.stream.write.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rtvfi.stream.write.job import Job
    from rtvfi.stream.write.pieces import Coding


@dataclass(frozen=True, slots=True)
class FileExcerpt:
    """Consecutive pictures of a piece: [start, stop), counted from the piece's first.

    ``start`` must be a key frame; so must ``stop``, unless it is the end, or the piece has no
    B-frames.
    """

    path: Path
    start: int
    stop: int


def join(excerpts: Sequence[FileExcerpt], job: Job, reorder: int) -> None:
    """Write ``job`` from pieces that follow each other without a gap.

    Args:
        excerpts: in order of time; the first begins at ``job.first_index``.
        job: the file to write; its encoder options and ``carried`` are ignored.
        reorder: ``Codec.reorder`` of the encoder that made the pieces.

    Raises:
        EncodeError: a piece is gone or was made by another encoder than the first, or the file
            cannot be written.
    """
    with OutputFile(job.path, job.container, job.timeline, job.info) as out:
        with opened(excerpts[0].path) as first:
            common = coding(first)
            video = copied_stream(out.container, first.streams.video[0])
            out.begin(video, reorder, job.companion())
        number = 0
        for excerpt in excerpts:
            number += _append(out, excerpt, number, job, common)
        out.copy(job.span.end)


def _append(out: OutputFile, excerpt: FileExcerpt, number: int, job: Job, common: Coding) -> int:
    taken = 0
    with opened(excerpt.path) as source:
        if coding(source) != common:
            raise EncodeError(
                f'"{excerpt.path}" was made by another encoder than the part before it'
            )
        line = Timeline(job.grid, job.first_index + number - excerpt.start)
        for packet, place in packets(source, line):
            if taken == excerpt.stop - excerpt.start:
                break
            if excerpt.start <= place < excerpt.stop:
                out.copy(job.grid.pts(job.first_index + number + taken))
                out.mux(packet, number + place - excerpt.start)
                taken += 1
    if taken != excerpt.stop - excerpt.start:
        raise EncodeError(
            f'"{excerpt.path}" holds {taken} frames of {excerpt.stop - excerpt.start}'
        )
    return taken
