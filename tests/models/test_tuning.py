from __future__ import annotations

import pytest
import torch

from rtvfi.models import tuning
from rtvfi.models.tuning import Tuning, network_dtype, tune

CPU = torch.device("cpu")


def test_a_cpu_is_tuned_by_what_was_measured() -> None:
    assert tune(CPU, torch.float32) == Tuning(
        device=CPU, dtype=torch.float32, channels_last=True, conv_tail=False
    )


@pytest.mark.parametrize(("hip", "layouts"), [(None, {False, True}), ("6.3", {False})])
def test_a_gpu_is_tuned_by_timing_and_rocm_never_tries_channels_last(
    hip: str | None, layouts: set[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Tuning] = []

    def timed(form: Tuning) -> float:
        tried.append(form)
        return 1.0 if form.conv_tail else 2.0

    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(tuning, "_probe", timed)
    chosen = tune.__wrapped__(torch.device("cuda"), torch.float16)
    assert {form.channels_last for form in tried} == layouts
    assert chosen.conv_tail


@pytest.mark.parametrize(
    ("device", "asked", "has_bfloat16", "chosen"),
    [
        ("cpu", torch.float32, True, torch.bfloat16),
        ("cpu", torch.float32, False, torch.float32),
        ("cpu", torch.float16, True, torch.float16),
        ("cuda", torch.float32, True, torch.float32),
    ],
)
def test_only_a_processor_that_has_bfloat16_computes_in_it(
    device: str,
    asked: torch.dtype,
    has_bfloat16: bool,
    chosen: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16, raising=False)
    assert network_dtype(torch.device(device), asked) == chosen


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("conv_tail", [False, True])
def test_every_form_can_be_timed(channels_last: bool, conv_tail: bool) -> None:
    form = Tuning(device=CPU, dtype=torch.float32, channels_last=channels_last, conv_tail=conv_tail)
    assert tuning._probe(form, 16, 16) > 0


def test_parameters_are_copies_in_the_layout_asked_for() -> None:
    form = Tuning(device=CPU, dtype=torch.float32, channels_last=True)
    parameter = torch.rand(4, 3, 3, 3)
    placed = form.place(parameter)
    assert placed.is_contiguous(memory_format=torch.channels_last)
    assert placed.data_ptr() != parameter.data_ptr()
    assert form.place(parameter, plain_layout=True).is_contiguous()


def test_a_residual_is_folded_in_single_precision_only() -> None:
    assert Tuning(device=CPU, dtype=torch.float32).folds_residual
    assert not Tuning(device=CPU, dtype=torch.float16).folds_residual
