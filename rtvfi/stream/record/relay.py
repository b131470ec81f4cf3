"""A recording that several engines write in turn: each continues where the previous one ended.

They share the folder of pieces and the notes in it. None of them makes the final files; the
window's process does that when all of them have ended (``rescue``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.core.errors import EncodeError
from rtvfi.stream.record.notes import NAME, absolute, read_notes
from rtvfi.stream.record.recorder import Recorder
from rtvfi.stream.write.journal import journal_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rtvfi.core.options import EncodeOptions
    from rtvfi.stream.record.assemble import Viewed
    from rtvfi.stream.record.notes import Noted
    from rtvfi.stream.record.recorder import Recording, Summary


class Relay(Recorder):
    """The recorder of one engine; ``close`` ends its pieces and makes no files.

    Args:
        path: the file the user named; it was checked before the first engine started.
        encode: how to encode.
        say: shows a sentence to the user; may be called from any thread.

    Raises:
        UsageError: another engine is writing the recording, or its notes are damaged.
    """

    def __init__(self, path: Path, encode: EncodeOptions, say: Callable[[str], None]) -> None:
        super().__init__(path, encode, say)
        self._num_streams = 0
        self._newest: Noted | None = None
        """The stream that the previous engine recorded last."""
        self._continued: int | None = None
        """Its number, if this engine continues it."""
        folder = journal_folder(path)
        if (folder / NAME).exists():
            told = read_notes(path, folder)
            num_pieces = sum(len(noted.pieces) for noted in told.streams)
            self._begin_at(num_pieces + 1)
            self._num_streams = max((noted.number + 1 for noted in told.streams), default=0)
            self._newest = told.streams[-1] if told.streams else None
            self.error = EncodeError(told.stopped) if told.stopped else None

    def _stream_number(self, viewed: Viewed) -> int:
        """The stream's number: that of the previous engine's last stream if it is the same, so that
        its recording continues; else a new one.
        """
        before, self._newest = self._newest, None
        if before is not None and _is_same(before, viewed):
            self._continued = before.number
            return before.number
        self._num_streams += 1
        return self._num_streams - 1

    def _is_noted(self, recording: Recording) -> bool:
        return recording.number == self._continued or super()._is_noted(recording)

    def close(self) -> Summary:
        """End the pieces; the pipelines have stopped."""
        for recording in self._recordings:
            recording.end()
        if self._notes is not None:
            self._notes.close()
        return {"files": [], "error": None if self.error is None else self.error.message}


def _is_same(noted: Noted, viewed: Viewed) -> bool:
    """Whether the pieces of two streams may be joined."""
    known = (noted.source, noted.index, noted.origin, noted.step, noted.zero)
    here = (
        absolute(viewed.source),
        viewed.info.stream_index,
        viewed.grid.origin,
        viewed.grid.step,
        viewed.zero,
    )
    is_made_alike = noted.has_model == viewed.has_model and noted.has_cadence == viewed.has_cadence
    return known == here and is_made_alike
