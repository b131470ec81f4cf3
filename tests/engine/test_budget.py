"""What fits into a GPU's memory, with a device that only tells numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fakes import raising, stream_info
from hypothesis import given
from hypothesis import strategies as st
from overlapping import network

from rtvfi.core.errors import OutOfMemory
from rtvfi.core.hardware import machine
from rtvfi.core.options import StreamOptions
from rtvfi.engine import budget as room
from rtvfi.engine.budget import (
    LEAST,
    Budget,
    Fit,
    Footprint,
    budget_bytes,
    budget_of,
    fitted,
    footprint,
)
from rtvfi.engine.model_host import ModelHost
from rtvfi.engine.trusted import Compute
from rtvfi.models.linear.blend import Linear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GPU = torch.device("cuda")
GB = 1 << 30
FULL_HD = 1920 * 1080
MODEL = Footprint(fixed=100 << 20, pixel=400, more=150, prepared=40)


def test_a_card_leaves_a_share_to_the_desktop() -> None:
    assert budget_bytes(10 * GB, is_shared=False, available=1 * GB) == int(8.5 * GB)


def test_shared_memory_is_counted_by_what_the_machine_has_left() -> None:
    # the driver of a processor's graphics tells memory that the system needs
    assert budget_bytes(28 * GB, is_shared=True, available=6 * GB) == 3 * GB
    assert budget_bytes(2 * GB, is_shared=True, available=20 * GB) == 1 * GB


def test_much_memory_takes_all_that_is_asked() -> None:
    fit = fitted(MODEL, 12 * GB, FULL_HD, 4)
    assert fit is not None
    assert fit.num_new == 4
    assert fit.num_prepared > 50


def test_less_memory_makes_fewer_pictures_a_call_before_it_keeps_less() -> None:
    fits = [fitted(MODEL, size << 20, FULL_HD, 4) for size in (2500, 2200, 1900, 1300, 1200)]
    assert [fit and fit.num_new for fit in fits] == [4, 3, 2, 1, 1]
    kept = [fit.num_prepared for fit in fits if fit]
    assert min(kept[:3]) >= 7
    assert kept[-1] < 7


def test_where_nothing_fits_it_is_said_before_anything_is_taken() -> None:
    assert fitted(MODEL, 900 << 20, FULL_HD, 4) is None


@given(
    st.integers(0, 16 * GB),
    st.integers(1, 8192 * 8192),
    st.integers(1, 8),
    st.floats(0, 5000),
    st.floats(0, 500),
)
def test_what_fits_is_within_the_budget(
    budget: int, pixels: int, most_new: int, pixel: float, prepared: float
) -> None:
    model = Footprint(fixed=1 << 20, pixel=pixel, more=pixel / 3, prepared=prepared)
    fit = fitted(model, budget, pixels, most_new)
    if fit is None:
        assert model.fixed + pixels * pixel > budget / 1.16
        return
    assert 1 <= fit.num_new <= most_new
    taken = model.fixed + pixels * (pixel + (fit.num_new - 1) * model.more)
    taken += (min(fit.num_prepared, 1000) - LEAST.num_prepared) * pixels * prepared
    assert taken <= budget


def test_a_footprint_comes_from_small_pictures() -> None:
    def peak(side: int, num_new: int) -> tuple[int, int]:
        return 5000 + side * side * (300 + 100 * (num_new - 1)), side * side * 20

    assert footprint(peak) == Footprint(5000, 300, 100, 20)


# --- a device --------------------------------------------------------------------------------


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A GPU that only tells numbers; may be changed."""
    budget_of.cache_clear()
    told = SimpleNamespace(free=8 * GB, total=16 * GB, is_integrated=0, fractions=[])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (told.free, told.total))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: told)
    monkeypatch.setattr(
        torch.cuda,
        "set_per_process_memory_fraction",
        lambda fraction, _device: told.fractions.append(fraction),
    )
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(machine, "memory_bytes", lambda: (32 * GB, 6 * GB))
    yield told
    budget_of.cache_clear()


