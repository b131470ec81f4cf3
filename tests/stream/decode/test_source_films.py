"""Real files of other makers: each plays as far as it goes, or fails with one clear sentence."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from rtvfi.core.errors import OpenError
from rtvfi.core.frame import END, SourceFrame
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.stream.decode.source import FrameSource

NTSC = Fraction(30000, 1001)
MOST_READ = 60


@dataclass(frozen=True, kw_only=True)
class Film:
    rate: Fraction | int
    frames: int
    """As many as there are, or ``MOST_READ``."""
    start: Fraction = Fraction(0)
    rotation: int = 0
    is_damaged: bool = False


FILMS = {
    "edge/bbb_2500ms.ts": Film(rate=24, frames=58, start=Fraction(1525, 1000)),
    "edge/bbb_800x640_768kbps_30fps_avc_2b_firstpts_10_sec.mp4": Film(
        rate=30, frames=60, start=Fraction(10)
    ),
    "edge/bear-vp9-odd-dimensions.webm": Film(rate=NTSC, frames=30),
    "edge/decord_corrupted.mp4": Film(rate=10, frames=49, is_damaged=True),
    "edge/decord_video_90.mov": Film(rate=30, frames=3, rotation=90),
    "edge/fate_h264__1242-small.mkv": Film(rate=Fraction(24000, 1001), frames=12),
    "edge/fate_h264__interlaced_crop.mp4": Film(rate=25, frames=60),
    "edge/fate_hevc__two_first_slice.mp4": Film(rate=15, frames=34, is_damaged=True),
    "edge/fate_vp9__vp90-2-05-resize.mp4": Film(rate=30, frames=10),
    "edge/fate_vp9__vp91-2-04-yuv444.mp4": Film(rate=25, frames=10),
    "edge/hdr10-av1.mp4": Film(rate=NTSC, frames=60),
    "edge/nestegg_bug603918.webm": Film(rate=24, frames=2, start=Fraction(38, 1000)),
    "edge/no_duration.webm": Film(rate=Fraction(15000, 1001), frames=60),
    "edge/popeye_T03-4_vobsub_2997.mkv": Film(rate=NTSC, frames=60),
    "edge/sample_portrait.mp4": Film(rate=NTSC, frames=30),
    "edge/sample_with_ass_subtitles.mkv": Film(rate=30, frames=30, start=Fraction(67, 1000)),
    "edge/sample_with_chapters.mkv": Film(rate=30, frames=60),
    "edge/tc_bt709_full_range.mp4": Film(rate=30, frames=30),
    "edge/tc_h265_10bits.mp4": Film(rate=30, frames=30),
    "edge/tc_nasa_13013.mp4": Film(rate=25, frames=60),
    "anim/bbb_480p24_5s.mp4": Film(rate=24, frames=60),
    "anim/dwanko_run_720p24.mkv": Film(rate=24, frames=60),
    "anim/ks_tc_act1.mp4": Film(rate=30, frames=60),
    "anim/popeye_T00-1_pgs.mkv": Film(rate=24, frames=60),
    "anim/popeye_T01-2_b_pgs.mkv": Film(rate=24, frames=60),
    "anim/popeye_T03-4_pgs.mkv": Film(rate=24, frames=60),
}


def read(source: FrameSource, most: int) -> list[SourceFrame]:
    frames: list[SourceFrame] = []
    while len(frames) < most and isinstance(frame := source.read(), SourceFrame):
        frames.append(frame)
    return frames


@pytest.mark.parametrize("name", FILMS)
def test_a_film_is_what_it_is(shared: Path, name: str) -> None:
    film = FILMS[name]
    source = open_source(str(shared / "clips" / name), SourceOptions())
    info = source.info
    assert (info.source_rate, info.start, info.rotation) == (film.rate, film.start, film.rotation)
    assert info.duration is not None
    frames = read(source, MOST_READ)
    assert len(frames) == film.frames
    assert frames[0].pts == film.start
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    assert {f.payload.size for f in frames} == {info.payload_bytes}
    if not film.is_damaged:  # damage may be concealed differently each time
        for index in (len(frames) // 2, 0, len(frames) - 1):
            source.seek(frames[index].pts)
            again = source.read()
            assert isinstance(again, SourceFrame)
            assert again.pts == frames[index].pts
            assert again.payload.tobytes() == frames[index].payload.tobytes()
    if film.frames < MOST_READ:
        source.seek(frames[-1].pts)
        source.read()
        assert source.read() is END
    source.close()


def test_a_film_without_one_good_picture_is_refused(shared: Path) -> None:
    with pytest.raises(OpenError, match="not one picture"):
        open_source(str(shared / "clips/edge/invalid-bitstream.webm"), SourceOptions())
