"""Notes about a running recording, stored beside its pieces so that they can be joined after a
kill.

``OUT.mkv.rtvfi/recording.jsonl`` gets a line for every stream played, for every piece when it
begins, for its stand-ins when it ends, and for what it holds when its file is closed. The writing
process holds a lock on the file; several may write it, one after the other.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UsageError
from rtvfi.core.program import command_line
from rtvfi.stream.decode.container import is_url
from rtvfi.stream.write.job import Extra
from rtvfi.stream.write.journal import NAME as JOURNAL
from rtvfi.stream.write.pieces import Gops

if TYPE_CHECKING:
    from rtvfi.core.files import Json
    from rtvfi.stream.record.assemble import Viewed

NAME: Final = "recording.jsonl"


class Notes:
    """The notes of one recording, open for writing; used under the recorder's lock.

    Only a piece that cannot be noted when it begins raises an OSError. A later note that the disk
    has no space for is left out, because the writer of the piece reports the full disk.

    Args:
        folder: the folder of the pieces; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Without a buffer, what could not be written is not tried again by close().
        self._file = (folder / NAME).open("ab", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def stream(self, number: int, viewed: Viewed) -> None:
        """Note a stream that is recorded for the first time."""
        self._add(
            stream=number,
            source=absolute(viewed.source),
            index=viewed.info.stream_index,
            origin=str(viewed.grid.origin),
            step=str(viewed.grid.step),
            zero=str(viewed.zero),
            has_model=viewed.has_model,
            has_cadence=viewed.has_cadence,
            extras=[
                {**asdict(extra), "path": absolute(extra.path), "zero": str(extra.zero)}
                for extra in viewed.extras
            ],
        )

    def begin(self, path: Path, number: int, first: int) -> None:
        """Note that a piece of a stream begins, at grid index ``first``."""
        self._add(piece=self._name(path), of=number, first=first)

    def end(self, path: Path, rough: list[int]) -> None:
        """Note that a piece has ended, with these stand-ins."""
        self._mention(ended=self._name(path), rough=rough)

    def rough(self, path: Path, numbers: list[int]) -> None:
        """Note more stand-ins of a piece that goes on."""
        self._mention(more=self._name(path), rough=numbers)

    def whole(self, path: Path, held: Gops) -> None:
        """Note that the file of a piece was closed properly, and its complete GOPs."""
        self._mention(whole=self._name(path), frames=held.num_frames, keys=held.keys)

    def stopped(self, why: str) -> None:
        """Note that recording has stopped early, and why."""
        self._mention(stopped=why)

    def close(self) -> None:
        """Release the lock; calling it twice is fine."""
        self._file.close()

    def _name(self, path: Path) -> str:
        """Name of a piece in the notes; empty for the file the user named."""
        return path.name if path.parent == self._folder else ""

    def _add(self, **line: object) -> None:
        data = json.dumps(line).encode("ascii") + b"\n"
        if self._file.write(data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _mention(self, **line: object) -> None:
        with suppress(OSError):
            self._add(**line)


@dataclass(slots=True)
class Piece:
    """A piece, as read from the notes."""

    path: Path
    first: int
    rough: list[int] = field(default_factory=list)
    held: Gops | None = None
    """Its complete GOPs; None if the file was not closed properly."""


_DAMAGE: Final = (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError)
"""Exceptions raised by lines that this program did not write."""


@dataclass(slots=True)
class Noted:
    """A stream as read from the notes, and its pieces in the order of watching."""

    number: int
    source: str
    index: int | None
    """FFmpeg's number of the stream in its file; None if it was not noted."""
    origin: Fraction
    step: Fraction
    zero: Fraction
    has_model: bool
    has_cadence: bool
    extras: tuple[Extra, ...]
    pieces: list[Piece] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Told:
    """All notes of a recording."""

    streams: list[Noted]
    stopped: str
    """Why the recording stopped early; empty if it did not."""


def absolute(path: str) -> str:
    """The absolute path of a file; a URL is unchanged."""
    return path if is_url(path) else str(Path(path).absolute())


def read_notes(target: Path, folder: Path) -> Told:
    """Read the notes about the recording of ``target``; an incomplete last line is ignored.

    Raises:
        UsageError: there are no notes, they are damaged, or the recording is still running.
    """
    if (folder / JOURNAL).exists():
        raise UsageError(
            f'"{folder}" belongs to a rendering, not to a recording',
            f"the same {command_line('render')} command resumes it",
        )
    reading = _Reading(target, folder)
    try:
        with (folder / NAME).open(encoding="utf-8", errors="replace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(f'"{target}" is being recorded right now') from error
            for line in file:
                try:
                    reading.take(line)
                except _DAMAGE as error:
                    raise UsageError(f'the notes in "{folder}" are damaged') from error
    except FileNotFoundError:
        raise UsageError(f'there are no pieces of a recording "{target}"') from None
    return Told(list(reading.streams.values()), reading.stopped)


class _Reading:
    """Reads notes line by line."""

    def __init__(self, target: Path, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self.streams: dict[int, Noted] = {}
        self._pieces: dict[str, Piece] = {}
        self.stopped = ""

    def take(self, line: str) -> None:
        """Read a line; raises one of ``_DAMAGE`` if its content is impossible."""
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return
        if "stream" in said:
            self.streams[said["stream"]] = _stream(said)
        elif "piece" in said:
            name = said["piece"]
            if name != Path(name).name or not isinstance(said["first"], int):
                raise ValueError(f"{name} is no piece beside these notes")
            path = self._folder / name if name else self._target
            self._pieces[name] = Piece(path, said["first"])
            self.streams[said["of"]].pieces.append(self._pieces[name])
        elif "ended" in said:
            self._pieces[said["ended"]].rough = said["rough"]
        elif "more" in said:
            self._pieces[said["more"]].rough += said["rough"]
        elif "whole" in said:
            keys, frames = (*map(int, said["keys"]),), int(said["frames"])
            self._pieces[said["whole"]].held = Gops(keys, frames)
        elif "stopped" in said:
            self.stopped = str(said["stopped"])


def _stream(said: Json) -> Noted:
    return Noted(
        number=int(said["stream"]),
        source=said["source"],
        index=said.get("index"),
        origin=Fraction(said["origin"]),
        step=Fraction(said["step"]),
        zero=Fraction(said["zero"]),
        has_model=said["has_model"],
        has_cadence=said["has_cadence"],
        extras=tuple(Extra(**{**e, "zero": Fraction(e["zero"])}) for e in said["extras"]),
    )
