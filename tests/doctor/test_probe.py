from __future__ import annotations

import pytest

from rtvfi.doctor import probe

GOOD = {
    "convolution fp32": 5.0,
    "convolution fp32 channels_last": 4.0,
    "convolution fp16": 2.6,
    "convolution fp16 channels_last": 2.0,
    "product fp32": 4.0,
    "product fp16": 2.0,
    "lookup fp32": 1.2,
    "lookup fp32 channels_last": 1.1,
    "doubling fp32": 0.3,
}


def warnings(used: str, **changes: float) -> list[str]:
    ms = GOOD | {name.replace("_", " ").replace("X", "_"): t for name, t in changes.items()}
    return [f.text for f in probe.judge(ms, used) if f.level == "warn"]


@pytest.mark.parametrize("factor", [0.01, 1.0, 1000.0])
def test_a_slow_machine_is_not_a_bad_one(factor: float) -> None:
    ms = {name: t * factor for name, t in GOOD.items()}
    assert [f.level for f in probe.judge(ms, "fp16")] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"convolution_fp16": 190.0, "convolution_fp16_channelsXlast": 180.0}, "naive kernels"),
        ({"convolution_fp16": 9.0}, "half precision (fp16) is 1.8 times slower"),
        ({"convolution_fp16_channelsXlast": 11.0}, "channels-last memory makes"),
        ({"lookup_fp32": 60.0}, "lookups"),
    ],
)
def test_what_is_slow_against_its_neighbour_is_said(changes: dict[str, float], said: str) -> None:
    assert any(said in text for text in warnings("fp16", **changes))


def test_formats_that_playing_does_not_use_may_be_slow() -> None:
    assert warnings("fp32", convolution_fp16=900.0) == []


def test_figures_go_to_programs() -> None:
    first, *_ = probe.judge(GOOD, "fp32")
    assert first.figures["convolution fp32"] == 5.0
    assert "fp32 5 ms (4 channels-last)" in first.text


def test_formats_that_torch_refuses_are_left_out() -> None:
    ms = {name: t for name, t in GOOD.items() if "fp16" not in name}
    assert all("fp16" not in f.text for f in probe.judge(ms, "fp32"))
