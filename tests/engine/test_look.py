"""What is left to the machine: how many pictures, and how finely motion is found."""

from __future__ import annotations

from fractions import Fraction

import pytest
from fakes import stream_info

from rtvfi.core.options import StreamOptions
from rtvfi.core.rates import RateChoice, parse_rate, resolve
from rtvfi.engine import look
from rtvfi.engine.look import Cost, fitting_rate, fitting_scale, share

INFO = stream_info(1000, 1000)
AUTO = parse_rate("auto")


PLAIN = StreamOptions(style="plain")


def measured(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A machine that takes so long for motion, and for each picture of a megapixel, at scale 1, and
    as much less at smaller ones as they are smaller."""

    def cost(scale: float, _: int) -> Cost:
        return Cost(scale * seconds / 1e6, scale * seconds / 1e6)

    monkeypatch.setattr(look, "_cost", cost)


def rate(
    choice: RateChoice = AUTO,
    model: str = "dis",
    display: float | None = 60.0,
    options: StreamOptions = PLAIN,
) -> Fraction:
    return fitting_rate(choice, INFO, display, model, options)


def scale(options: StreamOptions = PLAIN, target: int = 60) -> float:
    return fitting_scale(INFO, Fraction(target), options)


def test_a_machine_that_holds_it_fills_the_display(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 0.001)
    assert rate() == 60
    assert rate(display=None) == 60
    assert rate(display=144.0) == 144


def test_a_slow_machine_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 0.05)
    assert rate() == 48


# 24 to 60 is 24 times motion and 48 pictures: at scale 1, 72 times the seconds measured.


@pytest.mark.parametrize(
    ("seconds", "best"), [(0.008, 1.0), (0.009, 0.5), (0.017, 0.25), (0.2, 0.25)]
)
def test_motion_is_found_as_finely_as_is_held(
    monkeypatch: pytest.MonkeyPatch, seconds: float, best: float
) -> None:
    measured(monkeypatch, seconds)
    assert scale() == best


def test_evening_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 0.008)
    assert scale(StreamOptions(style="smooth")) == 0.5
    assert scale(StreamOptions(style="smooth", passes=0)) == 1.0
    assert scale(StreamOptions(style="smooth", passes=3)) == 0.25
    measured(monkeypatch, 0.03)
    assert rate() == 60
    assert rate(options=StreamOptions(style="smooth")) == 48


def test_a_flow_scale_that_was_asked_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 0.001)
    assert scale(StreamOptions(flow_scale=0.25)) == 0.25
    assert scale(StreamOptions(flow_scales=((1e9, 0.5),))) == 0.5
    measured(monkeypatch, 0.03)
    assert rate(options=StreamOptions(style="plain", flow_scale=1.0)) == 48


def test_what_was_asked_for_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 9.0)
    assert rate(parse_rate("display")) == 60
    assert rate(parse_rate("3x")) == 72


def test_a_network_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 0.0)
    assert rate(model="cel") == 48


def test_without_anybody_to_look_auto_doubles() -> None:
    assert resolve(AUTO, Fraction(24), Fraction(144)) == 48


def test_work_is_motion_once_and_pictures_that_fall_between() -> None:
    # 24 to 60: two of five outputs fall on no frame twice, one of five is one
    cost = Cost(motion=1e-9, picture=1e-8)
    assert share(cost, INFO, Fraction(60)) == pytest.approx(24 * (0.001 + 2 * 0.01))
    assert share(cost, INFO, Fraction(60), passes=1) == pytest.approx(24 * (0.002 + 3 * 0.01))
    assert share(cost, stream_info(1000, 1000, format="yuv444p"), Fraction(48)) == pytest.approx(
        2 * 24 * (0.001 + 0.01)
    )


def test_the_look_itself_finds_a_time() -> None:
    cost = look._cost(0.25, 1)
    assert 0 < cost.motion < 1e-3
    assert 0 < cost.picture < 1e-3
