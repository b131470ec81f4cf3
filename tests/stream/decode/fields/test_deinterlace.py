"""Interlaced pictures: which are changed, into what, and that seeks change nothing."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
import pytest
from interlaced import NUM, combing, field_at, write
from reading import assert_seeks_agree

from rtvfi.core.frame import SourceFrame, plane_views
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.core.frame import StreamInfo


def read(path: Path, mode: Literal["auto", "on", "off"]) -> tuple[StreamInfo, list[SourceFrame]]:
    source = open_source(str(path), SourceOptions(hwaccel="none", deinterlace=mode))
    frames = []
    while isinstance(frame := source.read(), SourceFrame):
        frames.append(frame)
    source.close()
    return source.info, frames


@pytest.fixture(scope="module")
def interlaced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("fields") / "all.ts", range(NUM))


@pytest.fixture(scope="module")
def progressive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("whole") / "none.ts", range(0))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("mixed") / "mixed.ts", range(9, 20))


def test_off_leaves_the_fields_in(interlaced: Path) -> None:
    info, frames = read(interlaced, "off")
    assert min(combing(info, f) for f in frames) > 3


def test_flagged_pictures_lose_their_combs(interlaced: Path) -> None:
    info, frames = read(interlaced, "auto")
    assert max(combing(info, f) for f in frames) < 1


def test_number_and_times_of_frames_stay(interlaced: Path) -> None:
    info, frames = read(interlaced, "auto")
    assert [f.pts - frames[0].pts for f in frames] == [Fraction(i, 25) for i in range(NUM)]
    assert [f.pts for f in frames] == [f.pts for f in read(interlaced, "off")[1]]
    assert info.source_rate == 25


@pytest.mark.parametrize("mode", ["auto", "on"])
@pytest.mark.parametrize("kind", ["interlaced", "mixed", "progressive"])
def test_frames_last_as_long_as_before(
    request: pytest.FixtureRequest, kind: str, mode: Literal["auto", "on"]
) -> None:
    """The filter counts in ticks of half the length."""
    _, frames = read(request.getfixturevalue(kind), mode)
    assert {f.duration for f in frames} == {Fraction(1, 25)}


def test_the_first_field_decides_what_is_seen(interlaced: Path) -> None:
    info, frames = read(interlaced, "auto")
    for number in (3, 11, 20):
        luma = plane_views(frames[number].payload, info)[0].astype(int)
        assert np.abs(luma - field_at(2 * number).astype(int)).mean() < 3


def test_pictures_not_flagged_stay_what_they_are(progressive: Path) -> None:
    raw, kept = read(progressive, "off")[1], read(progressive, "auto")[1]
    assert [f.payload.tobytes() for f in kept] == [f.payload.tobytes() for f in raw]


def test_on_takes_every_picture_for_interlaced(progressive: Path) -> None:
    _, frames = read(progressive, "on")
    raw = read(progressive, "off")[1]
    assert len(frames) == len(raw)
    assert any(a.payload.tobytes() != b.payload.tobytes() for a, b in zip(frames, raw, strict=True))


def test_a_stream_of_both_kinds_is_changed_where_it_is_flagged(mixed: Path) -> None:
    info, raw = read(mixed, "off")
    kept = read(mixed, "auto")[1]
    assert [f.pts for f in kept] == [f.pts for f in raw]
    changed = [
        i
        for i, (a, b) in enumerate(zip(kept, raw, strict=True))
        if a.payload.tobytes() != b.payload.tobytes()
    ]
    assert changed == list(range(9, 20))
    assert max(combing(info, f) for f in kept) < 1


@pytest.mark.parametrize("mode", ["auto", "on"])
@pytest.mark.parametrize("kind", ["interlaced", "mixed"])
def test_a_seek_gives_the_pictures_of_reading_on(
    request: pytest.FixtureRequest, kind: str, mode: Literal["auto", "on"]
) -> None:
    path = request.getfixturevalue(kind)
    _, frames = read(path, mode)
    source = open_source(str(path), SourceOptions(hwaccel="none", deinterlace=mode))
    assert_seeks_agree(source, frames, (8, 17, 16, 9, 20, 29, 0, 24))
    source.close()


def test_tiny_pictures_pass(tmp_path: Path) -> None:
    path = tmp_path / "tiny.mkv"
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 2, 2, "yuv420p"
        out.mux(stream.encode(av.VideoFrame(2, 2, "yuv420p")))
        out.mux(stream.encode())
    assert len(read(path, "on")[1]) == 1


def test_a_broadcast_clip_loses_its_combs(shared: Path) -> None:
    path = shared / "clips/edge/fate_h264__interlaced_crop.mp4"
    info, raw = read(path, "off")
    made = read(path, "auto")[1]
    assert [f.pts for f in made] == [f.pts for f in raw]
    before = np.mean([combing(info, f) for f in raw])
    after = np.mean([combing(info, f) for f in made])
    assert after < 0.8 * before
