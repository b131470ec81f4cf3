"""Stores finished segments beside the output file, so that a rendering can be resumed."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from rtvfi.cluster.segments import Segment
from rtvfi.cluster.work import Rendered
from rtvfi.core.errors import EncodeError, first_line
from rtvfi.core.files import replacing, write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rtvfi.cluster.work import Made

log = logging.getLogger(__name__)

_PLAN: Final = "plan.json"


class SegmentStore:
    """The finished segments of one output file.

    Args:
        folder: the folder of the rendering's journal, which must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "segments"
        self.here: dict[Segment, Rendered] = {}
        self.num_bytes = 0
        """Total size of the finished segments."""

    def plan(self, segments: Sequence[Segment]) -> tuple[Segment, ...]:
        """Fix how the film is split, and find the segments that are already finished.

        Args:
            segments: the split to use if there was no earlier run.

        Returns:
            The split of an earlier run if there was one, else ``segments``.

        Raises:
            EncodeError: the folder cannot be written.
        """
        notes = self._folder / _PLAN
        try:
            self._folder.mkdir(exist_ok=True)
            with suppress(OSError, ValueError, TypeError):
                segments = [Segment(*row) for row in json.loads(notes.read_text(encoding="utf-8"))]
            write_whole(notes, json.dumps([[s.first, s.stop] for s in segments]) + "\n")
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        for segment in segments:
            # The notes are written after the file, so notes imply a complete file.
            with suppress(OSError, ValueError, TypeError):
                fields = json.loads(self._notes(segment).read_text(encoding="utf-8"))
                self.num_bytes += self.path(segment).stat().st_size
                self.here[segment] = Rendered(**fields)
        return tuple(segments)

    def path(self, segment: Segment) -> Path:
        """Path of a segment's file."""
        return self._folder / f"{segment.name}.mkv"

    def _notes(self, segment: Segment) -> Path:
        return self._folder / f"{segment.name}.json"

    def put(self, segment: Segment, made: Made) -> None:
        """Store a finished segment; does nothing if it is stored already.

        Raises:
            EncodeError: it cannot be written.
        """
        if segment in self.here:
            return
        stored = Rendered(num_frames=made.num_frames, encoder=made.encoder, seconds=made.seconds)
        try:
            with replacing(self.path(segment)) as part:
                part.write_bytes(made.file)
            write_whole(self._notes(segment), json.dumps(asdict(stored)) + "\n")
        except OSError as error:
            raise _unwritable(self._folder, error) from error
        self.here[segment] = stored
        self.num_bytes += len(made.file)


def _unwritable(folder: Path, error: OSError) -> EncodeError:
    return EncodeError(
        f'"{folder}" cannot be written: {first_line(error)}', "choose another folder with -o"
    )
