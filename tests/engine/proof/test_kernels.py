"""What the self-test lets pass, and what not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import device_faults
import pytest
import torch
from fakes import raising

from rtvfi.engine.proof.kernels import Kernel, kernels, tried

if TYPE_CHECKING:
    from collections.abc import Callable

CPU = torch.device("cpu")
DTYPES = (torch.float16, torch.float32)


def as_it_is(_name: str, _dtype: str, out: Any) -> Any:
    return out


def first(part: str, dtype: torch.dtype) -> Kernel:
    return next(k for k in kernels(dtype, device_faults.SHARE) if part in k.name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_processor_passes(dtype: torch.dtype) -> None:
    found = [tried(kernel, CPU, dtype, as_it_is) for kernel in kernels(dtype, device_faults.SHARE)]
    assert len(found) > 20
    assert {one.wrong for one in found} == {""}
    assert all(one.is_repeatable for one in found)


def test_every_kind_of_work_of_the_networks_is_tried() -> None:
    names = " ".join(kernel.name for kernel in kernels(torch.float32, device_faults.SHARE))
    for kind in ("3x3", "steps of 2", "transposed", "grid_sample", "pixel shuffle"):
        assert kind in names


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (device_faults.off, "is off by 0.01"),
        (lambda _n, _d, out: out * 1.1, "is off by"),
        (lambda _n, _d, out: out.masked_fill(out > 0.5, float("nan")), "NaN or infinity"),
        (lambda _n, _d, out: out * float("inf"), "NaN or infinity"),
        (lambda _n, _d, out: out[..., 1:], "another size"),
        (lambda _n, _d, out: torch.zeros_like(out), "is off by"),
        (lambda _n, _d, out: out.roll(1, -1), "is off by"),
    ],
)
def test_wrong_pictures_are_seen(dtype: torch.dtype, fault: Callable[..., Any], words: str) -> None:
    kernel = first("3x3", dtype)
    found = tried(kernel, CPU, dtype, fault)
    assert words in found.wrong
    assert found.wrong.startswith(kernel.name)


def test_wrong_now_and_then_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_faults, "_runs", [0])
    kernel = first("3x3", torch.float32)
    found = tried(kernel, CPU, torch.float32, device_faults.wrong_in_the_fifth_run)
    assert found.wrong.endswith("in run 5")


def test_other_last_bits_are_noted_and_pass() -> None:
    runs = iter(range(5))

    def jitter(_name: str, _dtype: str, out: Any) -> Any:
        return out + 1e-6 * next(runs)

    found = tried(first("3x3", torch.float32), CPU, torch.float32, jitter)
    assert found.wrong == ""
    assert not found.is_repeatable


def test_a_refusal_of_the_device_is_its_own() -> None:
    with pytest.raises(RuntimeError, match="miopen"):
        tried(
            first("3x3", torch.float32),
            CPU,
            torch.float32,
            raising(RuntimeError("miopenStatusUnknownError")),
        )


def test_rounding_of_half_precision_is_far_from_the_bound() -> None:
    rough = partial(_rounded, bits=8)  # four times as rough as float16
    for kernel in kernels(torch.float16, device_faults.SHARE):
        assert tried(kernel, CPU, torch.float16, rough).wrong == ""


def _rounded(_name: str, _dtype: str, out: Any, bits: int) -> Any:
    return (out.float() * (1 << bits)).round() / (1 << bits)
