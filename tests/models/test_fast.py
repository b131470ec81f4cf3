from __future__ import annotations

import logging
import shutil
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
from fakes import raising
from made_weights import random_state
from on_device import recorded, watched
from recording import Fade, pictures, shown, use

from rtvfi.core.errors import ModelError
from rtvfi.models import fast, warp
from rtvfi.models.base import HasCore, directly
from rtvfi.models.catalogue import MODELS
from rtvfi.models.cel.network import Cel, CelNet
from rtvfi.models.fast import Capture, fastest
from rtvfi.models.linear.blend import Linear
from rtvfi.models.load import build_model
from rtvfi.models.weights.store import manifest, weight_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtvfi.core.options import Form

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
NAMES = ["cel", "rife-4.6", "rife-4.25.lite", "drba", "distil-drba-v1", "distil-drba-v2-lite"]


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield
    fast._say.cache_clear()


@lru_cache
def model(name: str) -> Any:
    if name == "cel":
        torch.manual_seed(3)
        return Cel(CelNet().eval())
    network = manifest()[weight_name(MODELS[name]) or ""].network
    return build_model(MODELS[name], random_state(network), CPU, torch.float32)


# --- what is chosen --------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["auto", "eager"])
def test_on_a_cpu_nothing_is_tried_unless_it_is_asked_for(form: Form) -> None:
    net = model("rife-4.25.lite")
    assert fastest(net, lambda: pytest.fail("pictures were made"), CPU, form) is net


def test_a_model_without_weights_has_one_form() -> None:
    net = Linear()
    assert fastest(net, lambda: pytest.fail("pictures were made"), CPU, "graph") is net


