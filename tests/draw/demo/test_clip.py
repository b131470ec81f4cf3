"""The demo clip is drawn the way it says, and the committed file is that drawing."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from rtvfi.core.data import data_path
from rtvfi.draw.demo import clip as demo
from rtvfi.draw.demo.bodies import draw_runner, draw_waver, runner_joints, waver_joints
from rtvfi.draw.demo.film import SUBTITLES, to_planes, tune
from rtvfi.draw.demo.fox import draw_fox_running, draw_fox_sitting, fox_joints, sitting_tail
from rtvfi.draw.demo.sets import HEIGHT, WIDTH
from rtvfi.draw.demo.title import lettering, title
from rtvfi.draw.paint import Canvas

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rtvfi.draw.demo.bodies import Pose
    from rtvfi.draw.paint import Point

    Draw = Callable[[Canvas, Pose], None]


def solid(draw: Draw, pose: Pose) -> NDArray[np.bool_]:
    """Pixels a character covers wholly, clear of the grass in front."""
    canvas = Canvas(WIDTH, HEIGHT)
    draw(canvas, pose)
    mask: NDArray[np.bool_] = canvas.pixels[..., 3] > 0.9999
    mask[420:] = False
    return mask


def is_same(mask: NDArray[np.bool_], first: int, second: int, shift: int = 0) -> bool:
    """Whether two frames agree at ``mask``, the second one moved right by ``shift`` pixels."""
    moved = np.roll(demo.draw_frame(second), shift, axis=1)
    return bool(abs(moved[mask] - demo.draw_frame(first)[mask]).max() < 1e-3)


def decoded(numbers: list[int]) -> list[NDArray[Any]]:
    """Luma of some frames of the committed file."""
    with av.open(str(data_path("weights", "demo.mkv"))) as source:
        lumas = []
        for index, frame in enumerate(source.decode(video=0)):
            if index in numbers:
                lumas.append(frame.to_ndarray()[: frame.height])
            if index == max(numbers):
                break
        return lumas


def test_a_frame_is_drawn_the_same_every_time() -> None:
    first = demo.draw_frame(7)
    demo._painted.cache_clear()
    demo._cel.cache_clear()
    assert (demo.draw_frame(7) == first).all()


def test_the_girl_is_on_twos_and_the_fox_on_threes() -> None:
    fox = solid(draw_fox_running, demo.fox_pose(6))
    girl = solid(draw_runner, demo.girl_pose(6)) & ~fox
    assert [is_same(girl, 6, frame) for frame in (7, 8)] == [True, False]
    assert [is_same(fox, 6, frame) for frame in (7, 8, 9)] == [True, True, False]


def test_on_the_roof_the_drawings_ride_the_pan() -> None:
    start = demo.CUT
    fox = solid(draw_fox_sitting, demo.fox_pose(start))
    girl = solid(draw_waver, demo.girl_pose(start)) & ~fox
    for mask, hold in ((girl, 2), (fox, 3)):
        for k in range(1, hold + 1):
            assert is_same(mask, start, start + k, shift=2 * k) == (k < hold)


def test_the_camera_pans_on_ones() -> None:
    path = next(layer for layer in demo.DAY if layer.name == "path")
    assert path.speed == 12
    frames = [demo.draw_frame(frame)[410:425, :200] for frame in range(3)]
    assert (frames[1][:, :-12] == frames[0][:, 12:]).all()
    assert (frames[2][:, :-12] == frames[1][:, 12:]).all()
    assert not (frames[1] == frames[0]).all()


def test_the_title_stands_still() -> None:
    mask = title(WIDTH, HEIGHT).pixels[..., 3] > 0.999
    assert mask.sum() > 5000
    assert is_same(mask, 0, demo.CUT - 1)


def test_the_cut_is_where_it_says() -> None:
    before, at, after = (demo.draw_frame(demo.CUT + k) for k in (-1, 0, 1))
    assert abs(at - before).mean() > 0.2 > 0.05 > abs(after - at).mean()


def girl_points(frame: float) -> dict[str, list[Point]]:
    """Picture coordinates, without the pan of the second shot."""
    pose = demo.girl_pose(frame)
    return runner_joints(pose) if frame < demo.CUT else waver_joints(pose)


def fox_points(frame: float) -> dict[str, list[Point]]:
    pose = demo.fox_pose(frame)
    return fox_joints(pose) if frame < demo.CUT else {"tail": sitting_tail(pose)}


@pytest.mark.parametrize("points", [girl_points, fox_points])
@pytest.mark.parametrize("start", [0, demo.CUT])
def test_paths_are_smooth_within_a_shot(points: Callable[..., Any], start: int) -> None:
    step = 0.125
    for name in points(start):
        path = np.array([points(start + k * step)[name] for k in range(400)])
        assert abs(np.diff(path, axis=0)).max() < 32 * step
        assert abs(np.diff(path, 2, axis=0)).max() < 12 * step**2


def test_a_drawing_shows_the_first_frame_of_its_hold() -> None:
    assert [demo.held(frame, 3) for frame in range(7)] == [0, 0, 0, 3, 3, 3, 6]
    assert [demo.held(demo.CUT + k, 2) - demo.CUT for k in range(4)] == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ("colour", "codes"),
    [
        ((1, 1, 1), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        ((1, 0, 0), (63, 102, 240)),
        ((0, 1, 0), (173, 42, 26)),
        ((0, 0, 1), (32, 240, 118)),
    ],
)
def test_planes_are_limited_range_bt709(colour: tuple[float, ...], codes: tuple[int, ...]) -> None:
    planes = to_planes(np.broadcast_to(np.array(colour, np.float32), (4, 6, 3)))
    assert [p.shape for p in planes] == [(4, 6), (2, 3), (2, 3)]
    assert tuple(int(p.flat[0]) for p in planes) == codes
    assert all((p == p.flat[0]).all() for p in planes)


def test_the_tune_is_gentle_and_ends_in_silence() -> None:
    sound = tune(3.0)
    assert len(sound) == 3 * 48000
    assert 0.05 < abs(sound).max() < 0.5
    assert abs(sound[-100:]).max() < 1e-3


def test_unknown_letters_are_refused() -> None:
    with pytest.raises(ValueError, match="no letter"):
        lettering("??", 0, 0, 10, 1)


def test_the_file_holds_the_streams_promised() -> None:
    path = data_path("weights", "demo.mkv")
    assert path.stat().st_size <= 2_000_000
    with av.open(str(path)) as source:
        assert [s.type for s in source.streams] == ["video", "audio", "subtitle"]
        assert source.streams.subtitles[0].disposition & Disposition.default
        chapters = [
            (Fraction(c["start"]) * (c["time_base"] or 0), c["metadata"]["title"])
            for c in source.chapters()
        ]
        assert chapters == [(0, "Morning run"), (Fraction(7007, 1000), "Rooftop")]
        packets = list(source.demux())
        assert sum(p.stream.type == "subtitle" and p.size > 0 for p in packets) == len(SUBTITLES)
        assert sum(p.stream.type == "video" and p.size > 0 for p in packets) == demo.NUM_FRAMES
    with av.open(str(path)) as source:
        video = source.streams.video[0]
        frame = next(source.decode(video))
        assert (video.codec_context.name, frame.format.name) == ("h264", "yuv420p")
        assert (frame.width, frame.height, frame.pts) == (WIDTH, HEIGHT, 0)
        assert (frame.colorspace, frame.color_range) == (1, 1)
        assert video.average_rate is not None
        assert abs(video.average_rate - Fraction(24000, 1001)) < Fraction(1, 1000)


def test_the_file_is_the_drawing() -> None:
    for luma, frame in zip(decoded([0, 31]), (0, 31), strict=True):
        drawn = to_planes(demo.draw_frame(frame))[0]
        assert np.sqrt(((luma - drawn.astype(float)) ** 2).mean()) < 3
