"""How actions are grouped."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rtvfi.stream.plan.batch import Retimes, Retimes3, batches, needs, outputs_of, single
from rtvfi.stream.plan.planner import Action, Copy, Mid, Retime, Retime3

A, B, C = (0, 0), (0, 1), (0, 2)
ZERO = Fraction(0)


def retime(index: int, t: Fraction = Fraction(1, 2), left: int = 0) -> Retime:
    return Retime(index, ZERO, (0, left), (0, left + 1), t)


def test_retimes_of_a_pair_are_one_batch() -> None:
    actions = [retime(1), retime(2), retime(3)]
    assert batches(actions) == [Retimes(tuple(actions))]


def test_another_pair_is_another_batch() -> None:
    assert batches([retime(1), retime(2, left=1)]) == [
        Retimes((retime(1),)),
        Retimes((retime(2, left=1),)),
    ]


def test_a_copy_between_splits_a_batch() -> None:
    copy = Copy(2, ZERO, A)
    assert batches([retime(1), copy, retime(3)]) == [
        Retimes((retime(1),)),
        copy,
        Retimes((retime(3),)),
    ]


def test_copies_and_passes_stand_alone() -> None:
    actions: list[Action] = [
        Copy(0, ZERO, A),
        Copy(1, ZERO, A),
        Mid((1, 0), A, B),
        Mid((1, 1), B, C),
    ]
    assert batches(actions) == actions


def test_retimes_of_a_triple_are_one_batch_apart_from_those_of_its_pair() -> None:
    triples = [Retime3(i, ZERO, A, B, C, Fraction(i, 4)) for i in (3, 4)]
    assert batches([*triples, retime(5)]) == [
        Retimes3(tuple(triples)),
        Retimes((retime(5),)),
    ]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=20))
def test_no_action_is_lost_or_moved(kinds: list[tuple[bool, int]]) -> None:
    actions: list[Action] = [
        retime(i, left=left) if is_retime else Copy(i, ZERO, (0, left))
        for i, (is_retime, left) in enumerate(kinds)
    ]
    work = batches(actions)
    assert [output for batch in work for output in outputs_of(batch)] == actions
    assert [needs(part) for batch in work for part in single(batch)] == [
        needs(batch) for action in actions for batch in batches([action])
    ]
