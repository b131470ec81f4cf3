"""What is said unasked, and how often."""

from __future__ import annotations

from typing import Any

from rtvfi.playing.remarks import Remarks
from rtvfi.stream.plan.ladder import Quality, Standing
from rtvfi.stream.run.parts import Statistics

STEPS = (Quality(), Quality(is_sparse=True), Quality(is_bypass=True))


def now(**changes: Any) -> Statistics:
    return Statistics(**({"cost": 0.07} | changes))


class Said(list[str]):
    def __init__(self) -> None:
        self.remarks = Remarks(self.append)
        self.clock = 0.0

    def look(self, seconds: float = 0.5, **changes: Any) -> None:
        self.clock += seconds
        self.remarks.look(now(**changes), "cel", self.clock)


def test_quality_is_said_on_the_way_down_only() -> None:
    said = Said()
    for level in (0, 1, 1, 2, 1, 2):
        said.look(standing=Standing(level, STEPS))
    assert said == [
        "cel is too slow (70 ms): nothing between every second pair of frames",
        "cel is too slow (70 ms): source frames only",
    ]


def test_only_what_is_new_is_said() -> None:
    said = Said()
    steps = (Quality(passes=2), Quality(passes=1), Quality(passes=1, is_sparse=True))
    said.look(standing=Standing(1, steps))
    said.look(standing=Standing(2, steps))
    assert [text.partition(": ")[2] for text in said] == [
        "1 pass instead of 2",
        "nothing between every second pair of frames",
    ]


def test_an_unknown_cost_is_not_said() -> None:
    said = Said()
    said.look(standing=Standing(2, STEPS), cost=None)
    assert said == ["cel is too slow: source frames only"]


def test_after_full_quality_it_is_said_again() -> None:
    said = Said()
    for level in (1, 0, 1):
        said.look(standing=Standing(level, STEPS))
    assert len(said) == 2


def test_a_moment_behind_is_not_worth_a_word() -> None:
    said = Said()
    for behind in (True, True, True, False, True, True):
        said.look(is_behind=behind)
    assert said == []


def test_behind_for_long_is_said_now_and_then() -> None:
    said = Said()
    for _ in range(64):
        said.look(is_behind=True)
    assert said == ["cel is too slow (70 ms): source frames fill in"]


def test_a_remark_for_once_is_made_once() -> None:
    said = Said()
    said.remarks.once("so it is")
    said.remarks.once("so it is")
    assert said == ["so it is"]
