from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest
import torch

from rtvfi.draw.options import SceneOptions
from rtvfi.models.cel.shape import CelShape
from rtvfi.quality.planes import rgb_to_planes
from rtvfi.train.data import Held
from rtvfi.train.losses import flow_error, pyramid_l1
from rtvfi.train.recipe import FeedOptions, Recipe, TrainOptions
from rtvfi.train.trainer import Trainer, learning_rate, loss_of

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(
    scenes=SceneOptions(size=64, fastest=6.0, num_backgrounds=2, num_sprites=2, most_cels=2),
    feed=FeedOptions(num_scenes=2, crop=64, uses=2, pool=2),
    train=TrainOptions(steps=4, warmup=2, cooldown=2, validate_every=2),
    shape=CelShape(
        features=(4, 4, 6), match=(4, 4, 4), widths=(6, 6, 8), blocks=(1, 1, 1), radii=(1, 2, 2)
    ),
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = Trainer(RECIPE, tmp_path / "a")
    unbroken.run()
    first = Trainer(RECIPE, tmp_path / "b")
    first.recipe = dataclasses.replace(
        RECIPE, train=dataclasses.replace(RECIPE.train, steps=4, validate_every=2)
    )
    for _ in range(2):
        first._train_step()
    first._report()
    first._keep()
    second = Trainer(RECIPE, tmp_path / "b")
    assert second.resume()
    assert second.step == 2
    second.run()
    for name, tensor in unbroken.average.state_dict().items():
        assert torch.equal(tensor, second.average.state_dict()[name]), name


def test_light_convolutions_give_nearly_the_same_gradient_to_the_same_weights(
    tmp_path: Path,
) -> None:
    gradients = []
    for precision in ("float32", "bfloat16"):
        options = dataclasses.replace(RECIPE.train, precision=precision)
        trainer = Trainer(dataclasses.replace(RECIPE, train=options), tmp_path / precision)
        loss, _ = loss_of(trainer.net, trainer.feed.sample(0), options)
        found = torch.autograd.grad(loss, list(trainer.net.parameters()))
        assert {gradient.dtype for gradient in found} == {torch.float32}
        gradients.append(torch.cat([gradient.flatten() for gradient in found]))
        trainer.run()
        assert trainer.step == RECIPE.train.steps
    full, light = gradients
    assert not torch.equal(full, light)
    assert torch.cosine_similarity(full, light, dim=0) > 0.9


def test_a_run_logs_and_keeps_the_best_weights(tmp_path: Path) -> None:
    trainer = Trainer(RECIPE, tmp_path)
    trainer.run()
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [2, 4]
    assert {"picture", "flow", "held", "seconds"} <= set(entries[0])
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert set(best) == set(trainer.net.state_dict())
    assert not list(tmp_path.glob("*.tmp"))


def test_weights_are_chosen_on_the_held_triplets(tmp_path: Path) -> None:
    grey = rgb_to_planes(torch.full((1, 3, 32, 32), 128, dtype=torch.uint8))
    scores = Trainer(RECIPE, tmp_path, [Held("grey", grey, grey, grey)]).scores()
    assert scores["grey"] == scores["select"] == 60.0


def test_a_fresh_run_has_nothing_to_resume(tmp_path: Path) -> None:
    assert not Trainer(RECIPE, tmp_path).resume()


def test_the_learning_rate_rises_stays_and_falls() -> None:
    options = TrainOptions(steps=100, warmup=10, cooldown=20, learning_rate=1.0)
    rates = [learning_rate(options, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert set(rates[9:81]) == {1.0}
    assert rates[90] == pytest.approx(0.5)
    assert rates[100] == 0


def test_flow_error_is_small_for_the_truth_at_every_size() -> None:
    flow = torch.full((1, 4, 16, 16), 8.0)
    for size in (16, 8, 2):
        state = torch.full((1, 5, size, size), 8.0 * size / 16)
        assert flow_error(state, flow) < 0.15
        assert flow_error(state + 1, flow) > 0.9


def test_pyramid_l1_feels_a_misplaced_object_more_than_noise() -> None:
    truth = torch.zeros(1, 1, 32, 32)
    truth[..., 8:16, 8:16] = 1
    noise = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    noise = noise * (truth - truth.roll(4, 3)).abs().mean() / noise.abs().mean()
    assert pyramid_l1(truth.roll(4, 3), truth, 4) > 1.5 * pyramid_l1(truth + noise, truth, 4)
