"""Films whose flags say how 24 pictures fill 60 fields: their times are even again."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, cast

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oddities import picture

from rtvfi.core.frame import SourceFrame
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.fields.pulldown import find_pulldown
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.decode.stamps import frame_times

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.core.frame import StreamInfo

FIELD = Fraction(1001, 60000)
FILM = Fraction(24000, 1001)


def times(pattern: tuple[int, ...], count: int, field: Fraction = FIELD) -> list[Fraction]:
    counts = (pattern[k % len(pattern)] for k in range(count))
    return [field * n for n in accumulate(counts, initial=0)]


def rounded(exact: list[Fraction], tick: Fraction) -> list[Fraction]:
    return [round(t / tick) * tick for t in exact]


@pytest.mark.parametrize("pattern", [(3, 2), (2, 3)])
@pytest.mark.parametrize("tick", [Fraction(1, 90000), Fraction(1, 1000), Fraction(1, 60000)])
@pytest.mark.parametrize(("field", "rate"), [(FIELD, FILM), (Fraction(1, 60), Fraction(24))])
def test_pulldown_is_found_and_undone(
    pattern: tuple[int, ...], tick: Fraction, field: Fraction, rate: Fraction
) -> None:
    shown = rounded(times(pattern, 40, field), tick)
    found = find_pulldown(shown, tick)
    assert found is not None
    assert found.rate == rate
    even = [found.even(a, b) for a, b in pairwise(shown)]
    assert all(abs(t - even[0] - k / rate) <= 2 * tick for k, t in enumerate(even))


@pytest.mark.parametrize(
    "shown",
    [
        [k / FILM for k in range(40)],
        [k * Fraction(1001, 30000) for k in range(40)],
        [k * Fraction(1, 25) for k in range(40)],
        times((2, 2, 2, 3), 40),
        times((3, 2), 6),
        [],
    ],
)
def test_other_times_are_left_alone(shown: list[Fraction]) -> None:
    assert find_pulldown(shown, Fraction(1, 1000)) is None


@given(st.lists(st.sampled_from([2, 3]), min_size=2, max_size=30), st.sampled_from([2, 3]))
def test_time_still_runs_forwards(counts: list[int], first: int) -> None:
    found = find_pulldown(times((3, 2) if first == 3 else (2, 3), 20), Fraction(1, 90000))
    assert found is not None
    shown = [FIELD * n for n in accumulate(counts, initial=0)]
    even = [found.even(a, b) for a, b in pairwise(shown)]
    assert all(b > a for a, b in pairwise(even))
    assert all(abs(t - raw) <= FIELD / 2 for t, raw in zip(even, shown, strict=False))


def test_video_among_the_film_keeps_its_rhythm() -> None:
    found = find_pulldown(times((3, 2), 20), Fraction(1, 90000))
    assert found is not None
    video = times((2,), 10)
    even = [found.even(a, b) for a, b in pairwise(video)]
    assert {b - a for a, b in pairwise(even)} == {2 * FIELD}


# --- a film ----------------------------------------------------------------------------------


def write(path: Path, count: int = 60, pattern: tuple[int, ...] = (3, 2)) -> Path:
    """Pictures with the times of a soft-telecined disc."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FILM, options={"preset": "ultrafast", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 60000)
        stream.codec_context.framerate = Fraction(0)
        for number, pts in enumerate(times(pattern, count - 1)):
            frame = av.VideoFrame.from_ndarray(picture(96, 64, number % 30), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = round(pts * 60000), Fraction(1, 60000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def read(path: Path) -> tuple[StreamInfo, list[SourceFrame]]:
    source = open_source(str(path), SourceOptions(hwaccel="none"))
    frames = []
    while isinstance(frame := source.read(), SourceFrame):
        frames.append(frame)
    source.close()
    return source.info, frames


@pytest.mark.parametrize("kind", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("pattern", [(3, 2), (2, 3)])
def test_a_film_has_its_own_rate_and_even_times(
    kind: str, pattern: tuple[int, ...], tmp_path: Path
) -> None:
    info, frames = read(write(tmp_path / f"a.{kind}", pattern=pattern))
    assert info.source_rate == FILM
    assert [f.pts - info.start for f in frames] == [k / FILM for k in range(60)]
    assert {f.duration for f in frames} == {1 / FILM}


def test_a_seek_gives_the_times_of_reading_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv")
    _, frames = read(path)
    source = open_source(str(path), SourceOptions(hwaccel="none"))
    for number in (30, 7, 58, 0, 41):
        source.seek(frames[number].pts)
        for want in frames[number : number + 2]:
            got = source.read()
            assert isinstance(got, SourceFrame)
            assert got.pts == want.pts
            assert got.payload.tobytes() == want.payload.tobytes()
    source.close()


def test_times_from_packets_are_those_of_decoding(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv")
    info, frames = read(path)
    found, end = frame_times(str(path), info)
    assert found == [f.pts for f in frames]
    assert end == frames[-1].pts + 1 / FILM


def test_it_is_rendered_at_twice_its_own_rate(tmp_path: Path) -> None:
    from rtvfi.cli import main as cli

    target = tmp_path / "o.mp4"
    words = ["--model", "copy", "--fps", "2x", "--device", "cpu", "-o", str(target)]
    assert cli.main(["render", str(write(tmp_path / "a.mkv")), *words]) == 0
    with av.open(str(target)) as made:
        stream: Any = made.streams.video[0]
        assert cast("Fraction", stream.average_rate) == 2 * FILM
        assert stream.frames == 120
