from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional

from rtvfi.draw.layers import Layer, seen_from, to_picture
from rtvfi.draw.mixed import (
    HELD,
    Actor,
    MixedOptions,
    MixedScene,
    drawn_at,
    due_at,
    mixed_scene,
)

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.draw.mixed import View

SMALL = MixedOptions(width=160, height=96, num_frames=12)


@cache
def scene_with(cadence: int) -> tuple[MixedScene, int]:
    """A scene that has a cel on ``cadence``, and that cel's number."""
    for seed in range(40):
        scene = mixed_scene(SMALL, seed)
        for number, actor in enumerate(scene.actors):
            if actor.cadence == cadence and (actor.path.dx or cadence == HELD):
                return scene, number
    raise AssertionError(cadence)


def flow(view: View, other: View) -> Tensor:
    """Where each pixel of ``view`` is in ``other``, visible or not: (2, H, W) float32 pixels, x
    right, y down."""
    poses = (_of_pixels(pose, view.owner) for pose in (view.pose, other.pose))
    here, there = (to_picture(pose, view.place[None], torch.ones(1)) for pose in poses)
    return (there - here)[0]


def _of_pixels(pose: Layer, owner: Tensor) -> Layer:
    return Layer(*(field.expand(len(pose.x))[owner][None] for field in pose))


def visible(view: View, other: View) -> Tensor:
    """Which pixels of ``view`` are seen in ``other``: (H, W) bool; False outside the picture."""
    return seen_from(view.owner[None], flow(view, other)[None], other.owner[None])[0]


def distance_index(first: View, between: View, last: View) -> Tensor:
    """Which share of its way from ``first`` to ``last`` each pixel of ``first`` has gone in
    ``between``.

    The projection of the partial motion on the whole one (distance indexing, Zhong et al. 2024).

    Returns:
        (H, W) float32 on the grid of ``first``; below 0 or above 1 for what comes back, NaN where
        nothing moves.
    """
    part, whole = flow(first, between), flow(first, last)
    return (part * whole).sum(dim=0) / whole.square().sum(dim=0)


def centre(scene: MixedScene, number: int, frame: int) -> tuple[float, float]:
    pose = scene.source(frame).pose
    return float(pose.x[number]), float(pose.y[number])


def on_cadence(cadence: int, phase: int) -> Actor:
    actor = scene_with(1)[0].actors[0]
    return actor._replace(cadence=cadence, phase=phase)


@pytest.mark.parametrize("cadence", [1, 2, 3, 4])
def test_a_drawing_is_held_for_its_cadence_from_its_phase_on(cadence: int) -> None:
    for phase in range(cadence):
        moments = [drawn_at(on_cadence(cadence, phase), frame) for frame in range(24)]
        for frame, moment in enumerate(moments):
            assert moment <= frame < moment + cadence
            assert (moment - phase) % cadence == 0


@pytest.mark.parametrize("cadence", [1, 2, 3, 4])
def test_a_hold_is_right_in_its_middle(cadence: int) -> None:
    actor = on_cadence(cadence, cadence - 1)
    drawing = cadence - 1 + cadence * 3
    frames = [frame for frame in range(30) if drawn_at(actor, frame) == drawing]
    assert len(frames) == cadence
    assert due_at(actor, sum(frames) / cadence) == drawing


def test_what_is_held_never_moves_of_its_own() -> None:
    actor = on_cadence(HELD, 0)
    assert {drawn_at(actor, frame) for frame in range(9)} == {due_at(actor, 3.7)}


@pytest.mark.parametrize("cadence", [2, 3, 4])
def test_a_cel_stands_in_the_picture_while_it_is_held(cadence: int) -> None:
    scene, number = scene_with(cadence)
    actor = scene.actors[number]._replace(depth=0.0)
    actors = (*scene.actors[:number], actor, *scene.actors[number + 1 :])
    held = MixedScene(scene.options, actors, scene.camera._replace(growth=0.0))
    places = [centre(held, number, frame) for frame in range(12)]
    changes = [k for k in range(1, 12) if places[k] != places[k - 1]]
    assert changes
    assert {(k - actor.phase) % cadence for k in changes} == {0}


