"""The rate ``auto``: the display's where the machine holds it, else twice the film's."""

from __future__ import annotations

from fractions import Fraction

import pytest
from fakes import stream_info

from rtvfi.core.options import StreamOptions
from rtvfi.core.rates import RateChoice, parse_rate, resolve
from rtvfi.engine import look
from rtvfi.engine.look import Cost, fitting_rate, share

INFO = stream_info(1000, 1000)
AUTO = parse_rate("auto")


def measured(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A machine that takes so long for motion, and for each picture of a megapixel."""
    monkeypatch.setattr(look, "_cost", lambda *_: Cost(seconds / 1e6, seconds / 1e6))


def rate(choice: RateChoice = AUTO, model: str = "dis", display: float | None = 60.0) -> Fraction:
    return fitting_rate(choice, INFO, display, model, StreamOptions())


def test_a_machine_that_holds_it_fills_the_display(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 0.001)
    assert rate() == 60
    assert rate(display=None) == 60
    assert rate(display=144.0) == 144


def test_a_slow_machine_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    measured(monkeypatch, 0.02)
    assert rate() == 48


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
    assert share(cost, stream_info(1000, 1000, format="yuv444p"), Fraction(48)) == pytest.approx(
        2 * 24 * (0.001 + 0.01)
    )


def test_the_look_itself_finds_a_time() -> None:
    cost = look._cost(0.25, 1)
    assert 0 < cost.motion < 1e-3
    assert 0 < cost.picture < 1e-3
