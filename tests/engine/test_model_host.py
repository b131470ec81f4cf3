"""Models loaded, and executors made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from fakes import stream_info
from held import held

from rtvfi.core.errors import ModelError
from rtvfi.core.options import StreamOptions
from rtvfi.engine import model_host
from rtvfi.engine.model_host import ModelHost
from rtvfi.models import catalogue
from rtvfi.models.catalogue import find
from rtvfi.models.linear.blend import Linear
from rtvfi.stream.plan.ladder import Quality, Variant, ladder

UNION = "gmfss-union"


@pytest.mark.parametrize(
    ("size", "scale"),
    [((1920, 1080), 1.0), ((1920, 1088), 1.0), ((1920, 1090), 0.5), ((3840, 2160), 0.5)],
)
def test_motion_is_estimated_at_half_size_above_full_hd(
    size: tuple[int, int], scale: float
) -> None:
    assert ModelHost("cpu", StreamOptions()).flow_scale(stream_info(*size)) == scale


def test_a_flow_scale_that_was_asked_for_holds() -> None:
    host = ModelHost("cpu", StreamOptions(flow_scale=0.25))
    assert host.flow_scale(stream_info(3840, 2160)) == 0.25


def test_a_host_loads_a_model_once_and_warms_every_executor(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    assert host.device is None
    first, second = host.executor("linear", viewing), host.executor("linear", viewing)
    assert host.device == torch.device("cpu")
    assert first is not second
    assert first.model is second.model
    assert held(first) == 0


def test_a_host_forgets_a_model_for_another(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    first = host.executor("linear", viewing).model
    host.executor("copy", viewing)
    assert host.executor("linear", viewing).model is not first


def test_a_host_makes_ready_smaller_scales_of_the_same_network(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    executor = host.executor("cel", viewing)
    host.add_variants(executor, "cel", viewing)
    assert set(executor.variants) == {Variant(0.5), Variant(0.25)}
    full: Any = executor.model
    executor.choose(Variant(0.25))
    small: Any = executor.model
    assert (small.flow_scale, full.flow_scale) == (0.25, 1.0)
    assert small.net is full.net


def test_a_model_without_scales_has_no_variants(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    executor = host.executor("linear", viewing)
    host.add_variants(executor, "linear", viewing)
    assert set(executor.variants) == set()


def test_a_lighter_network_is_taken_where_its_weights_are(
    make_viewed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewing = make_viewed().viewing
    host = ModelHost("cpu", StreamOptions())
    executor = host.executor("linear", viewing)
    monkeypatch.setattr(catalogue, "lighter", lambda _: [find("copy"), find("cel")])
    monkeypatch.setattr(model_host, "is_available", lambda row: row.id == "cel")
    host.add_variants(executor, "linear", viewing)
    lite = Variant(0.5, is_lite=True, network="cel")
    assert set(executor.variants) == {lite}
    executor.choose(lite)
    chosen: Any = executor.model
    assert (chosen.info.id, chosen.flow_scale) == ("cel", 0.5)


def test_a_host_runs_the_network_in_the_form_that_was_asked_for(make_viewed: Any) -> None:
    viewing = make_viewed().viewing
    with pytest.raises(ModelError, match=r'"cel" .* graphs are for CUDA'):
        ModelHost("cpu", StreamOptions(form="graph")).executor("cel", viewing)
    assert held(ModelHost("cpu", StreamOptions(form="eager")).executor("cel", viewing)) == 0


class Union(Linear):
    """A network for rendering that holds another one."""

    def __init__(self) -> None:
        self.info = replace(Linear.info, id=UNION)
        self.lighter = Linear()
        self.lighter.info = replace(find("rife-4.26.heavy"), picture="yuv")


@pytest.mark.parametrize(
    ("here", "steps"),
    [
        ({"cel"}, {("rife-4.26.heavy", 1.0), ("cel", 0.5)}),
        ({"rife-4.25", "cel"}, {("rife-4.25", 1.0), ("cel", 0.5)}),
    ],
)
def test_a_network_for_rendering_steps_down_by_what_weights_are_here(
    here: set[str],
    steps: set[tuple[str, float]],
    make_viewed: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = ModelHost("cpu", StreamOptions())
    monkeypatch.setattr(model_host, "is_available", lambda row: row.id in here)
    monkeypatch.setattr(host, "_load", lambda name, _: Union() if name == UNION else Linear())
    viewing = make_viewed().viewing
    executor = host.executor(UNION, viewing)
    host.add_variants(executor, UNION, viewing)
    assert {(v.network, v.flow_scale) for v in executor.variants} == steps
    assert all(v.is_lite and v.share < 0.1 for v in executor.variants)
    assert len(ladder(Quality(num_frames=3), executor.variants)) == 6


def test_a_quick_model_that_plays_takes_the_scale_that_is_held(
    make_viewed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewing = make_viewed().viewing
    monkeypatch.setattr("rtvfi.engine.look.fitting_scale", lambda *_: 0.5)
    playing = ModelHost("cpu", StreamOptions(), is_live=True)
    executor: Any = playing.executor("dis", viewing)
    assert playing.scale == executor.model.flow_scale == 0.5
    rendering = ModelHost("cpu", StreamOptions())
    rendering.executor("dis", viewing)
    assert rendering.scale == 1.0
    rendering.executor("linear", viewing)
    assert rendering.scale is None
