"""Every film at hand is rendered, or refused with one sentence. Prints a table with ``-s``."""

from __future__ import annotations

import os
import time
from fractions import Fraction
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest

from rtvfi.core.errors import RtvfiError
from rtvfi.core.options import EncodeOptions, SourceOptions, StreamOptions
from rtvfi.render.render import render
from rtvfi.settings.config import RenderOptions
from rtvfi.stream.decode.info import choose_stream
from rtvfi.stream.decode.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = Path(os.environ.get("RTVFI_SHARED") or Path(__file__).resolve().parents[3] / "shared")
FILMS = sorted(
    path
    for folder in ("anim", "edge")
    for path in (SHARED / "clips" / folder).glob("*")
    if path.suffix in (".mkv", ".mp4", ".mov", ".webm", ".ts")
)
TOLERANCE = Fraction(11, 10_000)
"""Matroska counts milliseconds, for sound and picture each."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def colour(path: Path) -> tuple[int, ...]:
    """Matrix, primaries, transfer; range where it is said to be full."""
    with av.open(str(path), metadata_errors="replace") as source:
        stream = choose_stream(source)
        assert stream is not None
        frame = next(iter(source.decode(stream)))
        full = int(frame.color_range == 2 or frame.format.name.startswith("yuvj"))
        codes = (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc))
        return (*(c if c not in (0, 3) else 2 for c in codes), full)


def audio(path: Path) -> Iterator[list[tuple[Fraction, bytes]]]:
    """Time and hash of the packets of each audio stream."""
    with av.open(str(path), metadata_errors="replace") as source:
        streams = list(source.streams.audio)
        if not streams:
            return
        packets = [
            (p.stream.index, p.pts * p.time_base, sha256(bytes(p)).digest())
            for p in source.demux(streams)
            if p.size and p.pts is not None and p.time_base is not None
        ]
    for _, group in groupby(sorted(packets, key=lambda p: p[:2]), key=lambda p: p[0]):
        yield [(pts, data) for _, pts, data in group]


def count_and_start(path: Path) -> tuple[int, Fraction]:
    """Pictures, and the time of the first."""
    source = open_source(str(path), SourceOptions(hwaccel="none"))
    try:
        count = 0
        while type(source.read()).__name__ == "SourceFrame":
            count += 1
        return count, source.info.start
    finally:
        source.close()


def offsets(film: Path, made: Path, start: Fraction, made_start: Fraction) -> list[Fraction]:
    """How far sound moved against the picture, at the first and last packet of every stream."""
    found = []
    for old, new in zip(audio(film), audio(made), strict=False):
        times: dict[bytes, list[Fraction]] = {}
        for pts, data in old:
            times.setdefault(data, []).append(pts)
        for pts, data in (new[0], new[-1]):
            found.append(min(abs((pts - made_start) - (t - start)) for t in times[data]))
    return found


def rendered(options: RenderOptions) -> str:
    """Render; the sentence that refuses to."""
    try:
        assert render(options) == 0
    except RtvfiError as error:
        return error.message
    return ""


@pytest.mark.skipif(not FILMS, reason="no shared films")
@pytest.mark.parametrize("film", FILMS, ids=lambda p: p.name)
def test_a_film_is_rendered_or_refused_in_one_sentence(film: Path, tmp_path: Path) -> None:
    target = tmp_path / "o.mkv"
    options: dict[str, Any] = {
        "files": (str(film),),
        "output": target,
        "model": "copy",
        "device": "cpu",
        "fps": "2x",
        "stream": StreamOptions(style="plain"),
        "source": SourceOptions(hwaccel="none"),
        "encode": EncodeOptions(encoder="libx264", preset="ultrafast"),
    }
    begin = time.monotonic()
    if refusal := rendered(RenderOptions(**options)):
        assert "\n" not in refusal
        print(f"| {film.name} | refused: {refusal} |")  # noqa: T201
        return
    seconds = time.monotonic() - begin
    (count, start), (made_count, made_start) = count_and_start(film), count_and_start(target)
    moved = offsets(film, target, start, made_start)
    before, after = colour(film), colour(target)
    off = f"{float(max(moved)) * 1e3:.2f} ms" if moved else "no sound"
    print(  # noqa: T201
        f"| {film.name} | {count} | {made_count} | {off} | {before} {after} | {seconds:.1f} s |"
    )
    assert made_count >= count
    assert after == before
    assert all(distance <= TOLERANCE for distance in moved)
