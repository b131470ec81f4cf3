"""What holds for every stream: any times, cuts, repeats, passes, ratio, mode and tail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st
from schedules import Blender, Shown, lookahead, stamps_at

from rtvfi.core.rates import Grid
from rtvfi.stream.plan.planner import Copy, Planner, PlanOptions

F = Fraction
RATIOS = [F(2), F(5, 2), F(1001, 400), F(3), F(999999, 400000), F(6, 5), F(3003, 500)]


@dataclass(frozen=True)
class Stream:
    """Times and flags of a stream, and the grid it is shown on."""

    pts: list[Fraction]
    end: Fraction
    cuts: frozenset[int]
    same: frozenset[int]
    grid: Grid

    def run(self, options: PlanOptions) -> Blender:
        blender = Blender(Planner(self.grid, options))
        blender.run(stamps_at(self.pts, self.end, self.cuts, self.same), self.end)
        return blender

    def scenes(self) -> list[range]:
        starts = sorted({0, *self.cuts})
        return [range(a, b) for a, b in pairwise([*starts, len(self.pts)])]

    def scene_at(self, pts: Fraction) -> range:
        return next(s for s in reversed(self.scenes()) if self.pts[s[0]] <= pts)


@st.composite
def streams(draw: st.DrawFn, *, uniform: bool | None = None, repeats: bool = False) -> Stream:
    num = draw(st.integers(1, 14))
    even = draw(st.booleans()) if uniform is None else uniform
    steps = st.just(F(1)) if even else st.fractions(F(1, 4), F(3), max_denominator=24)
    start = draw(st.sampled_from([F(0), F(83, 1000), F(-7, 3)]))
    times = list(accumulate(draw(st.lists(steps, min_size=num, max_size=num)), initial=start))
    chosen = st.frozensets(st.integers(1, max(num - 1, 1)))
    cuts = draw(chosen) & frozenset(range(num))
    same = draw(chosen) & frozenset(range(num)) if repeats else frozenset()
    grid = Grid(start, 1 / draw(st.sampled_from(RATIOS)))
    return Stream(times[:-1], times[-1], cuts, same - cuts, grid)


options = st.builds(
    PlanOptions,
    passes=st.integers(0, 5),
    num_frames=st.sampled_from([2, 3]),
    tail=st.sampled_from(["hold", "stretch"]),
)
still = st.builds(PlanOptions, passes=st.integers(0, 5), num_frames=st.sampled_from([2, 3]))


@given(streams(repeats=True), options)
def test_every_grid_point_of_the_stream_is_shown_once(stream: Stream, o: PlanOptions) -> None:
    shown = stream.run(o).shown
    count = math.ceil((stream.end - stream.pts[0]) / stream.grid.step)
    assert [s.index for s in shown] == list(range(count))
    assert [s.pts for s in shown] == [stream.grid.pts(k) for k in range(count)]


@given(streams(), options)
def test_weights_are_of_one_scene_and_sum_to_one(stream: Stream, o: PlanOptions) -> None:
    for shown in stream.run(o).shown:
        scene = stream.scene_at(shown.pts)
        assert sum(shown.weights.values()) == 1
        assert min(shown.weights.values()) >= 0
        assert all(i in scene for i in shown.weights)


modes = st.builds(
    PlanOptions,
    passes=st.integers(0, 5),
    num_frames=st.sampled_from([2, 3]),
    beat=st.sampled_from([None, None, F(1, 2), F(2, 5), F(3)]),
)


@given(streams(repeats=True), still, st.dictionaries(st.integers(0, 13), modes))
def test_passes_that_change_inside_a_scene_neither_lose_nor_delay_anything(
    stream: Stream, o: PlanOptions, changes: dict[int, PlanOptions]
) -> None:
    planner = Planner(stream.grid, o)
    blender = Blender(planner)
    stamps = stamps_at(stream.pts, stream.end, stream.cuts, stream.same)
    for i, stamp in enumerate(stamps):
        if i in changes:
            planner.adjust(changes[i])
        blender.push(stamp)
    blender.flush(stream.end)
    count = math.ceil((stream.end - stream.pts[0]) / stream.grid.step)
    assert [s.index for s in blender.shown] == list(range(count))
    for shown in blender.shown:
        scene = stream.scene_at(shown.pts)
        assert sum(shown.weights.values()) == 1
        assert all(i in scene for i in shown.weights)
        if not stream.same and not any(mode.beat for mode in changes.values()):
            assert shown.content(stream.pts) == min(shown.pts, stream.pts[scene[-1]])
    if not stream.same:
        contents = [shown.content(stream.pts) for shown in blender.shown]
        assert contents == sorted(contents)
        assert all(content <= s.pts for content, s in zip(contents, blender.shown, strict=True))


@given(streams(), st.sampled_from([F(1, 2), F(2, 5), F(3)]), st.integers(0, 3))
def test_on_a_beat_outputs_show_the_moment_it_began(
    stream: Stream, beat: Fraction, passes: int
) -> None:
    blender = stream.run(PlanOptions(passes=passes, beat=beat))
    start = stream.pts[0]
    moments = set()
    for shown in blender.shown:
        scene = stream.scene_at(shown.pts)
        began = start + (shown.pts - start) // beat * beat
        first, last = stream.pts[scene[0]], stream.pts[scene[-1]]
        assert shown.content(stream.pts) == min(max(began, first), last)
        moments.add((scene[0], max(began, first)))
    assert blender.num_retimes <= len(moments)


@given(streams(), still)
def test_content_never_lags_with_a_hold_tail(stream: Stream, o: PlanOptions) -> None:
    for shown in stream.run(o).shown:
        last = stream.pts[stream.scene_at(shown.pts)[-1]]
        assert shown.content(stream.pts) == min(shown.pts, last)


@given(streams(), options)
def test_content_never_runs_backwards(stream: Stream, o: PlanOptions) -> None:
    contents = [s.content(stream.pts) for s in stream.run(o).shown]
    assert contents == sorted(contents)


@given(streams(), still)
def test_a_scene_shows_its_first_and_last_frame_unmixed(stream: Stream, o: PlanOptions) -> None:
    for shown in stream.run(o).shown:
        scene = stream.scene_at(shown.pts)
        if shown.pts == stream.pts[scene[0]]:
            assert shown.action == Copy(shown.index, shown.pts, (0, scene[0]))
        if shown.pts >= stream.pts[scene[-1]]:
            assert shown.action == Copy(shown.index, shown.pts, (0, scene[-1]))


@given(streams(repeats=True), options, st.data())
def test_a_stream_may_be_split_at_a_cut(
    stream: Stream, o: PlanOptions, data: st.DataObject
) -> None:
    if not stream.cuts:
        return
    cut = data.draw(st.sampled_from(sorted(stream.cuts)))
    middle = stream.pts[cut]
    head = Blender(Planner(stream.grid, o))
    head.run(stamps_at(stream.pts[:cut], middle, stream.cuts, stream.same), middle)
    planner = Planner(stream.grid, o)
    planner.reset(stream.grid.first_at_or_after(middle))
    tail = Blender(planner)
    stamps = stamps_at(stream.pts[cut:], stream.end, stream.cuts, stream.same, first=cut)
    tail.run(stamps, stream.end)

    def outputs(shown: list[Shown]) -> list[tuple[int, Fraction, dict[int, Fraction]]]:
        return [(s.index, s.pts, s.weights) for s in shown]

    whole = stream.run(o)
    assert outputs(head.shown) + outputs(tail.shown) == outputs(whole.shown)
    assert head.num_mids + tail.num_mids == whole.num_mids


@given(streams(), options)
def test_calls_are_the_pyramid_and_what_is_not_a_copy(stream: Stream, o: PlanOptions) -> None:
    blender = stream.run(o)
    mids = sum(
        len(scene) - k for scene in stream.scenes() for k in range(1, min(o.passes, len(scene)) + 1)
    )
    assert blender.num_mids == mids
    copies = sum(isinstance(s.action, Copy) for s in blender.shown)
    assert blender.num_retimes == len(blender.shown) - copies


@given(streams(repeats=True), options)
def test_repeats_only_save_calls(stream: Stream, o: PlanOptions) -> None:
    bare = Stream(stream.pts, stream.end, stream.cuts, frozenset(), stream.grid).run(o)
    saved = stream.run(o)
    assert saved.num_mids <= bare.num_mids
    assert saved.num_retimes <= bare.num_retimes
    run_start: list[int] = []
    for i in range(len(stream.pts)):
        run_start.append(run_start[-1] if i in stream.same else i)
    for a, b in zip(saved.shown, bare.shown, strict=True):
        folded: dict[int, Fraction] = {}
        for i, weight in b.weights.items():
            folded[run_start[i]] = folded.get(run_start[i], F(0)) + weight
        assert {i: w for i, w in a.weights.items() if w} == {i: w for i, w in folded.items() if w}


@given(streams(repeats=True), options)
def test_few_pictures_are_kept(stream: Stream, o: PlanOptions) -> None:
    extra = 2 if o.num_frames == 3 else 0
    assert stream.run(o).max_needed <= o.passes + 1 + extra


@given(streams(uniform=True), options)
def test_reads_stay_within_the_lookahead(stream: Stream, o: PlanOptions) -> None:
    for shown in stream.run(o).shown:
        frames_until = math.floor(shown.pts - stream.pts[0]) + 1
        assert shown.reads <= frames_until + lookahead(o)
