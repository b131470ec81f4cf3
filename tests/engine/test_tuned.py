"""How convolutions run fastest here: timed, kept, used. The GPU only tells times."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from rtvfi.core.errors import ModelError
from rtvfi.core.hardware import kernels
from rtvfi.core.hardware.kernels import Kernels, best, keep_kernels, kept_kernels
from rtvfi.core.options import StreamOptions
from rtvfi.engine.model_host import ModelHost, apply_kernels
from rtvfi.engine.trusted import Compute
from rtvfi.engine.tuned import call_ms, choose_kernels
from rtvfi.models import tuning

if TYPE_CHECKING:
    from pathlib import Path

USUAL, LAST, OWN, OWN_LAST = (Kernels(a, b) for a in (True, False) for b in (False, True))
SIZE = (64, 48)


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(torch.backends.cudnn, "enabled", True)


@pytest.mark.parametrize(
    ("ms", "chosen"),
    [
        ({USUAL: 10, LAST: 12, OWN: 60, OWN_LAST: 50}, USUAL),
        ({USUAL: 10, LAST: 8, OWN: 60, OWN_LAST: 50}, LAST),
        ({USUAL: 10, LAST: 12, OWN: 2, OWN_LAST: 3}, OWN),
        ({USUAL: 10, LAST: 9.8, OWN: 60}, USUAL),
        ({OWN: 60, OWN_LAST: 50}, OWN_LAST),
    ],
)
def test_a_way_that_gains_little_is_not_taken(ms: dict[Kernels, float], chosen: Kernels) -> None:
    assert best(ms, USUAL) == chosen


def test_what_was_measured_is_kept_by_model_and_size() -> None:
    assert kept_kernels("auto", "rife-4.25", SIZE) is None
    keep_kernels("auto", "rife-4.25", SIZE, OWN)
    keep_kernels("auto", "cel", SIZE, LAST)
    assert kept_kernels("auto", "rife-4.25", SIZE) == OWN
    assert kept_kernels("auto", "cel", SIZE) == LAST
    assert kept_kernels("auto", "cel", (64, 64)) is None
    assert kept_kernels("cuda:1", "cel", SIZE) is None


def test_another_driver_makes_it_void(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_kernels("auto", "cel", SIZE, LAST)
    monkeypatch.setattr(kernels, "key_of", lambda _: {"driver": "new"})
    assert kept_kernels("auto", "cel", SIZE) is None
    keep_kernels("auto", "cel", SIZE, OWN)
    assert kept_kernels("auto", "cel", SIZE) == OWN


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": {}, "ways": 3}'])
def test_a_file_that_is_none_counts_as_not_measured(text: str) -> None:
    keep_kernels("auto", "cel", SIZE, LAST)
    kernels._file().write_text(text)
    assert kept_kernels("auto", "cel", SIZE) is None


# --- a host ----------------------------------------------------------------------------------


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> ModelHost:
    """On a GPU, with models that only say how they would run."""
    made = ModelHost("auto", StreamOptions())
    made._compute = Compute(torch.device("cuda"), torch.float16)

    def executor(_: ModelHost, model_id: str, viewing: Any) -> Any:
        made._set_kernels(model_id, viewing.info)
        layouts = list(tuning._layouts)
        return SimpleNamespace(library=torch.backends.cudnn.enabled, layouts=layouts)

    monkeypatch.setattr(ModelHost, "executor", executor)
    monkeypatch.setattr(tuning, "_layouts", [])
    return made


VIEWING: Any = SimpleNamespace(info=SimpleNamespace(width=64, height=48))


def timed(ms: dict[Kernels, float]) -> Any:
    def time_call(executor: Any, _info: Any) -> float:
        way = Kernels(executor.library, executor.layouts[0])
        if way not in ms:
            raise ModelError("miopenStatusUnknownError")
        return ms[way]

    return time_call


def test_every_way_is_timed_and_the_best_is_used_from_then_on(host: ModelHost) -> None:
    ms = {USUAL: 10.0, LAST: 12.0, OWN: 2.0, OWN_LAST: 3.0}
    assert choose_kernels(host, "cel", VIEWING, timed(ms)) == ms
    used: Any = host.executor("cel", VIEWING)
    assert (used.library, used.layouts) == (False, [False])
    assert kept_kernels("auto", "cel", SIZE) == OWN
    host.use_kernels(None)
    again: Any = host.executor("cel", VIEWING)  # as the next start does
    assert (again.library, again.layouts) == (False, [False])


def test_a_way_that_fails_is_left_out(host: ModelHost) -> None:
    choose_kernels(host, "cel", VIEWING, timed({OWN: 5.0, OWN_LAST: 3.0}))
    assert kept_kernels("auto", "cel", SIZE) == OWN_LAST


def test_where_all_fail_nothing_is_kept(host: ModelHost) -> None:
    assert choose_kernels(host, "cel", VIEWING, timed({})) == {}
    assert kept_kernels("auto", "cel", SIZE) is None


def test_a_library_that_failed_the_self_test_is_not_timed(host: ModelHost) -> None:
    host._compute = Compute(torch.device("cuda"), torch.float16, has_library=False)
    assert host.ways("cel") == [OWN, OWN_LAST]
    keep_kernels("auto", "cel", SIZE, USUAL)  # from before
    used: Any = host.executor("cel", VIEWING)
    assert not used.library


def test_a_processor_has_no_choice(host: ModelHost) -> None:
    assert host.ways("dis") == []
    host._compute = Compute(torch.device("cpu"), torch.float32)
    assert choose_kernels(host, "cel", VIEWING, timed({})) == {}


def test_the_layout_that_was_measured_is_that_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", "7.14")
    monkeypatch.setattr(tuning, "_probe", lambda form: float(form.conv_tail))
    gpu = torch.device("cuda")
    try:
        apply_kernels(LAST, has_library=True)
        assert tuning.tune(gpu, torch.float16).channels_last
        apply_kernels(None, has_library=True)
        assert not tuning.tune(gpu, torch.float16).channels_last
    finally:
        tuning.tune.cache_clear()
    assert torch.backends.cudnn.enabled


def test_a_call_can_be_timed(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    executor = ModelHost("cpu", StreamOptions()).executor("linear", viewing)
    assert call_ms(executor, viewing.info) > 0
