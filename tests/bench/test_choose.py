from __future__ import annotations

import pytest

from rtvfi.bench.choose import HOLDS, choose
from rtvfi.bench.jobs import FILM_RATE, Job, Measured, Size
from rtvfi.settings.keys import SETTINGS, checked, scales_by_size
from rtvfi.settings.profile import KEYS

SD, HD, UHD = Size(854, 480), Size(1920, 1080), Size(3840, 2160)


def row(size: Size, scale: float, *shares: float, model: str = "cel") -> Measured:
    """With these shares of real time at 48, 60 and 120 a second."""
    ms = {n: share * 1000 / FILM_RATE for n, share in zip((1, 2, 4), shares, strict=False)}
    return Measured(job=Job("model", size, model, scale), ms=ms)


def settings(*rows: Measured, models: tuple[str, ...] = ("cel",)) -> dict[str, object]:
    choice = choose(rows, models, "auto")
    assert choice is not None
    for key, value in choice.settings.items():
        assert checked(SETTINGS[key], value, key) == value
    assert tuple(choice.settings) == KEYS
    return {**choice.settings, "size": choice.size, "is_held": choice.is_held}


def test_a_fast_machine_gets_everything() -> None:
    got = settings(row(SD, 1.0, 0.01, 0.02, 0.03), row(HD, 1.0, 0.05, 0.08, 0.15))
    assert (got["style"], got["fps"], got["size"], got["is_held"]) == (
        "smooth",
        "display",
        HD,
        True,
    )


def test_a_slow_machine_gets_what_it_holds() -> None:
    got = settings(
        row(SD, 0.25, 0.4, 0.6, 1.1),
        row(SD, 0.5, 0.7, 0.9),
        row(SD, 1.0, 1.2),
        row(HD, 0.25, 1.9),
    )
    assert got == {
        "model": "cel",
        "device": "auto",
        "style": "plain",
        "fps": "2x",
        "flow_scale": "854x480:0.5,0.25",
        "compile": "auto",
        "size": SD,
        "is_held": True,
    }


def test_a_rate_between_is_taken() -> None:
    got = settings(row(HD, 1.0, 0.3, HOLDS, 0.95))
    assert (got["fps"], got["style"]) == ("60", "plain")


def test_where_nothing_holds_it_says_so() -> None:
    got = settings(row(SD, 0.25, 1.5), row(SD, 0.5, 2.0), row(HD, 0.25, 8.0))
    assert (got["is_held"], got["flow_scale"], got["fps"]) == (False, 0.25, "2x")
    assert got["size"] == SD


def test_nothing_measured_gives_nothing() -> None:
    assert choose([], ["cel"], "auto") is None
    assert choose([Measured(job=Job("model", SD, "cel"))], ["cel"], "auto") is None


@pytest.mark.parametrize(("share", "model"), [(0.5, "rife-4.25"), (3.0, "cel")])
def test_the_most_wanted_model_that_holds_is_taken(share: float, model: str) -> None:
    rows = (row(SD, 1.0, 0.1), row(SD, 1.0, share, model="rife-4.25"))
    assert settings(*rows, models=("rife-4.25", "cel"))["model"] == model


def test_larger_pictures_never_get_a_larger_scale() -> None:
    got = settings(row(SD, 0.5, 0.7), row(SD, 1.0, 0.9), row(HD, 0.5, 0.6), row(HD, 1.0, 0.79))
    steps = scales_by_size(str(got["flow_scale"]))
    assert [scale for _, scale in steps] == [0.5, 0.25]


def test_pictures_beyond_those_measured_get_half_the_scale() -> None:
    assert settings(row(HD, 1.0, 0.1))["flow_scale"] == "1920x1080:1,0.5"
    assert settings(row(HD, 1.0, 0.1), row(UHD, 1.0, 0.4))["flow_scale"] == 1.0
    assert settings(row(UHD, 0.25, 0.4))["flow_scale"] == 0.25
