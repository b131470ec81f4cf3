from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
import torch

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.draw.options import SceneOptions
from rtvfi.draw.scenes import Bank, Scenes, make_bank
from rtvfi.models.weights.file import identify, read_tensors
from rtvfi.train.index import trainer as index_trainer
from rtvfi.train.index.data import drawn, varied
from rtvfi.train.index.trainer import IndexRecipe, IndexTrainer

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = IndexRecipe(is_small=True, steps=2, batch=1, crop=64, validate_every=2)


def few(size: int, fastest: float) -> SceneOptions:
    return SceneOptions(
        size=size, fastest=fastest, most_cels=2, num_backgrounds=2, num_sprites=2, easing=1.0,
        camera_easing=1.0, truth=True,
    )  # fmt: skip


@lru_cache
def bank() -> Bank:
    return make_bank(few(64, 16.0), 1)


def few_scenes(options: SceneOptions, seed: int) -> Scenes:
    return Scenes(options, seed, bank())


@pytest.fixture(autouse=True)
def _few_textures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_trainer, "scene_options", few)
    monkeypatch.setattr(index_trainer, "Scenes", few_scenes)


@pytest.fixture
def scenes() -> Scenes:
    return few_scenes(few(64, 16.0), 3)


def test_a_reference_is_of_the_same_scenes_with_an_index_of_its_own(scenes: Scenes) -> None:
    kinds = set()
    for number in range(8):
        sample = drawn(scenes, number, 1, has_reference=True, is_small=False)
        assert sample.reference is not None
        assert sample.reference_time is not None
        at = float(sample.reference_time[0, 0, 0, 0])
        kinds.add(at if at in (0, 1) else 0.5)
        if at == 0:
            assert torch.equal(sample.reference.picture, sample.img0)
            assert float(sample.reference.gone.max()) == 0
    assert 0.5 in kinds
    assert len(kinds) > 1


def test_what_is_early_or_late_has_another_index_than_the_time(scenes: Scenes) -> None:
    samples = [drawn(scenes, k, 2, has_reference=False, is_small=True) for k in range(3)]
    assert max(float((s.gone - s.time).abs().max()) for s in samples) > 0.05
    assert all(float(s.gone.min()) >= 0 and float(s.gone.max()) <= 1 for s in samples)


def test_variants_are_told_times_or_distances(scenes: Scenes) -> None:
    sample = drawn(scenes, 0, 1, has_reference=True, is_small=False)
    assert sample.reference is not None
    for variant, index in (("t", sample.time), ("d", sample.gone)):
        told, reference = sample.shown(variant)  # type: ignore[arg-type]
        assert torch.equal(told, index)
        assert reference is None
    for variant, gone in (("tr", sample.reference_time), ("dr", sample.reference.gone)):
        _, reference = sample.shown(variant)  # type: ignore[arg-type]
        assert reference is not None
        assert gone is not None
        assert torch.equal(reference.gone, gone)


def test_pictures_and_index_are_turned_alike(scenes: Scenes) -> None:
    sample = drawn(scenes, 0, 1, has_reference=False, is_small=False)
    grey = sample.gone.expand(-1, 3, -1, -1)
    sample = sample._replace(img0=grey, img1=grey, truth=grey)
    for seed in range(6):
        out = varied(sample, 40, torch.Generator().manual_seed(seed))
        assert out.img0.shape == (1, 3, 40, 40)
        assert torch.equal(out.img0[:, :1], out.gone)


@pytest.mark.parametrize("variant", ["t", "dr"])
def test_a_run_leaves_weights_of_its_network(variant: str, tmp_path: Path) -> None:
    trainer = IndexTrainer(replace(RECIPE, variant=variant), tmp_path)  # type: ignore[arg-type]
    trainer.run()
    assert trainer.step == 2
    found = identify(read_tensors(tmp_path / "best.pt"))
    assert found.network == ("interpany rife" if variant == "t" else "interpany rife-r")


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    IndexTrainer(replace(RECIPE, steps=1), tmp_path).run()
    again = IndexTrainer(RECIPE, tmp_path)
    assert again.resume()
    assert again.step == 1
    assert again.seconds > 0
    again.run()
    whole = IndexTrainer(RECIPE, tmp_path / "other")
    whole.run()
    for one, other in zip(again.net.parameters(), whole.net.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=0)


def test_a_run_of_another_variant_is_not_gone_on_with(tmp_path: Path) -> None:
    IndexTrainer(replace(RECIPE, steps=1), tmp_path).run()
    with pytest.raises(WeightsMismatch, match="rife d"):
        IndexTrainer(replace(RECIPE, variant="t"), tmp_path).resume()


def test_processor_time_ends_a_run(tmp_path: Path) -> None:
    trainer = IndexTrainer(replace(RECIPE, steps=1000, minutes=1e-3), tmp_path)
    trainer.run()
    assert 0 < trainer.step < 1000


@pytest.fixture
def _distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """LPIPS is a mean difference."""
    monkeypatch.setattr(
        index_trainer, "lpips_loss",
        lambda weight, _: lambda got, wanted: weight * (got - wanted).square().mean(),
    )  # fmt: skip


@pytest.mark.usefixtures("_distance")
def test_lpips_is_descended_with_its_weight_and_not_at_all_at_0(tmp_path: Path) -> None:
    slopes, parts = [], []
    for weight in (0.0, 1.0, 3.0):
        trainer = IndexTrainer(replace(RECIPE, lpips=weight), tmp_path / str(weight))
        total, named = trainer.losses()
        total.backward()
        parts.append(named)
        grads = [p.grad for p in trainer.net.parameters() if p.grad is not None]
        slopes.append(torch.cat([grad.flatten() for grad in grads]))
    assert "lpips" not in parts[0]
    assert parts[2]["lpips"] == pytest.approx(3 * parts[1]["lpips"], rel=1e-3)
    once, thrice = slopes[1] - slopes[0], slopes[2] - slopes[0]
    assert float(once.norm()) > 0
    assert float((thrice - 3 * once).norm()) < 0.01 * float(thrice.norm())


@pytest.mark.usefixtures("_distance")
def test_a_run_with_another_weight_of_lpips_is_not_gone_on_with(tmp_path: Path) -> None:
    once = replace(RECIPE, steps=1, lpips=0.25)
    IndexTrainer(once, tmp_path).run()
    assert IndexTrainer(once, tmp_path).resume()
    with pytest.raises(WeightsMismatch, match=r"with --lpips 0.25, not 0"):
        IndexTrainer(RECIPE, tmp_path).resume()


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_of_lpips_is_0_or_more(weight: float) -> None:
    with pytest.raises(UsageError, match="--lpips"):
        IndexRecipe(lpips=weight)


def test_only_rife_comes_small() -> None:
    with pytest.raises(UsageError, match="one size"):
        IndexRecipe(network="amt", is_small=True)
