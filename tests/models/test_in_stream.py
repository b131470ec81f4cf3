"""Networks behind the executor: payloads in, payloads out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from fakes import stream_info
from made_weights import constant_state

from rtvfi.core.frame import plane_views
from rtvfi.models.catalogue import MODELS
from rtvfi.models.load import build_model
from rtvfi.models.weights.store import manifest, weight_name
from rtvfi.stream.plan.batch import Retimes, Retimes3
from rtvfi.stream.plan.planner import Retime, Retime3
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.pictures import Pictures

CPU = torch.device("cpu")
INFO = stream_info()
LEFT, CENTRE, RIGHT = (0, 0), (0, 1), (0, 2)
LUMA = {LEFT: 60, CENTRE: 100, RIGHT: 180}
SOURCES = Pictures(
    {
        name: np.concatenate(
            [
                np.full(h * w, level, np.uint8)
                for (h, w), level in zip(
                    INFO.format.plane_shapes(INFO.width, INFO.height), (luma, 128, 128), strict=True
                )
            ]
        )
        for name, luma in LUMA.items()
    }
)


def executor(name: str) -> Interpolation:
    info = MODELS[name]
    # Next to no motion and an even mask: the mean of two pictures.
    state = constant_state(manifest()[weight_name(info) or ""].network, 1e-4)
    return Interpolation(build_model(info, state, CPU, torch.float32), INFO, CPU, torch.float32)


def luma(payload: np.ndarray) -> float:
    return float(plane_views(payload, INFO)[0].mean())


@pytest.mark.parametrize("name", ["rife-4.6", "rife-4.25", "drba", "distil-drba-v2-lite"])
def test_a_pair_becomes_pictures_between(name: str) -> None:
    outputs = (Retime(i, Fraction(i), LEFT, CENTRE, Fraction(i, 4)) for i in (1, 2, 3))
    shown = executor(name).run(Retimes(tuple(outputs)), SOURCES)
    assert sorted(shown) == [1, 2, 3]
    assert [luma(p) for p in shown.values()] == pytest.approx([80] * 3, abs=1)


@pytest.mark.parametrize("name", ["drba", "distil-drba-v1", "distil-drba-v2-lite"])
def test_a_triple_becomes_pictures_of_both_sides(name: str) -> None:
    outputs = (
        Retime3(i, Fraction(i), LEFT, CENTRE, RIGHT, Fraction(t))
        for i, t in enumerate(("1/2", "3/4", "5/4"))
    )
    shown = executor(name).run(Retimes3(tuple(outputs)), SOURCES)
    assert [luma(shown[i]) for i in range(3)] == pytest.approx([80, 80, 140], abs=1)
