"""The pipeline over real files: what is shown when, seeks land on the same pictures, model and
decoder together.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from barcode import read_code
from clips import ClipSpec
from running import Running

from rtvfi.core.errors import OpenError
from rtvfi.core.frame import Kind, plane_views
from rtvfi.core.options import SourceOptions
from rtvfi.models.linear.blend import Linear
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.run.executors.interpolate import Interpolation

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

    from rtvfi.core.frame import OutputFrame, StreamInfo

SMALL = ClipSpec(size=(160, 90), num_frames=30, gop=10)
UNEVEN = tuple(Fraction(t, 1000) for t in (0, 40, 80, 200, 240, 950, 990, 1030, 1100, 1140))

KINDS: dict[str, dict[str, Any]] = {
    "ones": {},
    "twos-and-threes": {"holds": (2, 3)},
    "cuts": {"cuts": (7, 20)},
    "late-start": {"start": Fraction(10), "container": "ts"},
    "uneven": {"times": UNEVEN, "num_frames": len(UNEVEN), "gop": 4},
    "odd-size": {"codec": "ffv1", "size": (161, 91)},
    "ten-bit": {"pix_fmt": "yuv420p10le"},
    "single": {"num_frames": 1},
}


def running(path: Path, **options: Any) -> Running:
    source = SourceOptions(hwaccel="none", threads=1)
    return Running(lambda interrupted: open_source(str(path), source, interrupted), **options)


def blend(info: StreamInfo) -> Interpolation:
    return Interpolation(Linear(), info, torch.device("cpu"), torch.float32)


def number(frame: OutputFrame, info: StreamInfo) -> int | None:
    return read_code(plane_views(frame.payload, info)[0])


@pytest.fixture(params=KINDS)
def spec(request: pytest.FixtureRequest) -> ClipSpec:
    return ClipSpec(**{**vars(SMALL), **KINDS[request.param]})


def test_each_output_shows_the_frame_played_then_or_the_next_of_its_scene(
    clips: Clips, spec: ClipSpec
) -> None:
    with running(clips.get(spec)) as pipe:
        frames = pipe.all()
        start = pipe.info.start
        shown = [number(frame, pipe.info) for frame in frames]
    assert [frame.index for frame in frames] == list(range(len(frames)))
    pts = [p - spec.start for p in spec.pts]
    assert abs(frames[-1].pts - start - pts[-1]) < 2 / spec.rate
    slack = Fraction(1, 1000)  # containers round times
    for frame, found in zip(frames, shown, strict=True):
        time = frame.pts - start
        played = max(0, bisect_right(pts, time + slack) - 1)
        after = min(played + 1, len(pts) - 1)
        allowed = {spec.drawings[played]}
        if after not in spec.cuts and time - pts[played] > slack:
            allowed.add(spec.drawings[after])
        assert found in allowed, f"output {frame.index} at {float(time):.3f}"


def test_a_seek_lands_on_the_pictures_of_playing_from_the_start(
    clips: Clips, spec: ClipSpec
) -> None:
    with running(clips.get(spec)) as pipe:
        whole = pipe.all()
        for index in random.Random(5).choices(range(len(whole)), k=8):
            pipe.seek(index)
            for frame, same in zip(pipe.take(3), whole[index : index + 3], strict=True):
                assert (frame.index, frame.pts) == (same.index, same.pts)
                assert frame.payload.tobytes() == same.payload.tobytes()


def test_synthetic_frames_lie_between_copies_that_are_bit_exact(clips: Clips) -> None:
    path = clips.get(SMALL)
    with running(path) as pipe:
        sources = pipe.all()[::2]
        info = pipe.info
    with running(path) as pipe:
        pipe.pipeline.use(blend(info))
        frames = pipe.all()
    assert [f.payload.tobytes() for f in frames[::2]] == [f.payload.tobytes() for f in sources]
    assert {f.kind for f in frames[1:-1:2]} == {Kind.SYNTHETIC}
    for i, frame in enumerate(frames[1:-1:2]):
        ends = sources[i].payload.astype(float) + sources[i + 1].payload
        assert abs(frame.payload - ends / 2).max() <= 0.5


def test_no_synthetic_frame_mixes_two_scenes_or_two_equal_pictures(clips: Clips) -> None:
    spec = ClipSpec(**{**vars(SMALL), "cuts": (11,), "holds": (2,)})
    with running(clips.get(spec)) as pipe:
        pipe.pipeline.use(blend(pipe.info))
        frames = pipe.all()
        shown = [number(frame, pipe.info) for frame in frames]
    made = {f.index for f in frames if f.kind is Kind.SYNTHETIC}
    pairs = zip(spec.drawings, spec.drawings[1:], strict=False)
    wanted = {2 * i + 1 for i, (a, b) in enumerate(pairs) if a != b and i + 1 != 11}
    # The encoder need not give a held drawing the same bits; then a blend of two is a blend of one.
    assert wanted <= made
    assert 21 not in made
    assert shown[21] == spec.drawings[10]
    assert all(shown[i] is not None for i in set(range(len(frames))) - wanted)


def test_a_model_that_joins_moves_no_frame(clips: Clips) -> None:
    with running(clips.get(SMALL)) as pipe:
        plain = [(f.index, f.pts) for f in pipe.all()]
        pipe.seek(0)
        frames = pipe.take(9)
        pipe.pipeline.use(blend(pipe.info))
        frames += pipe.take(1000)
    assert [(f.index, f.pts) for f in frames] == plain
    assert frames[0].kind is Kind.COPY
    assert Kind.SYNTHETIC in {f.kind for f in frames}


def test_a_film_cut_short_plays_as_far_as_it_goes(clips: Clips) -> None:
    with running(clips.truncated()) as pipe:
        frames = pipe.all()
        shown = [number(frame, pipe.info) for frame in frames[::2]]
    assert len(frames) > 20
    assert [frame.index for frame in frames] == list(range(len(frames)))
    whole = [n for n in shown if n is not None]
    assert whole == sorted(whole)


@pytest.mark.parametrize("kind", ["empty", "garbage", "audio_only"])
def test_what_holds_no_video_is_refused(clips: Clips, kind: str) -> None:
    pipe = running(getattr(clips, kind)())
    with pytest.raises(OpenError):
        pipe.pipeline.open()
    pipe.pipeline.close()


def test_two_pipelines_share_nothing(clips: Clips) -> None:
    path = clips.get(SMALL)
    with running(path) as first, running(path) as second:
        first.seek(0)
        second.seek(30)
        a, b = first.take(3), second.take(3)
    assert [f.index for f in a + b] == [0, 1, 2, 30, 31, 32]
    assert not any(np.shares_memory(x.payload, y.payload) for x in a for y in b)
