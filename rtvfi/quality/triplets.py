"""Triplets: three successive pictures, of which the middle one is the truth to compare with.

A list of triplets is a CSV file with the columns ``id, i0, gt, i1``. ``i0``, ``gt`` and ``i1`` name
a picture file, or a frame of a video as ``file#index``, relative to the list's folder or parent.
A column ``t``, if there is one, must be 0.5. The id without its last number is the name of the set
(``bbb60_2`` belongs to ``bbb60``). Pictures are read by the program ``ffmpeg`` as full-range 4:2:0.
"""

from __future__ import annotations

import csv
import itertools
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.core.errors import DecodeError, OpenError
from rtvfi.stream.decode.container import ffmpeg_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One 8-bit 4:2:0 picture, full range BT.709, even sides."""

    y: NDArray[np.uint8]
    """(H, W)."""
    uv: NDArray[np.uint8]
    """(2, H/2, W/2)."""

    def to_bytes(self) -> bytes:
        """The picture as raw yuv420p."""
        return self.y.tobytes() + self.uv.tobytes()

    @staticmethod
    def from_bytes(data: bytes, width: int, height: int) -> Picture:
        """A picture from raw yuv420p with even sides."""
        samples = np.frombuffer(data, np.uint8)
        luma = width * height
        return Picture(
            samples[:luma].reshape(height, width),
            samples[luma:].reshape(2, height // 2, width // 2),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Triplet:
    """Two input frames and the true frame half way between them."""

    id: str
    left: Picture
    middle: Picture
    right: Picture

    @property
    def set_name(self) -> str:
        """The name of the set: the id without its number."""
        return set_name(self.id)


Row = dict[str, str]
"""A row of a list: values by column."""
TO_RAW: Final = ("-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-")
"""Arguments that make ffmpeg write every picture to stdout."""
FILES: Final = ("i0", "gt", "i1")
COLUMNS: Final = ("id", *FILES)
_COLUMNS_HINT: Final = f"expected a CSV file with the columns {', '.join(COLUMNS)}"


def set_name(triplet_id: str) -> str:
    """An id without its last number."""
    return re.sub(r"[_-]?\d+$", "", triplet_id)


def read_frames(path: Path, indices: Iterable[int]) -> dict[int, Picture]:
    """Read frames of a video or picture file.

    Args:
        path: the file.
        indices: frame numbers, counted from 0 in presentation order.

    Returns:
        The frames by number; an odd last row or column is scaled away.

    Raises:
        OpenError: the file does not exist, or ffmpeg cannot read it.
        DecodeError: the file does not have all of these frames.
    """
    wanted = sorted(set(indices))
    width, height = _even_size(path)
    choice = "+".join(f"eq(n\\,{index})" for index in wanted)
    chain = f"select={choice},scale={width}:{height}:out_color_matrix=bt709:out_range=pc:flags=area"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", ffmpeg_name(str(path)), "-vf", chain]
    command += ["-frames:v", str(len(wanted)), *TO_RAW]
    out = subprocess.run(command, capture_output=True, check=False).stdout
    size = width * height * 3 // 2
    if len(out) != size * len(wanted):
        raise DecodeError(
            f'"{path}" gave {len(out) // size} of the frames {wanted}', "check the frame numbers"
        )
    return {
        index: Picture.from_bytes(out[k * size : (k + 1) * size], width, height)
        for k, index in enumerate(wanted)
    }


def _even_size(path: Path) -> tuple[int, int]:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0"]
    command += ["-show_entries", "stream=width,height", "-of", "csv=p=0", ffmpeg_name(str(path))]
    found = subprocess.run(command, capture_output=True, check=False, text=True, errors="replace")
    sizes = re.findall(r"(\d+),(\d+)", found.stdout)
    if not sizes:
        reason = found.stderr.strip().splitlines()
        raise OpenError(f'"{path}" cannot be read', reason[-1] if reason else "is it a video?")
    return int(sizes[0][0]) // 2 * 2, int(sizes[0][1]) // 2 * 2


def read_list(path: Path, root: Path | None = None) -> list[Triplet]:
    """Read all triplets of a list.

    Args:
        path: the CSV file.
        root: the folder that its paths are relative to; None = the list's folder or its parent.

    Raises:
        OpenError: it is not a valid list, or a file does not exist.
        DecodeError: a video does not have a frame.
    """
    return [
        t for rows in rows_of(path).values() for t in load_rows(rows, root_of(path, rows, root))
    ]


def rows_of(path: Path) -> dict[str, list[Row]]:
    """The rows of a list by the name of their set, in their order.

    Raises:
        OpenError: it is not a valid list, is empty, or has a ``t`` other than 0.5.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = set(COLUMNS) - set(reader.fieldnames or ())
            rows = list(reader)
    except (ValueError, csv.Error) as error:
        raise OpenError(f'"{path}" cannot be read: {error}', _COLUMNS_HINT) from error
    if missing:
        raise OpenError(f'"{path}" has no column "{min(missing)}"', _COLUMNS_HINT)
    if not rows:
        raise OpenError(f'"{path}" has no rows', _COLUMNS_HINT)
    found: dict[str, list[Row]] = {}
    for row in rows:
        _check(row, path)
        found.setdefault(set_name(row["id"]), []).append(row)
    return found


def _check(row: Row, path: Path) -> None:
    if not all(row[column] for column in COLUMNS):
        raise OpenError(f'"{path}" has an incomplete row: "{row["id"]}"', _COLUMNS_HINT)
    try:
        is_middle = float(row.get("t") or 0.5) == 0.5
    except ValueError:
        is_middle = False
    if not is_middle:
        raise OpenError(
            f'"{path}" has t = {row["t"]} for "{row["id"]}", expected 0.5', "remove that row"
        )
    for column in FILES:
        _, mark, index = row[column].partition("#")
        if mark and not index.isdecimal():
            raise OpenError(
                f'"{path}" has the frame "{row[column]}"', 'expected a number, as in "file#12"'
            )


def root_of(path: Path, rows: Iterable[Row], root: Path | None) -> Path:
    """The folder that the paths of a list are relative to; see ``read_list``."""
    if root is not None:
        return root
    file, _ = _place(next(iter(rows))["i0"])
    return path.parent if (path.parent / file).exists() else path.parent.parent


def load_rows(rows: Sequence[Row], root: Path) -> list[Triplet]:
    """Read the triplets of rows of a list; each video is decoded only once."""
    places = [[_place(row[column]) for column in FILES] for row in rows]
    needed: dict[str, set[int]] = {}
    for file, index in itertools.chain.from_iterable(places):
        needed.setdefault(file, set()).add(index)
    frames = {file: read_frames(root / file, indices) for file, indices in needed.items()}
    return [
        Triplet(row["id"], *(frames[file][index] for file, index in three))
        for row, three in zip(rows, places, strict=True)
    ]


def _place(name: str) -> tuple[str, int]:
    """File and frame number of ``file#index``; without an index, frame 0."""
    file, _, index = name.partition("#")
    return file, int(index or 0)
