"""Names and shapes of the parameters, and which network they belong to."""

from __future__ import annotations

import json

import pytest
import torch
from gmfss_nets import KEY_LISTS, PARTS, shapes, state
from golden_fill import checksum
from goldens_at import GOLDENS

from rtvfi.core.errors import WeightsMismatch
from rtvfi.models.gmfss.shape import detect, expected_parameters, part_of

NETWORKS = {
    "gmfss": ("gmfss", ""),
    "gmfss-union": ("gmfss-union", "4.26.heavy"),
    "gmfss-union-fortuna": ("gmfss-union", "4.6"),
}


@pytest.mark.parametrize("name", KEY_LISTS)
def test_parameters_are_those_of_the_published_files(name: str) -> None:
    network, rife = NETWORKS[name]
    published = {
        f"{PARTS.get(part, part)}.{key}": tuple(shape)
        for part, keys in shapes(name).items()
        for key, shape in keys.items()
    }
    expected = expected_parameters(network, rife)
    # published beside RIFE's: nothing; its order is that of the reference
    assert expected == published
    assert detect(state(name)) == NETWORKS[name]


@pytest.mark.parametrize("name", KEY_LISTS)
def test_reference_weights_are_the_same_bytes_here(name: str) -> None:
    text = json.loads((GOLDENS / "gmfss_crc.json").read_text(encoding="utf-8"))
    wanted, counts = text["weights_crc"], text["params"]
    for listed in shapes(name):
        part = PARTS.get(listed, listed)
        names = [listed + "_union", listed] if "union" in name else [listed]
        key = next(key for key in names if key in wanted)
        filled = {k: v.numpy() for k, v in part_of(state(name), part).items()}
        assert checksum(filled) == wanted[key]
        assert sum(v.size for v in filled.values()) == counts[key]


def test_what_training_leaves_is_ignored() -> None:
    extra = {"rife.teacher.weight": torch.zeros(1), "rife.caltime.0.weight": torch.zeros(1)}
    assert detect(state("gmfss-union") | extra) == NETWORKS["gmfss-union"]


@pytest.mark.parametrize("key", ["metric.metric_in.weight", "fusionnet.residual_model_01.1.bias"])
def test_a_parameter_missing_or_misshaped_is_named(key: str) -> None:
    found = dict(state("gmfss"))
    misshaped = found | {key: torch.zeros(7)}
    del found[key]
    for wrong in (found, misshaped):
        with pytest.raises(WeightsMismatch, match=key):
            detect(wrong)


def test_a_parameter_too_many_is_named() -> None:
    with pytest.raises(WeightsMismatch, match=r"feat\.block4"):
        detect(state("gmfss") | {"feat.block4.0.weight": torch.zeros(1)})
