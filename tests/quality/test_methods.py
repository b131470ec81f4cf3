from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import safetensors.torch
import torch
from quality_pictures import scenery, triplet
from torch import nn

from rtvfi.core.data import data_path
from rtvfi.core.errors import ModelError, UnknownModel, UsageError
from rtvfi.models.cel.network import Cel, CelNet
from rtvfi.quality.methods import ModelMethod, method_of, payload_of
from rtvfi.quality.triplets import Picture

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")


def test_linear_is_the_mean_of_both_ends() -> None:
    left, right = scenery(-4), scenery(4)
    made = method_of("linear", CPU).between(left, right)
    mean = (left.y.astype(int) + right.y) / 2
    assert np.abs(made.y - mean).max() <= 0.5
    assert np.array_equal(made.uv, left.uv)


def test_equal_ends_are_given_back_to_the_last_bit() -> None:
    left = scenery()
    made = method_of("cel", CPU).between(left, left)
    assert made.to_bytes() == left.to_bytes()


def test_the_flow_scale_is_the_suffix() -> None:
    method = method_of("cel@0.5", CPU)
    assert method.name == "cel@0.5"
    assert isinstance(method, ModelMethod)
    assert isinstance(method.model, Cel)
    assert method.model.octaves == 1


def test_a_weight_file_is_a_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = CelNet()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.1)
    path = tmp_path / "mine.safetensors"
    safetensors.torch.save_file(net.state_dict(), path)
    ends = (scenery(-4), scenery(4))
    made = method_of(f"{path}@0.5", CPU).between(*ends)
    assert not np.array_equal(made.y, method_of("cel@0.5", CPU).between(*ends).y)
    embedded = method_of(str(data_path("weights", "cel.safetensors")), CPU).between(*ends)
    assert embedded.to_bytes() == method_of("cel", CPU).between(*ends).to_bytes()


@pytest.mark.parametrize(
    ("word", "kind", "text"),
    [
        ("cell", UnknownModel, 'no model "cell"'),
        ("cel@half", UsageError, 'the flow scale "half"'),
        ("cel@3", UsageError, "flow scale"),
        ("cel@2", UsageError, "flow scale"),
        ("cel@0", UsageError, "flow scale"),
        ("linear@", UsageError, "flow scale"),
        ("none.safetensors", UsageError, "does not exist"),
        ("", UnknownModel, "no model"),
    ],
)
def test_what_is_no_method_is_refused(word: str, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        method_of(word, CPU)


def test_a_file_without_a_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelError):
        method_of(str(path), CPU)


def test_what_is_made_does_not_depend_on_what_was_made_before() -> None:
    method = method_of("linear", CPU)
    first = method.between(scenery(0), scenery(4))
    method.between(scenery(8), scenery(16))
    small = Picture(scenery().y[:32], scenery().uv[:, :16])
    assert method.between(small, small).y.shape == (32, 96)
    method.cost(triplet())
    assert method.between(scenery(0), scenery(4)).to_bytes() == first.to_bytes()


def test_a_cost_is_time_of_clock_and_processor() -> None:
    wall, cpu = method_of("cel", CPU).cost(triplet())
    assert wall > 0
    assert cpu > 0


def test_a_payload_is_the_planes_one_after_the_other() -> None:
    assert payload_of(scenery()).tobytes() == scenery().to_bytes()


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg")
def test_minterpolate_is_a_method_and_costs_what_its_child_takes() -> None:
    method = method_of("minterpolate", CPU)
    assert method.between(scenery(-2), scenery(2)).y.shape == scenery().y.shape
    _, cpu = method.cost(triplet())
    assert cpu >= 0


def test_without_ffmpeg_minterpolate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="minterpolate needs ffmpeg"):
        method_of("minterpolate", CPU)


def test_a_method_says_which_weights_it_has(tmp_path: Path) -> None:
    embedded = data_path("weights", "cel.safetensors")
    digest = hashlib.sha256(embedded.read_bytes()).hexdigest()
    assert method_of("cel", CPU).origin == f"weights {digest[:12]}"
    assert method_of(str(embedded), CPU).origin == f"weights {digest[:12]}"
    assert method_of("linear", CPU).origin == ""
