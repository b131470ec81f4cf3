"""What every frame source does, over the kinds of files that make it hard."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import av
import pytest
from barcode import read_code
from clips import FILM, ClipSpec
from reading import assert_same, every_third_time, read_all, read_on

from rtvfi.core.frame import END, SourceFrame, plane_views
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.source import FrameSource, Interrupted, open_source

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from clips import Clips

SMALL = ClipSpec(size=(160, 90), num_frames=40, gop=12)
UNEVEN = tuple(Fraction(t, 1000) for t in (0, 40, 80, 200, 240, 950, 990, 1030, 1100, 1140))

KINDS: dict[str, dict[str, Any]] = {
    "mkv": {},
    "mp4": {"container": "mp4"},
    "ts": {"container": "ts", "start": Fraction(10)},
    "webm": {"codec": "libvpx-vp9", "container": "webm"},
    "mpeg2-ts": {"codec": "mpeg2video", "container": "ts", "rate": Fraction(25)},
    "hevc": {"codec": "libx265", "container": "mp4"},
    "ten-bit": {"pix_fmt": "yuv420p10le"},
    "full-chroma": {"pix_fmt": "yuv444p"},
    "odd-size": {"codec": "ffv1", "size": (161, 91)},
    "uneven": {"times": UNEVEN, "num_frames": len(UNEVEN), "gop": 4},
    "late-start": {"start": Fraction(100)},
    "audio": {"container": "ts", "audio": True},
    "held": {"holds": (2, 3)},
    "single": {"num_frames": 1},
}


@pytest.fixture(params=KINDS)
def spec(request: pytest.FixtureRequest) -> ClipSpec:
    return ClipSpec(**{**vars(SMALL), **KINDS[request.param]})


@pytest.fixture
def source(clips: Clips, spec: ClipSpec) -> Generator[FrameSource]:
    source = open_source(str(clips.get(spec)), SourceOptions())
    yield source
    source.close()


def test_every_frame_comes_in_order(source: FrameSource, spec: ClipSpec) -> None:
    frames = read_all(source)
    shown = [read_code(plane_views(f.payload, source.info)[0]) for f in frames]
    assert shown == list(spec.drawings)
    assert all(a.pts < b.pts for a, b in pairwise(frames))


def test_times_are_those_of_the_clip(source: FrameSource, spec: ClipSpec) -> None:
    frames = read_all(source)
    shift = frames[0].pts - spec.pts[0]
    if spec.container != "ts":  # its writer shifts everything
        assert abs(shift) <= Fraction(1, 1000)
    assert frames[0].pts == source.info.start
    tick = Fraction(1, 1000) if spec.times else Fraction(0)
    assert all(abs(f.pts - pts - shift) <= tick for f, pts in zip(frames, spec.pts, strict=True))


def test_the_end_comes_every_time_it_is_asked_for(source: FrameSource) -> None:
    read_all(source)
    assert [source.read() for _ in range(3)] == [END] * 3


def test_a_seek_lands_on_the_frame_played_then(source: FrameSource) -> None:
    frames = read_all(source)
    times = [f.pts for f in frames]
    half = Fraction(1, 100)
    targets = [times[0] - 5, *(t + d for t in times[::7] for d in (0, half, -half)), times[-1]]
    for target in reversed(targets):
        index = max(bisect_right(times, target) - 1, 0)
        source.seek(target)
        for want in frames[index : index + 2]:
            assert_same(source.read(), want)


def test_a_seek_past_the_end_shows_the_last_frame(clips: Clips, spec: ClipSpec) -> None:
    path = str(clips.get(spec))
    last = read_all(open_source(path, SourceOptions()))[-1]
    source = open_source(path, SourceOptions())
    for late in (Fraction(1), Fraction(5000)):
        source.seek(last.pts + late)
        assert_same(source.read(), last)
        assert source.read() is END
    source.close()


def test_information_fits_the_frames(source: FrameSource, spec: ClipSpec) -> None:
    info = source.info
    assert (info.width, info.height) == spec.size
    assert info.format.name == spec.pix_fmt
    assert info.pixel_aspect == 1
    frames = read_all(source)
    assert {len(f.payload) for f in frames} == {info.payload_bytes}
    if not spec.times and spec.num_frames > 1:
        assert info.source_rate == spec.rate
        assert info.duration is not None
        assert abs(info.start + info.duration - frames[-1].pts - 1 / spec.rate) < Fraction(1, 50)


def test_frames_carry_the_epoch_of_the_source(clips: Clips) -> None:
    source = open_source(str(clips.get(SMALL)), SourceOptions())
    source.epoch = 7
    frame = source.read()
    assert isinstance(frame, SourceFrame)
    assert frame.epoch == 7
    source.close()


def test_an_interrupted_read_loses_no_frame(clips: Clips) -> None:
    path = str(clips.get(SMALL))
    want = read_all(open_source(path, SourceOptions()))
    source = open_source(path, SourceOptions(), every_third_time(10))
    got, num_interruptions = read_on(source)
    assert num_interruptions > 5
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert_same(g, w)
    source.close()


def test_an_interrupted_seek_can_be_made_again(clips: Clips) -> None:
    busy = False
    source = open_source(str(clips.get(SMALL)), SourceOptions(), lambda: busy)
    frames = read_all(source)
    busy = True
    with pytest.raises(Interrupted):
        source.seek(frames[20].pts)
    busy = False
    source.seek(frames[21].pts)
    assert_same(source.read(), frames[21])
    source.close()


def test_closing_twice_is_fine(clips: Clips) -> None:
    source = open_source(str(clips.get(SMALL)), SourceOptions())
    source.close()
    source.close()


def reencoded(path: Path, codec: str, container: str) -> Path:
    """The pictures of a clip in a container without presentation times."""
    out_path = path.with_suffix(f".{codec}.{container}")
    with av.open(str(path)) as clip, av.open(str(out_path), "w", format=container) as out:
        options = {"bf": "2", "g": "12", "threads": "1", "qmin": "2", "qmax": "2"}
        stream = cast("av.VideoStream", out.add_stream(codec, rate=25, options=options))
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for index, frame in enumerate(clip.decode(video=0)):
            frame.pts, frame.time_base, frame.pict_type = index, Fraction(1, 25), 0
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return out_path


@pytest.mark.parametrize(
    ("codec", "container"), [("libx264", "h264"), ("libx264", "avi"), ("mpeg4", "avi")]
)
def test_without_timestamps_frames_are_counted(clips: Clips, codec: str, container: str) -> None:
    path = reencoded(clips.get(SMALL), codec, container)
    source = open_source(str(path), SourceOptions())
    assert source.info.is_seekable == (container == "avi")
    frames = read_all(source)
    assert [f.pts for f in frames] == [Fraction(i, 25) for i in range(SMALL.num_frames)]
    shown = [read_code(plane_views(f.payload, source.info)[0]) for f in frames]
    assert shown == list(range(SMALL.num_frames))
    for index in (17, 3, 38, 0):
        source.seek(frames[index].pts)
        assert_same(source.read(), frames[index])
    source.close()


def test_film_rate_is_exact_in_milliseconds(clips: Clips) -> None:
    source = open_source(str(clips.get(SMALL)), SourceOptions())
    assert [f.pts for f in read_all(source)] == [i / FILM for i in range(SMALL.num_frames)]
    source.close()