def test_the_allocator_is_told_the_bound(card: SimpleNamespace) -> None:
    budget = Budget(GPU)
    assert budget.bytes == int(8 * GB * 0.85)
    assert card.fractions == [budget.bytes / (16 * GB)]
    assert not budget.is_shared


@pytest.mark.parametrize(
    ("arch", "is_integrated", "is_shared"),
    [
        ("gfx1103:sramecc-:xnack-", 0, True),
        ("gfx1100", 0, False),
        ("gfx1300", 0, False),
        ("", 1, True),
    ],
)
def test_the_chip_tells_whose_memory_it_is(
    card: SimpleNamespace, arch: str, is_integrated: int, is_shared: bool
) -> None:
    card.gcnArchName, card.is_integrated = arch, is_integrated
    assert Budget(GPU).is_shared == is_shared


def test_graphics_of_a_processor_are_told_apart(card: SimpleNamespace) -> None:
    card.is_integrated = 1
    assert Budget(GPU).bytes == 3 * GB
    assert Budget(GPU).is_shared


def peaks(monkeypatch: pytest.MonkeyPatch, per_pixel: int) -> None:
    def peak(_model: object, _device: object, _dtype: object, what: tuple[int, int]) -> Any:
        side, num_new = what
        return side * side * (per_pixel + per_pixel // 2 * (num_new - 1)), side * side * 10

    monkeypatch.setattr(room, "_peak", peak)


@pytest.mark.parametrize("name", ["linear", "cel", "rife-4.25.lite", "distil-drba-v1"])
@pytest.mark.parametrize("num_new", [1, 2])
def test_models_of_every_kind_can_be_measured(
    monkeypatch: pytest.MonkeyPatch, name: str, num_new: int
) -> None:
    held = iter([100, 400, 1000])
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: next(held))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: 5100)
    model = network(name)
    with torch.inference_mode():
        peak, prepared = room._peak(model, torch.device("cpu"), torch.float32, (64, num_new))
    assert peak == 5000
    assert prepared == 600 // model.info.num_frames


def test_a_model_that_cannot_be_measured_gets_what_it_asks_for(
    card: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_peak", raising(RuntimeError("no such size")))
    fit = Budget(GPU).fit(Linear(), torch.float16, FULL_HD, 4)
    assert fit is not None
    assert fit.num_new == 4
    assert card.fractions


@pytest.fixture
def fit_of(card: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fit | None]:
    """What a host lets a model of so many bytes a pixel do."""

    def fit(per_pixel: int, *, is_live: bool) -> Fit | None:
        assert card.total
        peaks(monkeypatch, per_pixel)
        host = ModelHost("auto", StreamOptions(), is_live=is_live)
        return host._fit(Linear(), Compute(GPU, torch.float16), stream_info(1920, 1080), 4)

    return fit


def test_playing_refuses_what_would_not_fit_and_rendering_tries(
    fit_of: Callable[..., Fit | None],
) -> None:
    fit = fit_of(1000, is_live=True)
    assert fit is not None
    assert fit.num_new == 4
    assert fit_of(5000, is_live=False) == LEAST
    with pytest.raises(OutOfMemory, match=r"linear needs more memory for 1920x1080 than the 7\.3"):
        fit_of(5000, is_live=True)


def test_the_bound_is_that_of_the_start(card: SimpleNamespace) -> None:
    first = budget_of(GPU)
    card.free = GB  # the rest is ours
    assert budget_of(GPU) is first
    assert card.fractions == [first.bytes / (16 * GB)]


def test_a_processor_has_no_such_bound() -> None:
    host = ModelHost("cpu", StreamOptions())
    cpu = Compute(torch.device("cpu"), torch.float32)
    assert host._fit(Linear(), cpu, stream_info(), 4) is None


def test_the_executor_keeps_to_it(make_viewed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelHost, "_fit", lambda *_: Fit(2, 5))
    executor = ModelHost("cpu", StreamOptions()).executor("linear", make_viewed().viewing)
    assert (executor.most_new, executor.most_prepared) == (2, 5)
