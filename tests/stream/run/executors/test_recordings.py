"""Graphs from codes to codes, and all of it on a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from fakes import stream_info
from made_weights import random_state
from on_device import recorded
from overlapping import (
    CPU,
    CUDA,
    INFO,
    WORK,
    film,
    network,
    overlapped,
    shown,
)

from rtvfi.models.catalogue import MODELS
from rtvfi.models.fast import Capture, Replayed
from rtvfi.models.load import build_model, load_model
from rtvfi.models.weights.store import manifest, weight_name
from rtvfi.stream.run.executors import graphs, interpolate
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.lanes import CudaLanes
from rtvfi.stream.run.executors.overlapped import Overlapped

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Payload = NDArray[np.uint8]

# --- recordings -------------------------------------------------------------------------------


@pytest.fixture
def graphed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Overlapped]:
    """A warm executor of a model whose graphs were taken."""

    def make(name: str, capture: Callable[..., Capture] = recorded) -> Overlapped:
        model = network(name)
        monkeypatch.setattr(
            graphs, "capturing", lambda _, w: lambda c, i: Replayed(c, i, capture, w)
        )
        with_core = (
            model.with_runner(lambda core, *given: core(*given))
            if hasattr(model, "with_runner")
            else model
        )
        monkeypatch.setattr(interpolate, "fastest", lambda *_: with_core)
        executor = overlapped(model)
        executor.warm_up("graph", 2)
        return executor

    return make


@pytest.mark.parametrize("name", ["rife-4.25.lite", "cel"])
def test_recordings_from_codes_to_codes_give_the_same_codes(
    name: str, graphed: Callable[..., Overlapped]
) -> None:
    executor = graphed(name)
    assert executor._recorded is not None
    assert executor.model is network(name)
    # Calls for three pictures and passes were not recorded: they run as they are.
    wanted = shown(Interpolation(network(name), INFO, CPU, torch.float32))
    assert shown(executor) == wanted
    assert [form.num_kinds for form in executor._recorded._forms] == [1, 1, 2]


@pytest.mark.parametrize("name", ["linear", "drba", "rife-4.0"])
def test_models_that_are_no_core_keep_what_they_have(
    name: str, graphed: Callable[..., Overlapped]
) -> None:
    assert graphed(name)._recorded is None


def test_recordings_with_other_codes_are_refused(graphed: Callable[..., Overlapped]) -> None:
    def stale(core: Callable[..., Any], inputs: tuple[Any, ...]) -> Capture:
        return Capture(core(*(_zeros(i) for i in inputs)), lambda: None)

    with pytest.raises(RuntimeError, match="a different result"):
        graphed("rife-4.25.lite", stale)


def _zeros(tree: Any) -> Any:
    if isinstance(tree, torch.Tensor):
        return torch.zeros_like(tree)
    if isinstance(tree, tuple):
        parts = [_zeros(part) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return tree


# --- on a device ------------------------------------------------------------------------------


def on_gpu(name: str, overlaps: bool) -> Any:
    info = stream_info(320, 180)
    if name in ("linear", "cel"):
        model: Any = load_model(name, CUDA, torch.float16, 1.0)
    else:
        state = random_state(manifest()[weight_name(MODELS[name]) or ""].network)
        model = build_model(MODELS[name], state, CUDA, torch.float16)
    if overlaps:
        return Overlapped(model, info, CUDA, torch.float16, CudaLanes(CUDA))
    return Interpolation(model, info, CUDA, torch.float16)


@pytest.mark.gpu
@pytest.mark.parametrize("form", ["eager", "graph"])
@pytest.mark.parametrize("name", ["linear", "rife-4.25.lite", "cel", "drba"])
def test_a_gpu_makes_the_same_pictures_both_ways(name: str, form: Any) -> None:
    info = stream_info(320, 180)
    plain, beside = on_gpu(name, overlaps=False), on_gpu(name, overlaps=True)
    beside.warm_up(form, 2)
    wanted = shown(plain, info)
    for _ in range(20):
        assert shown(beside, info) == wanted
        beside.reset()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["linear", "rife-4.25.lite", "cel"])
def test_giving_work_to_a_gpu_waits_for_nothing(name: str) -> None:
    executor, pictures = on_gpu(name, overlaps=True), film(stream_info(320, 180))
    executor.run(WORK[0], pictures)
    executor.reset()
    torch.cuda.set_sync_debug_mode("error")
    try:
        pending = executor.launch(WORK[0], pictures)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(pending.finish()) == 2


@pytest.mark.gpu
def test_a_gpu_tells_when_it_has_done_what() -> None:
    executor, pictures = on_gpu("rife-4.25.lite", overlaps=True), film(stream_info(320, 180))
    executor.run(WORK[0], pictures)
    executor.take_times()
    pending = executor.launch(WORK[2], pictures)
    pending.finish()
    times = executor.take_times()
    assert min(times.convert, times.model, times.download) > 0
    assert 0 < pending.busy <= times.convert + times.model + times.download
