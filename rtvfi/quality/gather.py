"""Finds sets of triplets to measure on: in lists, in folders, or in films with every second frame
left out.

A set is read only when it is measured, and a folder's triplets one by one, so that data sets of any
size fit into memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import OpenError, UsageError
from rtvfi.core.program import command_line
from rtvfi.quality.films import choose, chosen_of_pictures
from rtvfi.quality.triplets import Triplet, load_rows, read_frames, root_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LIST: Final = "triplets.csv"
PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")

FILM_COUNT: Final = 20


@dataclass(frozen=True, slots=True)
class TripletSet:
    """Triplets that are measured together."""

    name: str
    num_triplets: int
    read: Callable[[], Iterator[Triplet]]
    """Reads the triplets one by one; may be called several times."""
    remark: str = ""
    """What was left out; printed below the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GatherOptions:
    """Which triplets to take."""

    root: Path | None = None
    """The folder that paths in a list are relative to; None = the list's folder or its parent."""
    step: int = 2
    """In films, the number of frames from the left to the right input frame."""
    count: int | None = None
    """Maximum number of triplets per set, evenly spaced; None = all, or FILM_COUNT of a film."""

    @property
    def film_count(self) -> int:
        """Maximum number of triplets of a film."""
        return FILM_COUNT if self.count is None else self.count


def gather(path: Path, options: GatherOptions) -> list[TripletSet]:
    """Find the sets at a path.

    Args:
        path: a list, a folder with a ``triplets.csv``, a folder of folders of three pictures, a
            folder of the numbered pictures of a film, or a video.
        options: which triplets to take.

    Raises:
        OpenError: there is nothing of that kind.
        UsageError: the step is odd or too small.
    """
    if options.step < 2 or options.step % 2:
        raise UsageError(f'--step is "{options.step}", expected an even number from 2', "--step 2")
    if not path.exists():
        raise OpenError(
            f'"{path}" does not exist', command_line("eval --help shows what is expected")
        )
    if path.is_file():
        if path.suffix.lower() == ".csv":
            return _of_list(path, options)
        return [_of_film(path, options)]
    if (path / LIST).exists():
        return _of_list(path / LIST, options)
    pictures = _pictures(path)
    if len(pictures) > 3:
        return [_of_pictures(path.resolve().name, pictures, options)]
    found = _of_folders(path, options)
    if not found:
        raise OpenError(
            f'"{path}" contains nothing to measure on',
            f"expected {LIST}, folders of three pictures each, or the numbered pictures of a film",
        )
    return found


def spread(num: int, most: int | None) -> list[int]:
    """Up to ``most`` of the numbers below ``num``, evenly spaced; None = all."""
    if most is None or most >= num:
        return list(range(num))
    return [(2 * k + 1) * num // (2 * most) for k in range(most)]


def _of_list(path: Path, options: GatherOptions) -> list[TripletSet]:
    sets = []
    for name, rows in rows_of(path).items():
        wanted = [rows[k] for k in spread(len(rows), options.count)]
        root = root_of(path, rows, options.root)

        def read(rows: Sequence[dict[str, str]] = wanted, root: Path = root) -> Iterator[Triplet]:
            return iter(load_rows(rows, root))

        sets.append(TripletSet(name, len(wanted), read))
    return sets


def _of_folders(top: Path, options: GatherOptions) -> list[TripletSet]:
    """Sets from subfolders with three pictures each (Vimeo-90K: im1 to im3; ATD-12K: frame1 to
    frame3), or more (X4K1000FPS: 33), in which the two input frames are ``step`` apart.
    """
    groups: dict[str, list[list[Path]]] = {}
    for folder in sorted({p.parent for p in top.rglob("*") if p.suffix.lower() in PICTURES}):
        pictures, parts = _pictures(folder), folder.relative_to(top).parts
        name = parts[0] if len(parts) > 1 else top.resolve().name
        if len(pictures) == 3:
            groups.setdefault(name, []).append(pictures)
        elif len(pictures) > options.step:
            groups.setdefault(name, []).extend(_threes(pictures, options.step))
    return [_of_files(name, threes, options.count) for name, threes in groups.items()]


def _of_pictures(name: str, pictures: list[Path], options: GatherOptions) -> TripletSet:
    threes = _threes(pictures, options.step)
    if not threes:
        raise OpenError(
            f'"{pictures[0].parent}" contains {len(pictures)} pictures, '
            f"but --step {options.step} needs {options.step + 1}",
            "use a smaller --step, or more pictures",
        )
    return _of_files(name, threes, options.film_count)


def _threes(pictures: list[Path], step: int) -> list[list[Path]]:
    """Triplets of paths in order of time: two pictures ``step`` apart and the middle one."""
    half = step // 2
    middles = chosen_of_pictures(len(pictures), step)
    return [[pictures[m - half], pictures[m], pictures[m + half]] for m in middles]


def _of_files(name: str, threes: list[list[Path]], count: int | None) -> TripletSet:
    wanted = [threes[k] for k in spread(len(threes), count)]

    def read() -> Iterator[Triplet]:
        for three in wanted:
            left, middle, right = (read_frames(path, [0])[0] for path in three)
            shapes = {p.y.shape for p in (left, middle, right)}
            if len(shapes) > 1:
                raise OpenError(
                    f'the pictures in "{three[0].parent}" differ in size',
                    "the three pictures of a triplet must have the same size",
                )
            yield Triplet(str(three[1]), left, middle, right)

    return TripletSet(name, len(wanted), read)


def _of_film(path: Path, options: GatherOptions) -> TripletSet:
    choice = choose(path, options.step)
    if not choice.middles:
        raise OpenError(f'"{path}" has no frame to leave out', choice.remark)
    half = options.step // 2
    middles = [choice.middles[k] for k in spread(len(choice.middles), options.film_count)]

    def read() -> Iterator[Triplet]:
        frames = read_frames(path, {m + d for m in middles for d in (-half, 0, half)})
        for m in middles:
            yield Triplet(f"{path.name}#{m}", frames[m - half], frames[m], frames[m + half])

    return TripletSet(path.stem, len(middles), read, choice.remark)


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order: 2.png before 10.png."""
    found = [p for p in folder.iterdir() if p.suffix.lower() in PICTURES]
    return sorted(found, key=lambda path: _natural(path.stem))


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
