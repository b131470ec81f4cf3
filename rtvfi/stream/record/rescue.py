"""Joins the pieces left by a killed recording, or by engines that have ended (``rtvfi join``)."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from rtvfi.core.errors import EncodeError
from rtvfi.core.options import EncodeOptions, SourceOptions
from rtvfi.core.rates import Grid
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.record.assemble import Viewed, segment_of
from rtvfi.stream.record.complete import Completion
from rtvfi.stream.record.notes import read_notes
from rtvfi.stream.write.journal import journal_folder
from rtvfi.stream.write.pieces import survey
from rtvfi.stream.write.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rtvfi.stream.record.assemble import Recorded
    from rtvfi.stream.record.complete import Filler
    from rtvfi.stream.record.islands import Segment
    from rtvfi.stream.record.notes import Noted, Piece

log = logging.getLogger(__name__)


def rescue(
    target: Path,
    encode: EncodeOptions | None = None,
    say: Callable[[str], None] = log.warning,
    filler: Filler | None = None,
) -> list[Recorded]:
    """Join the pieces of a recording that no process writes any more; if this is interrupted,
    nothing is lost.

    Args:
        target: the file the user named.
        encode: how filled gaps are encoded; unused without a ``filler``.
        say: as for ``Completion``, like ``filler``.

    Returns:
        What was made, in the form of ``Recorder.close``.

    Raises:
        UsageError: there is no such recording, or it is still running.
        SourceError: the film that was played cannot be opened any more.
        EncodeError: the files cannot be made, or the pieces hold no whole picture.
    """
    folder = journal_folder(target)
    encode = replace(encode or EncodeOptions(), is_live=True)
    streams = read_notes(target, folder).streams
    recorded = [(_viewed(noted), noted) for noted in streams if noted.pieces]
    completion = Completion(target, encode, say, filler)
    try:
        files = [
            *completion.files(
                (viewed, [_segment(viewed, piece) for piece in noted.pieces])
                for viewed, noted in recorded
            )
        ]
    except OSError as error:
        raise EncodeError(f"the pieces cannot be put together: {error.strerror}") from error
    if not files:
        raise EncodeError(
            f'the pieces in "{folder}" hold no whole picture', f'rm -r "{folder}" deletes them'
        )
    shutil.rmtree(folder, ignore_errors=True)
    return files


def _viewed(noted: Noted) -> Viewed:
    source = open_source(noted.source, SourceOptions(hwaccel="none", stream_index=noted.index))
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
    found, has_ended = piece.held, piece.held is not None
    if found is None:
        found = survey(piece.path, Timeline(viewed.grid, piece.first), is_finished=True)
    return segment_of(piece.path, viewed, piece.first, found, piece.rough, has_ended=has_ended)
