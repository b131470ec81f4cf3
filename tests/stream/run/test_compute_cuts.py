"""Frames that the cut detector holds back come out all the same, at their times."""

from __future__ import annotations

import pytest
from fakes import FakeExecutor, number_of
from running import INFO, Running, fake_source

from rtvfi.core.errors import DecodeError
from rtvfi.core.frame import Kind


@pytest.mark.parametrize("cut", [1, 5, 9])
def test_a_scene_begins_with_its_first_frame(cut: int) -> None:
    with Running(fake_source(10, cuts={cut}).opener, FakeExecutor(INFO)) as running:
        shown = running.all()
    assert [frame.index for frame in shown] == list(range(20))
    before, first = shown[2 * cut - 1], shown[2 * cut]
    assert (before.kind, number_of(before.payload)) == (Kind.COPY, cut - 1)
    assert (first.kind, number_of(first.payload)) == (Kind.COPY, cut)


def test_a_frame_held_back_comes_before_the_failure_after_it() -> None:
    source = fake_source(10, cuts={6}, fails_at=7)
    with Running(source.opener, FakeExecutor(INFO)) as running:
        running.seek(0)
        shown = running.take(14)
        with pytest.raises(DecodeError):
            running.read()
    assert [frame.index for frame in shown] == list(range(14))
    assert number_of(shown[-1].payload) == 6