def test_a_form_asked_for_by_name_does_not_fall_back() -> None:
    name = "rife-4.25.lite"
    with pytest.raises(
        ModelError, match=r'"rife-4.25.lite" .* "graph": graphs are for CUDA'
    ) as told:
        fastest(model(name), lambda: pictures(name), CPU, "graph")
    assert told.value.hint == "use --compile eager"


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Chooses as on a GPU, with recordings made by ``recorded``; returns what was chosen."""

    def choose(times: tuple[float, float], free: float = 0.5, capture: Any = recorded) -> Any:
        scripted = iter(times)
        monkeypatch.setattr(fast, "_seconds", lambda *_: next(scripted))
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 1.0))
        use(monkeypatch, capture)
        name = "rife-4.25.lite"
        return fastest(model(name), lambda: pictures(name), CUDA)

    return choose


def test_a_faster_graph_is_chosen_and_said(
    on_gpu: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert on_gpu((0.010, 0.006)) is not model("rife-4.25.lite")
    assert "6.0 ms as a graph, 10.0 ms eager" in caplog.text


def test_a_graph_that_gains_nothing_is_not_chosen(on_gpu: Callable[..., Any]) -> None:
    assert on_gpu((0.010, 0.010)) is model("rife-4.25.lite")


def test_for_long_calls_no_graph_is_made(on_gpu: Callable[..., Any]) -> None:
    refused = pytest.fail
    assert on_gpu((0.3, 0.1), capture=refused) is model("rife-4.25.lite")


def test_a_graph_leaves_memory_for_everything_else(
    on_gpu: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert on_gpu((0.010, 0.006), free=0.1) is model("rife-4.25.lite")
    assert "too little free memory" in caplog.text


def test_a_refused_graph_is_said_once_and_nothing_changes(
    on_gpu: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(2):
        assert on_gpu(
            (0.010, 0.006),
            capture=raising(RuntimeError("CUDA error: operation not permitted\nand much more")),
        ) is model("rife-4.25.lite")
    assert [r.getMessage() for r in caplog.records] == [
        "rife-4.25.lite runs without a graph: CUDA error: operation not permitted"
    ]


def test_a_graph_with_other_pictures_is_refused(on_gpu: Callable[..., Any]) -> None:
    def stale(core: Callable[..., Any], inputs: tuple[Any, ...]) -> Capture:
        return Capture(core(*inputs), lambda: None)

    assert on_gpu((0.010, 0.006), capture=stale) is model("rife-4.25.lite")


def test_a_graph_that_cannot_be_checked_to_the_bit_is_not_chosen(
    on_gpu: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def rough(core: Callable[..., Any], inputs: tuple[Any, ...]) -> Capture:
        true = recorded(core, inputs)

        def replay() -> None:
            true.replay()
            next(fast._leaves(true.out)).mul_(1 + 1e-6)

        return Capture(true.out, replay)

    caplog.set_level(logging.INFO)
    assert on_gpu((0.010, 0.006), capture=rough) is model("rife-4.25.lite")
    assert "differ in the last bits" in caplog.text


def test_rocm_7_2_gets_no_graph_by_itself(
    on_gpu: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(torch.version, "hip", "7.2.53211-e1a6bc5663")
    assert on_gpu((0.010, 0.006), capture=pytest.fail) is model("rife-4.25.lite")
    assert "HIP 7.2.53211-e1a6bc5663 is known to replay" in caplog.text
    monkeypatch.setattr(torch.version, "hip", "7.14.0")
    assert on_gpu((0.010, 0.006)) is not model("rife-4.25.lite")


def test_a_network_that_decides_on_the_host_has_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, recorded)
    with pytest.raises(ModelError, match="decisions"):
        fastest(model("rife-4.0"), lambda: pictures("rife-4.0"), CPU, "graph")


# --- graphs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_shows_the_pictures_it_is_given(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = use(monkeypatch, recorded)
    net = fastest(model(name), lambda: pictures(name), CPU, "graph", 2)
    kinds = len(made)
    first = shown(net, pictures(name, seed=1), 1)
    kept = [part.clone() for part in first]
    second = shown(net, pictures(name, seed=2), 1)
    for seed, out in ((1, first), (2, second)):
        for part, wanted in zip(out, shown(model(name), pictures(name, seed), 1), strict=True):
            torch.testing.assert_close(part, wanted, atol=1e-4, rtol=0)
    assert all(torch.equal(*parts) for parts in zip(first, kept, strict=True))
    assert len(made) == kinds


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_prepared_runs_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = use(monkeypatch, recorded)
    net = fastest(model(name), lambda: pictures(name), CPU, "graph", 1)
    kinds = len(made)
    for num_new, side in ((3, 64), (1, 128)):
        frames = pictures(name, side=side)
        wanted = shown(model(name), frames, num_new)
        assert all(torch.equal(*p) for p in zip(shown(net, frames, num_new), wanted, strict=True))
    assert len(made) == kinds


def test_another_flow_scale_is_not_run_by_the_old_recording(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "rife-4.25.lite"
    use(monkeypatch, recorded)
    net: Any = fastest(model(name), lambda: pictures(name), CPU, "graph")
    frames = pictures(name, side=256)
    wanted = shown(model(name).at_scale(0.5), frames, 1)
    assert torch.equal(shown(net.at_scale(0.5), frames, 1)[0], wanted[0])


@pytest.mark.parametrize("wrong", [lambda: torch.tensor([0.5]), lambda: float(torch.ones(1))])
def test_the_watch_sees_what_a_graph_could_not_hold(wrong: Callable[[], Any]) -> None:
    with pytest.raises(AssertionError, match="waits for the host"):
        watched(wrong)


@pytest.mark.parametrize("name", [*NAMES, "rife-4.15.lite", "rife-4.22.lite"])
def test_the_core_stays_on_the_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # While it is recorded, a core makes its own grids.
    monkeypatch.setattr(warp, "_is_recorded", lambda _: True)
    net = model(name)
    assert isinstance(net, HasCore)
    ran = []

    def runner(core: Callable[..., Any], *inputs: Any) -> Any:
        ran.append(core)
        return watched(core, *inputs)

    shown(net.with_runner(runner), pictures(name), 2)
    assert ran


# --- compiled --------------------------------------------------------------------------------


def test_a_compiler_that_is_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", raising(RuntimeError("no C++ compiler\nsee the log")))
    with pytest.raises(ModelError, match=r'"compile": no C\+\+ compiler$'):
        fastest(Fade(), lambda: pictures("rife-4.25"), CPU, "compile")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")
def test_compiled_pictures_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")  # a pool would stay behind
    net = fastest(Fade(), lambda: pictures("rife-4.25"), CPU, "compile", 2)
    assert not isinstance(net, Fade) or net.run is not directly
    for num_new in (1, 2, 3):
        frames = pictures("rife-4.25", seed=4)
        wanted = shown(Fade(), frames, num_new)[0]
        torch.testing.assert_close(shown(net, frames, num_new)[0], wanted)
