"""The journal of a running rendering, stored beside its file so that it can be resumed after a
kill.

``OUT.rtvfi/journal.json`` holds everything that the pictures depend on: input, settings, weights.
How far the file got is read from the file itself: every GOP that is followed by another key frame
is complete. Resuming copies those GOPs and renders the rest. As every picture is a function of its
time, the result equals that of an uninterrupted run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import EncodeError, UsageError
from rtvfi.core.files import write_whole
from rtvfi.stream.write.mux import CRASH_SAFE_FORMAT, check_target
from rtvfi.stream.write.pieces import survey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtvfi.stream.write.timeline import Timeline

log = logging.getLogger(__name__)

NAME: Final = "journal.json"

_HASHED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of one rendering.

    ``growing`` is the file being written: the target itself if its format can be played after a
    kill, else a file in ``folder``.
    """

    folder: Path
    growing: Path
    carried: tuple[Path, int] | None
    """(interrupted file of the same rendering, number of its complete pictures)."""

    @property
    def num_carried(self) -> int:
        """Number of pictures that need not be rendered again."""
        return self.carried[1] if self.carried else 0

    def end(self) -> None:
        """End the rendering: delete the journal and its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def journal_folder(target: Path) -> Path:
    """The folder for the notes of a rendering or recording: ``NAME.rtvfi`` beside it."""
    return target.with_name(target.name + ".rtvfi")


def open_journal(
    target: Path, container: str, facts: Mapping[str, object], line: Timeline, *, force: bool
) -> Journal:
    """Begin a rendering, or resume one.

    Args:
        target: the file to write.
        container: FFmpeg's name of its container.
        facts: everything that the pictures depend on, as JSON values.
        line: times of its pictures.
        force: start over, and overwrite.

    Raises:
        UsageError: the file exists and does not belong to this rendering.
        EncodeError: the journal cannot be written.
    """
    folder = journal_folder(target)
    notes, kept = folder / NAME, folder / "before.mkv"
    growing = target if container == CRASH_SAFE_FORMAT else folder / "part.mkv"
    carried = None
    try:
        if force:
            shutil.rmtree(folder, ignore_errors=True)
        elif notes.exists():
            if _read(notes) != dict(facts):
                raise UsageError(
                    f'"{target}" was begun with another input or other settings',
                    "--force starts over",
                )
            carried = _newest(growing, kept, line)
        else:
            check_target(target, (), force=False)
        folder.mkdir(exist_ok=True)
        write_whole(notes, json.dumps(facts, indent=2) + "\n")
    except OSError as error:
        raise EncodeError(
            f'"{folder}" cannot be written: {error.strerror}', "choose another folder with -o"
        ) from error
    return Journal(folder, growing, carried)


def _newest(growing: Path, kept: Path, line: Timeline) -> tuple[Path, int] | None:
    """Move the longest interrupted file to ``kept``; returns it and its number of pictures."""
    grown = survey(growing, line, is_finished=False).num_frames if growing.exists() else 0
    before = survey(kept, line, is_finished=False).num_frames if kept.exists() else 0
    if grown > before:
        growing.replace(kept)
    count = max(grown, before)
    return (kept, count) if count else None


def _read(notes: Path) -> object:
    try:
        return json.loads(notes.read_text(encoding="utf-8"))
    except ValueError:
        return None


def file_facts(path: str) -> dict[str, object]:
    """Facts that identify a file without reading all of it: size and a hash of its ends; for a
    folder, the names, sizes and times of its files.
    """
    try:
        file = Path(path)
        if file.is_dir():
            told = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in file.iterdir())
            return {"sha256_of_listing": hashlib.sha256(repr(told).encode()).hexdigest()}
        size = file.stat().st_size
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            digest.update(stream.read(_HASHED_BYTES))
            stream.seek(max(0, size - _HASHED_BYTES))
            digest.update(stream.read(_HASHED_BYTES))
    except (OSError, ValueError):
        return {"address": path}
    return {"bytes": size, "sha256_of_ends": digest.hexdigest()}