def test_objects_on_ones_are_the_same_in_source_and_truth() -> None:
    scene, _ = scene_with(1)
    source, truth = scene.source(5), scene.truth(5.0)
    on_ones = (source.cadence == 1) & (truth.cadence == 1)
    assert on_ones.any()
    # the soft rims of other objects also lie on pixels that belong to these
    same = (source.picture == truth.picture).all(dim=0)[on_ones]
    assert same.float().mean() > 0.95


def test_the_truth_moves_evenly_where_the_source_jumps() -> None:
    scene, number = scene_with(3)
    xs = torch.stack([scene.truth(2 + k / 2).pose.x[number] for k in range(16)])
    assert xs.diff().diff().abs().max() < 0.5  # easing, no jumps
    jumps = torch.tensor([centre(scene, number, k)[0] for k in range(2, 10)]).diff().abs()
    assert jumps.max() > 2 * xs.diff().abs().max()


@pytest.mark.parametrize("seed", range(4))
def test_flow_and_visibility_lead_to_the_same_pixel_in_a_source_frame(seed: int) -> None:
    scene = mixed_scene(SMALL, seed)
    truth, source = scene.truth(5.5), scene.source(5)
    motion, seen = flow(truth, source), visible(truth, source)
    height, width = seen.shape
    x = (torch.arange(width) + motion[0] + 0.5) * 2 / width - 1
    y = (torch.arange(height)[:, None] + motion[1] + 0.5) * 2 / height - 1
    grid = torch.stack((x, y), dim=-1)[None]
    fetched = functional.grid_sample(
        source.picture[None].float(), grid, padding_mode="border", align_corners=False
    )[0]
    error = (fetched - truth.picture).abs().amax(dim=0)
    assert seen.float().mean() > 0.5
    assert error[seen].median() <= 3
    if not seen.all():
        assert error[~seen].mean() > error[seen].mean()


def test_a_view_sees_all_of_itself() -> None:
    view = mixed_scene(SMALL, 1).truth(3.25)
    assert visible(view, view).all()
    assert flow(view, view).abs().max() == 0


def test_the_distance_index_of_even_motion_is_the_time() -> None:
    scene, number = scene_with(1)
    actor = scene.actors[number]
    path = actor.path._replace(easing=0.0, arc=0.0, turn=0.0, bend=0.0, growth=0.0)
    even = MixedScene(SMALL, (scene.actors[0], actor._replace(path=path, depth=0.0)), scene.camera)
    index = distance_index(even.truth(4.0), even.truth(4.3), even.truth(5.0))
    assert index[even.truth(4.0).owner == 1] == pytest.approx(0.3, abs=1e-2)


def test_the_distance_index_of_a_held_drawing_is_not_a_number() -> None:
    scene, number = scene_with(HELD)
    actor = scene.actors[number]._replace(depth=0.0)
    held = MixedScene(SMALL, (scene.actors[0], actor), scene.camera._replace(growth=0.0))
    first = held.source(4)
    index = distance_index(first, held.truth(4.5), held.source(5))
    assert index[first.owner == 1].isnan().all()


def test_a_scene_depends_on_its_seed_alone() -> None:
    first = mixed_scene(SMALL, 7).source(3)
    torch.manual_seed(1)
    torch.rand(5)
    assert torch.equal(mixed_scene(SMALL, 7).source(3).picture, first.picture)
    assert not torch.equal(mixed_scene(SMALL, 8).source(3).picture, first.picture)


def test_every_cadence_occurs() -> None:
    cadences = {actor.cadence for seed in range(25) for actor in mixed_scene(SMALL, seed).actors}
    assert cadences == {0, 1, 2, 3, 4}
