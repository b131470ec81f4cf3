from __future__ import annotations

import itertools
from math import prod

import torch
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.models.interpany.schedule import steps, subdivided


def on_a_line(a: float, b: float, ts: list[float]) -> list[float]:
    return [a + t * (b - a) for t in ts]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_levels_give_evenly_spaced_pictures_with_both_ends(numbers: list[int]) -> None:
    row = subdivided(0.0, 1.0, numbers, on_a_line)
    count = prod(n + 1 for n in numbers)
    assert len(row) == count + 1
    wanted = [k / count for k in range(count + 1)]
    assert all(abs(got - want) < 1e-9 for got, want in zip(row, wanted, strict=True))


def test_seven_halvings_are_129_pictures() -> None:
    assert len(subdivided(0.0, 1.0, [1] * 7, on_a_line)) == 129


@given(st.integers(1, 6), st.floats(0, 1), st.floats(0, 1))
def test_steps_are_even_and_join(num_steps: int, start: float, target: float) -> None:
    made = list(steps(torch.tensor([target]), torch.tensor([start]), num_steps))
    assert len(made) == num_steps
    assert float(made[0][1]) == torch.tensor(start)
    assert abs(float(made[-1][0]) - target) < 1e-6
    for (there, _), (_, here) in itertools.pairwise(made):
        assert torch.equal(there, here)
    for there, here in made:
        assert abs(float(there - here) - (target - start) / num_steps) < 1e-6
