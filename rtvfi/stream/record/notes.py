"""Notes about a running recording, stored beside its pieces so that they can be joined after a
kill.

``OUT.mkv.rtvfi/recording.jsonl`` gets a line for every stream played, for every piece when it
begins, and for its stand-ins when it ends. The writing process holds a lock on the file.
"""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UsageError
from rtvfi.core.program import command_line
from rtvfi.stream.decode.container import is_url
from rtvfi.stream.write.job import Extra
from rtvfi.stream.write.journal import NAME as JOURNAL

if TYPE_CHECKING:
    from rtvfi.stream.record.assemble import Viewed

NAME: Final = "recording.jsonl"


class Notes:
    """The notes of one recording, open for writing; used under the recorder's lock.

    Args:
        folder: the folder of the pieces; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / NAME).open("a", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def stream(self, number: int, viewed: Viewed) -> None:
        """Note a stream that is recorded for the first time."""
        self._add(
            stream=number,
            source=_absolute(viewed.source),
            origin=str(viewed.grid.origin),
            step=str(viewed.grid.step),
            zero=str(viewed.zero),
            has_model=viewed.has_model,
            has_cadence=viewed.has_cadence,
            extras=[
                {**asdict(extra), "path": _absolute(extra.path), "zero": str(extra.zero)}
                for extra in viewed.extras
            ],
        )

    def begin(self, path: Path, number: int, first: int) -> None:
        """Note that a piece of a stream begins, at grid index ``first``."""
        self._add(piece=self._name(path), of=number, first=first)

    def end(self, path: Path, rough: list[int]) -> None:
        """Note that a piece has ended, with these stand-ins."""
        self._add(ended=self._name(path), rough=rough)

    def close(self) -> None:
        """Release the lock; calling it twice is fine."""
        self._file.close()

    def _name(self, path: Path) -> str:
        """Name of a piece in the notes; empty for the file the user named."""
        return path.name if path.parent == self._folder else ""

    def _add(self, **line: object) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


@dataclass(slots=True)
class Piece:
    """A piece, as read from the notes."""

    path: Path
    first: int
    rough: list[int] = field(default_factory=list)


_DAMAGE: Final = (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError)
"""Exceptions raised by lines that this program did not write."""


@dataclass(slots=True)
class Noted:
    """A stream as read from the notes, and its pieces in the order of watching."""

    source: str
    origin: Fraction
    step: Fraction
    zero: Fraction
    has_model: bool
    has_cadence: bool
    extras: tuple[Extra, ...]
    pieces: list[Piece] = field(default_factory=list)


def _absolute(path: str) -> str:
    """The absolute path of a file; a URL is unchanged."""
    return path if is_url(path) else str(Path(path).absolute())


def read_notes(target: Path, folder: Path) -> list[Noted]:
    """Read the notes about the recording of ``target``; an incomplete last line is ignored.

    Raises:
        UsageError: there are no notes, they are damaged, or the recording is still running.
    """
    if (folder / JOURNAL).exists():
        raise UsageError(
            f'"{folder}" is of a rendering, not of a recording',
            f"the same {command_line('render')} command goes on with it",
        )
    streams: dict[int, Noted] = {}
    pieces: dict[str, Piece] = {}
    try:
        with (folder / NAME).open(encoding="utf-8", errors="replace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(f'"{target}" is being recorded right now') from error
            for line in file:
                try:
                    _read_line(line, target, folder, streams, pieces)
                except _DAMAGE as error:
                    raise UsageError(f'the notes in "{folder}" are damaged') from error
    except FileNotFoundError:
        raise UsageError(f'there are no pieces of a recording "{target}"') from None
    return list(streams.values())


def _read_line(
    line: str, target: Path, folder: Path, streams: dict[int, Noted], pieces: dict[str, Piece]
) -> None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return
    if "stream" in said:
        streams[said["stream"]] = Noted(
            source=said["source"],
            origin=Fraction(said["origin"]),
            step=Fraction(said["step"]),
            zero=Fraction(said["zero"]),
            has_model=said["has_model"],
            has_cadence=said["has_cadence"],
            extras=tuple(Extra(**{**e, "zero": Fraction(e["zero"])}) for e in said["extras"]),
        )
    elif "piece" in said:
        name = said["piece"]
        if name != Path(name).name or not isinstance(said["first"], int):
            raise ValueError(f"{name} is no piece beside these notes")
        pieces[name] = Piece(folder / name if name else target, said["first"])
        streams[said["of"]].pieces.append(pieces[name])
    elif "ended" in said:
        pieces[said["ended"]].rough = said["rough"]
