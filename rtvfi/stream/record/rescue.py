"""Joins the pieces of a killed recording into the files it would have made (``rtvfi join``)."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

from rtvfi.core.errors import EncodeError
from rtvfi.core.options import EncodeOptions, SourceOptions
from rtvfi.core.rates import Grid
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.record.assemble import Assembly, Recorded, Viewed, segment_of
from rtvfi.stream.record.islands import islands
from rtvfi.stream.record.notes import read_notes
from rtvfi.stream.write.journal import journal_folder
from rtvfi.stream.write.pieces import survey
from rtvfi.stream.write.timeline import Timeline

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.stream.record.islands import Segment
    from rtvfi.stream.record.notes import Noted, Piece

log = logging.getLogger(__name__)


def rescue(target: Path) -> list[Recorded]:
    """Join the pieces of a killed recording; if this is interrupted, nothing is lost.

    Returns:
        What was made, in the form of ``Recorder.close``.

    Raises:
        UsageError: there is no such recording, or it is still running.
        SourceError: the film that was played cannot be opened any more.
        EncodeError: the files cannot be made, or the pieces hold no whole picture.
    """
    folder = journal_folder(target)
    assembly = Assembly(target, folder, EncodeOptions(is_live=True))
    streams = [(_viewed(noted), noted) for noted in read_notes(target, folder) if noted.pieces]
    files: list[Recorded] = []
    try:
        for viewed, noted in streams:
            segments = [_segment(viewed, piece) for piece in noted.pieces]
            files += assembly.build(viewed, islands(segments))
    except OSError as error:
        raise EncodeError(f"the pieces cannot be put together: {error.strerror}") from error
    if not files:
        raise EncodeError(
            f'the pieces in "{folder}" hold no whole picture', f'rm -r "{folder}" takes them away'
        )
    shutil.rmtree(folder, ignore_errors=True)
    return files


def _viewed(noted: Noted) -> Viewed:
    source = open_source(noted.source, SourceOptions(hwaccel="none"))
    source.close()
    return Viewed(
        source=noted.source,
        info=source.info,
        grid=Grid(noted.origin, noted.step),
        zero=noted.zero,
        has_model=noted.has_model,
        has_cadence=noted.has_cadence,
        extras=noted.extras,
    )


def _segment(viewed: Viewed, piece: Piece) -> Segment:
    """The part of a piece that was written; without B-frames every picture in it is complete."""
    found = survey(piece.path, Timeline(viewed.grid, piece.first), is_finished=True)
    return segment_of(piece.path, viewed, piece.first, found, piece.rough, has_ended=False)
