"""What a live key makes of the choice before it."""

from __future__ import annotations

import pytest

from rtvfi.core.errors import UsageError, WeightsMissing
from rtvfi.core.options import StreamOptions, Style
from rtvfi.models.catalogue import MODELS
from rtvfi.playing import wanted
from rtvfi.playing.wanted import Wanted

TWO = Wanted("cel", "2x", "smooth")
THREE = Wanted("drba", "2x", "rhythm")


def cycle(start: Wanted, presses: int) -> list[str]:
    shown: list[str] = []
    for _ in range(presses):
        start = start.with_style("")
        shown.append(start.live_style)
    return shown


def test_styles_go_round() -> None:
    assert cycle(TWO, 4) == ["plain", "off", "smooth", "plain"]
    assert cycle(THREE, 4) == ["plain", "off", "smooth", "rhythm"]


def test_off_keeps_the_style_for_later() -> None:
    off = TWO.with_style("off")
    assert (off.is_on, off.style, off.live_style) == (False, "smooth", "off")


def test_a_style_by_name_switches_on() -> None:
    on = TWO.with_style("off").with_style("plain")
    assert (on.is_on, on.live_style) == (True, "plain")


def test_rhythm_is_plain_with_a_model_of_two_frames() -> None:
    assert Wanted("cel", "2x", "rhythm").live_style == "plain"
    assert THREE.live_style == "rhythm"


@pytest.mark.parametrize(
    ("name", "message"), [("rhythm", "looks at three frames"), ("smoth", 'no style "smoth"')]
)
def test_a_style_that_cannot_be_had_says_why(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TWO.with_style(name)


@pytest.mark.parametrize(("style", "live"), [("off", "off"), ("smooth", "smooth")])
def test_the_start_is_as_asked_for(style: Style, live: str) -> None:
    assert Wanted.of("cel", "2x", StreamOptions(style=style)).live_style == live


def test_from_off_the_first_style_is_plain() -> None:
    assert Wanted.of("cel", "2x", StreamOptions(style="off")).style == "plain"


def test_the_retiming_is_that_of_the_style() -> None:
    retiming = TWO.retiming(3)
    assert (retiming.style, retiming.passes) == ("smooth", 3)


def test_models_go_round_among_installed_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"cel", "linear", "rife-4.6", "drba"}
    monkeypatch.setattr(wanted, "is_available", lambda info: info.id in here)
    names, now = [], TWO
    for _ in range(3):
        now = now.with_model("")
        names.append(now.model)
    assert set(names) == {"rife-4.6", "drba", "cel"}
    assert names[-1] == "cel"
    assert now.with_model("linear").model == "linear"
    with pytest.raises(WeightsMissing, match="is not installed"):
        now.with_model("gmfss" if "gmfss" in MODELS else "rife-4.0")


def test_rates_go_round() -> None:
    assert TWO.with_rate("").rate == "60"
    assert Wanted("cel", "display").with_rate("").rate == "2x"
    assert Wanted("cel", "59.94").with_rate("").rate == "2x"
    assert TWO.with_rate("48").rate == "48"
    with pytest.raises(UsageError):
        TWO.with_rate("fast")
