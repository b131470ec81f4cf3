"""What an executor does with less memory than its work would like."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fakes import stream_info
from held import held

from rtvfi.models.linear.blend import Linear
from rtvfi.stream.plan.batch import Retimes
from rtvfi.stream.plan.planner import Retime
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.core.stamp import ImageId

INFO = stream_info()


class Watched(Linear):
    """Writes down what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.num_prepared = 0
        self.calls: list[int] = []

    def prepare(self, frame: Any) -> Any:
        self.num_prepared += 1
        return super().prepare(frame)

    def pair(self, a: Any, b: Any, ts: Sequence[Any]) -> Any:
        self.calls.append(len(ts))
        return super().pair(a, b, ts)


def film() -> Pictures:
    levels = {(0, k): np.full(INFO.payload_bytes, 40 + 20 * k, np.uint8) for k in range(3)}
    return Pictures(levels)


def between(left: ImageId, right: ImageId, num: int) -> Retimes:
    spread = [Fraction(k + 1, num + 1) for k in range(num)]
    return Retimes(tuple(Retime(k, t, left, right, t) for k, t in enumerate(spread)))


@pytest.mark.parametrize(("most", "calls"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_a_call_makes_no_more_than_it_may(most: int, calls: list[int]) -> None:
    model = Watched()
    work = Interpolation(model, INFO, torch.device("cpu"), torch.float32)
    wanted = work.run(between((0, 0), (0, 1), 5), film())
    model.calls.clear()
    work.most_new = most
    made = work.run(between((0, 0), (0, 1), 5), film())
    assert list(made) == list(wanted)
    assert all(np.array_equal(made[k], wanted[k]) for k in made)
    assert model.calls == calls
    assert model.num_prepared == 2


def test_prepared_pictures_that_there_is_no_room_for_are_made_again() -> None:
    model = Watched()
    work = Interpolation(model, INFO, torch.device("cpu"), torch.float32)
    work.most_prepared = 2
    for k in (0, 1, 0):
        work.run(between((0, k), (0, k + 1), 1), film())
        assert held(work) == 2
    assert model.num_prepared == 4  # the first one twice
