"""The overlay says what is live."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from fakes import stream_info

from rtvfi.core.frame import Kind
from rtvfi.playing import osd
from rtvfi.playing.report import Report
from rtvfi.playing.wanted import Wanted
from rtvfi.stream.plan.ladder import Quality, Standing
from rtvfi.stream.plan.planner import PlanOptions
from rtvfi.stream.run.parts import Statistics

MEASURED: dict[str, Any] = {
    "counts": Counter({Kind.COPY: 50, Kind.SYNTHETIC: 40, Kind.CHEAP: 10}),
    "is_interpolating": True,
    "is_behind": False,
    "margin": 0.876,
    "cost": 0.01234,
    "num_ready": 7,
    "plan": PlanOptions(passes=2),
    "standing": Standing(),
    "decoder": "software h264",
}


def shown(
    drops: int = 0, load: str = "", model: str = "cel", device: str = "cuda:0", **changes: Any
) -> str:
    statistics = Statistics(**(MEASURED | changes))
    viewing: Any = SimpleNamespace(
        pipeline=SimpleNamespace(statistics=lambda: statistics),
        info=stream_info(1920, 1080, source_rate=Fraction(24000, 1001)),
        target_rate=Fraction(48000, 1001),
    )
    wanted = Wanted(model, "2x", "smooth")
    return "\n".join(osd.lines(viewing, wanted, device, Report(drops=drops), load))


def test_rates_model_and_decoder_are_named() -> None:
    text = shown()
    assert "23.976 fps > 47.952 fps" in text
    assert "cel on cuda:0\n" in text
    assert "software h264, 1920x1080 yuv420p" in text


def test_shares_and_figures_are_told() -> None:
    text = shown(drops=3)
    assert "12.3 ms a frame, margin 0.88 s, ready 7" in text
    assert (
        "frames  100 made: 40% interpolated, 50% as in the film, 10% filled in for lack of time\n"
        in text
    )
    assert "mpv     dropped 3" in text


def test_style_and_passes_are_told() -> None:
    assert "style   smooth, 2 passes\n" in shown()
    assert "style   smooth\n" in shown(plan=PlanOptions())
    assert "style   smooth, 3 frames, 1 pass\n" in shown(plan=PlanOptions(passes=1, num_frames=3))


def test_a_better_model_is_told_with_the_way_to_it() -> None:
    assert osd.advice("rife-4.25") == ["better  rife-4.25: rtvfi weights get rife-4.25"]
    assert osd.advice(None) == []


def test_what_was_given_up_is_told() -> None:
    steps = (Quality(passes=2), Quality(passes=1), Quality(passes=0, is_sparse=True))
    assert "quality" not in shown()
    assert "quality full\n" in shown(standing=Standing(0, steps))
    text = shown(standing=Standing(2, steps))
    assert "quality 2 of 2 steps down, because the machine is too slow\n" in text
    assert "now     no passes instead of 2, nothing between every second pair of frames\n" in text


def test_a_model_that_is_not_there_yet_is_loading() -> None:
    assert "cel on cuda:0 (loading)" in shown(is_interpolating=False)
    assert "model   cel (loading)\n" in shown(is_interpolating=False, device="")


def test_source_frames_only_need_no_device_and_no_loading() -> None:
    assert "model   copy\n" in shown(is_interpolating=False, model="copy")


def test_a_model_that_is_too_slow_is_called_so() -> None:
    assert "(too slow: source frames fill in)" in shown(is_behind=True)


def test_before_the_first_frame_nothing_is_claimed() -> None:
    text = shown(counts=Counter(), margin=None, cost=None, num_ready=0, is_interpolating=False)
    assert "cost    - a frame, margin -, ready 0" in text
    assert "0 made: 0% interpolated, 0% as in the film, 0% filled in" in text


def test_a_long_first_call_is_told() -> None:
    assert osd.warm_up(12.4) == ", first picture after 12 s"
    assert osd.warm_up(0.3) == ""


def test_the_scale_that_the_machine_holds_is_told() -> None:
    assert osd.scale(0.25) == ", scale 0.25"
    assert osd.scale(None) == ""


def test_what_the_gpu_is_doing_has_a_line_of_its_own() -> None:
    assert "gpu     87 % busy, 1187 of 2400 MHz\n" in shown(load="87 % busy, 1187 of 2400 MHz")
    assert "gpu  " not in shown()
