from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import golden_fill
import numpy as np
import pytest
import torch
from goldens_at import assert_near, thinned
from models.interpany.networks import golden, shapes, state

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.models.base import ModelInfo
from rtvfi.models.interpany.model import Interpany, empty_network, plain_state
from rtvfi.models.interpany.rife import RifeNet, RifeWidths
from rtvfi.models.interpany.schedule import subdivided
from rtvfi.models.tuning import tune

if TYPE_CHECKING:
    from torch import Tensor

FLOAT = tune(torch.device("cpu"), torch.float32)

pytestmark = pytest.mark.usefixtures("inference")


def row(name: str, variant: str) -> ModelInfo:
    name = f"interpany-{name}-{variant}"
    return ModelInfo(id=name, family="interpany", pad_multiple=32, gmac_1080p=None)


@lru_cache(maxsize=4)
def model(name: str, variant: str) -> Interpany:
    return Interpany(state(name, "r" in variant), row(name, variant), FLOAT)


def pictures(seed: int, height: int, width: int) -> list[Tensor]:
    made = torch.from_numpy(golden_fill.make_frames(seed, height, width, 3))
    return [made[k : k + 1] for k in range(3)]


@pytest.mark.parametrize(
    ("case_id", "variant"), [("sched.DR.11", "dr"), ("sched.D.2", "d"), ("sched.T.2", "t")]
)
def test_levels_are_the_reference_ones_but_for_its_cutting_off_of_fractions(
    case_id: str, variant: str
) -> None:
    case, net = golden("rife").case(case_id), model("rife", variant)
    first, _, last = pictures(case["seed"], 50, 70)

    def between(a: Tensor, b: Tensor, ts: list[float]) -> list[Tensor]:
        return list(net.pair(net.prepare(a), net.prepare(b), ts)[:, None])

    row = subdivided(first, last, case["num"], between)[1:-1]
    wanted = golden("rife").arrays[case_id].astype(np.float32).transpose(0, 3, 1, 2)
    got = thinned(torch.cat(row).mul(255), wanted)
    # The reference cuts to whole numbers after every level.
    levels = len(case["num"])
    assert_near(got - 0.5 * levels, wanted, levels)
    assert float((got - torch.from_numpy(wanted)).mean()) > 0.3


@pytest.mark.parametrize("name", ["rife", "ifrnet", "amt"])
@pytest.mark.parametrize("variant", ["d", "dr"])
@pytest.mark.parametrize("size", [(33, 51), (50, 70), (64, 131)])
def test_any_size_comes_back_as_it_was(name: str, variant: str, size: tuple[int, int]) -> None:
    net = model(name, variant)
    a, b = (net.prepare(p) for p in pictures(3, *size)[::2])
    index = torch.from_numpy(golden_fill.make_tmap(3, *size))[None]
    out = net.pair(a, b, [0.5, index])
    assert out.shape == (2, 3, *size)
    assert bool(out.isfinite().all())


@pytest.mark.parametrize("name", ["rife", "ifrnet", "amt"])
def test_a_picture_that_fits_is_not_padded_and_one_that_does_not_stays_where_it_was(
    name: str,
) -> None:
    net = model(name, "d")
    (whole, *_) = pictures(3, 160, 192)
    assert net.prepare(whole).image.shape == whole.shape
    cut = whole[..., :141, :173]
    left, right, above, below = net.prepare(cut).around
    image = net.prepare(cut).image
    assert torch.equal(image[..., above : above + 141, left : left + 173], cut)
    assert (right, below) == ((19, 19) if name == "rife" else (2, 2))
    assert (left, above) == ((0, 0) if name == "rife" else (1, 1))


@pytest.mark.parametrize("name", ["rife", "ifrnet", "amt"])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_motion_can_be_estimated_at_another_size(name: str, scale: float) -> None:
    net = model(name, "dr").at_scale(scale)
    a, b = (net.prepare(p) for p in pictures(3, 50, 70)[::2])
    index = torch.from_numpy(golden_fill.make_tmap(3, 50, 70))[None]
    out = net.pair(a, b, [index])
    assert out.shape == (1, 3, 50, 70)
    assert bool(out.isfinite().all())


def test_a_flow_scale_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match=r"0\.3"):
        model("rife", "d").at_scale(0.3)


def test_more_steps_change_the_picture_only_where_there_is_a_reference() -> None:
    for variant, changes in (("d", False), ("dr", True)):
        net = model("rife", variant)
        a, b = (net.prepare(p) for p in pictures(3, 64, 64)[::2])
        one, three = (net.in_steps(n).pair(a, b, [0.5]) for n in (1, 3))
        assert torch.equal(one, three) != changes


def test_a_network_of_other_widths_is_read_off_its_parameters() -> None:
    small = RifeNet(has_reference=True, widths=RifeWidths((32, 24, 16), 8))
    net = Interpany(small.state_dict(), row("rife", "dr"), FLOAT)
    assert net.network == "interpany rife-r"
    a, b = (net.prepare(p) for p in pictures(3, 40, 40)[::2])
    assert net.pair(a, b, [0.5]).shape == (1, 3, 40, 40)


def empty(name: str, has_reference: bool) -> dict[str, Tensor]:
    return {
        key: torch.empty(shape, device="meta") for key, shape in shapes(name, has_reference).items()
    }


@pytest.mark.parametrize("name", ["rife", "ifrnet", "amt", "ema"])
@pytest.mark.parametrize("has_reference", [False, True])
def test_networks_are_told_apart_by_their_parameters(name: str, has_reference: bool) -> None:
    published = {f"module.{key}": value for key, value in empty(name, has_reference).items()}
    grown = {"module.feature_bone.block4.1.attn_mask": torch.empty(1)}
    found, _ = empty_network(plain_state(published | grown))
    assert found == f"interpany {name}{'-r' if has_reference else ''}"


def test_missing_and_foreign_parameters_are_named() -> None:
    net = empty("ifrnet", False)
    del net["decoder2.convblock.1.prelu.weight"]
    with pytest.raises(WeightsMismatch, match=r"decoder2\.convblock\.1\.prelu\.weight"):
        Interpany(net, row("ifrnet", "d"), FLOAT)
    with pytest.raises(WeightsMismatch, match="stranger"):
        Interpany(empty("ifrnet", False) | {"stranger": torch.empty(1)}, row("rife", "d"), FLOAT)
    with pytest.raises(WeightsMismatch, match="none of the networks"):
        Interpany({"stranger": torch.empty(1)}, row("rife", "d"), FLOAT)
