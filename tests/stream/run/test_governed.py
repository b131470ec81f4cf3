"""The compute thread under a simulated device, player and clock: quality gives way and returns.

Everything runs on one thread. A call of the model advances the clock by its cost; a put into the
full ring of outputs advances it to when the player takes the oldest one.
"""

from __future__ import annotations

from collections import Counter, deque
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeClock, FakeExecutor, FakePlayhead, fake_source_frames, stream_info

from rtvfi.core.frame import END, Kind
from rtvfi.core.rates import Grid
from rtvfi.core.stamp import Stamp
from rtvfi.stream.plan.batch import outputs_of
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Copy, PlanOptions
from rtvfi.stream.plan.steering import Retiming
from rtvfi.stream.run import compute, margin, slot, triage
from rtvfi.stream.run.compute import Compute
from rtvfi.stream.run.parts import Rings, Start, Statistics
from rtvfi.stream.see.changes import Change
from rtvfi.stream.see.cuts import Seen

if TYPE_CHECKING:
    from rtvfi.core.frame import OutputFrame, SourceFrame
    from rtvfi.core.options import Style
    from rtvfi.stream.plan.batch import Work
    from rtvfi.stream.run.executors.pictures import Pictures

INFO = stream_info(source_rate=Fraction(24000, 1001))
PERIOD = 1001 / 24000
RING_SECONDS = 0.5
READAHEAD_SECONDS = 0.5


class Stamps:
    """A cut detector for films without cuts, much faster than the real one."""

    def __init__(self, *_: object) -> None:
        self._index = -1
        self._payload: Any = None

    def reset(self) -> None:
        self._index, self._payload = -1, None

    def push(self, frame: SourceFrame) -> list[Seen]:
        same, self._payload = frame.payload is self._payload, frame.payload
        self._index += 1
        end, cut = frame.pts + frame.duration, self._index == 0
        stamp = Stamp(self._index, frame.pts, end, cut, same)
        return [Seen(stamp, frame.payload, Change(not same, None))]

    def flush(self) -> list[Seen]:
        return []


class SlowExecutor(FakeExecutor):
    """Takes ``cost`` seconds per call, or the share of it that a variant takes."""

    def __init__(
        self, clock: FakeClock, cost: float, shares: dict[Variant, float] | None = None
    ) -> None:
        super().__init__(INFO)
        self.clock = clock
        self.cost = cost
        self._shares = {FULL: 1.0} | (shares or {})
        self.variants = frozenset(shares or ())

    def try_out(self) -> None:
        """Know what calls take, as a model does that is slow."""
        self.expected = {v: self.cost * self._shares[v] for v in (FULL, *self.variants)}

    def run(self, work: Work, pictures: Pictures) -> Any:
        if not isinstance(work, Copy):
            count = len(outputs_of(work)) or 1
            self.clock.advance(self.cost * self._shares[self.chosen] * count)
        return super().run(work, pictures)


class Simulation:
    """A player that shows every output at its time and holds a second of them."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        style: Style,
        *,
        ratio: Fraction,
        cost: float,
        shares: dict[Variant, float] | None = None,
        is_governed: bool = True,
    ) -> None:
        self.clock = clock = FakeClock()
        for room in (slot, triage, margin):
            clocks = SimpleNamespace(monotonic=clock, perf_counter=clock)
            monkeypatch.setattr(room, "time", clocks)
        monkeypatch.setattr(compute, "CutDetector", Stamps)
        self.executor = SlowExecutor(clock, cost, shares)
        self.playhead = FakePlayhead(None)
        self.grid = Grid(INFO.start, 1 / (ratio * INFO.source_rate))
        self.shown: list[OutputFrame] = []
        self.margins: list[float] = []
        self.levels: list[int] = []
        self.statistics = Statistics()
        self._capacity = round((RING_SECONDS + READAHEAD_SECONDS) / float(self.grid.step))
        self._is_governed = is_governed
        self._due: deque[float] = deque()
        self._began: float | None = None
        start = Start(
            grid=self.grid,
            origin=INFO.start,
            plan=PlanOptions(),
            attainable=RING_SECONDS + READAHEAD_SECONDS,
            ring_frames=self._capacity,
            prime_frames=8,
            retiming=Retiming(style=style),
            is_governed=is_governed,
        )
        sources: Any = SimpleNamespace(get=self._get)
        outputs: Any = SimpleNamespace(put=self._put, epoch=1, finish=lambda _: None)
        rings = Rings(sources, outputs)
        self.compute = Compute(INFO, start, self.playhead, 0.3, rings, self.statistics)
        self.compute.use(self.executor)
        self._frames: Any = iter(())
        self._costs: dict[int, float] = {}

    def run(self, seconds: float, hold: int = 1, costs: dict[float, float] | None = None) -> None:
        """Play a film of drawings held ``hold`` frames; ``costs`` change at their times."""
        num = round(seconds / PERIOD)
        self._costs = {round(at / PERIOD): cost for at, cost in (costs or {}).items()}
        self._frames = enumerate(fake_source_frames(INFO, num, hold))
        self.compute.run_epoch(1, 0)

    def _get(self, _epoch: int) -> Any:
        number, frame = next(self._frames, (0, END))
        self.executor.cost = self._costs.get(number, self.executor.cost)
        self.levels.append(self.statistics.standing.level)
        return frame

    def _put(self, frame: OutputFrame, _epoch: int) -> bool:
        if not self._is_governed:  # nobody plays it
            self.shown.append(frame)
            return True
        if len(self._due) >= self._capacity:
            self.clock.now = max(self.clock.now, self._due.popleft())
        if self._began is None and len(self.shown) == 8:
            self._began = self.clock.now
        if self._began is not None:
            position = (self.clock.now - self._began) * self.playhead.speed
            self.playhead.move(position)
            self.margins.append(float(frame.pts) - position)
        began = self.clock.now if self._began is None else self._began
        self._due.append(began + float(frame.pts) / self.playhead.speed)
        self.shown.append(frame)
        return True

    def kinds(self, start: float, end: float) -> Counter[Kind]:
        return Counter(frame.kind for frame in self.shown if start <= frame.pts < end)

    def levels_between(self, start: float, end: float) -> list[int]:
        return self.levels[round(start / PERIOD) : round(end / PERIOD)]


def num_changes(levels: list[int]) -> int:
    return sum(a != b for a, b in pairwise(levels))


TWICE = Fraction(2)


def test_a_fast_model_keeps_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(monkeypatch, "smooth", ratio=TWICE, cost=0.2 * PERIOD)
    simulation.run(60)
    assert set(simulation.levels) == {0}
    assert Kind.CHEAP not in simulation.kinds(0, 60)


@pytest.mark.parametrize("share", [0.6, 1.2, 1.7, 6.0])
def test_a_slow_model_settles_and_the_picture_keeps_its_time(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    simulation = Simulation(monkeypatch, "smooth", ratio=Fraction(5, 2), cost=share * PERIOD)
    simulation.run(200, hold=2)
    assert [frame.index for frame in simulation.shown] == list(range(len(simulation.shown)))
    assert min(simulation.margins) > -0.1
    settled = simulation.levels_between(75, 200)
    assert num_changes(settled) <= 6  # a rise is tried about once a minute
    assert settled.count(max(settled, key=settled.count)) > 0.9 * len(settled)


def test_what_is_settled_on_is_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level at which source frames stand in now and then would be the wrong one."""
    simulation = Simulation(monkeypatch, "plain", ratio=TWICE, cost=1.3 * PERIOD)
    simulation.run(55)
    kinds = simulation.kinds(20, 50)
    # Every second pair: a copy each, and every second picture between made.
    assert kinds[Kind.SYNTHETIC] == pytest.approx(0.25 * kinds.total(), rel=0.02)


def test_calls_that_are_left_out_do_not_make_the_model_look_fast(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulation = Simulation(monkeypatch, "plain", ratio=TWICE, cost=4.5 * PERIOD)
    simulation.run(55)
    assert set(simulation.levels_between(10, 55)) == {2}
    assert simulation.kinds(10, 55).keys() == {Kind.COPY, Kind.CHEAP}


def test_passes_go_before_the_frames_between(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(monkeypatch, "smooth", ratio=TWICE, cost=0.7 * PERIOD)
    simulation.run(55)
    assert simulation.statistics.plan is not None
    assert simulation.statistics.plan.passes == 0
    assert Kind.CHEAP not in simulation.kinds(30, 55)


def test_everything_comes_back_when_the_load_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(monkeypatch, "smooth", ratio=TWICE, cost=0.1 * PERIOD)
    simulation.run(150, hold=2, costs={20: 3 * PERIOD, 60: 0.1 * PERIOD})
    assert max(simulation.levels_between(20, 60)) == simulation.levels_between(59, 60)[-1] > 0
    assert simulation.levels[-1] == 0
    assert num_changes(simulation.levels) <= 12


def test_held_drawings_are_not_taken_for_a_slow_model(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(monkeypatch, "plain", ratio=TWICE, cost=1.5 * PERIOD)
    simulation.run(60, hold=3)
    assert set(simulation.levels) == {0}
    assert Kind.CHEAP not in simulation.kinds(0, 60)


def test_a_new_model_begins_with_full_quality(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(monkeypatch, "plain", ratio=TWICE, cost=5 * PERIOD)
    simulation.run(20)
    assert simulation.statistics.standing.level > 0
    simulation.compute.use(SlowExecutor(simulation.clock, 0.1 * PERIOD))
    simulation.run(1)
    assert simulation.statistics.standing.level == 0


def test_motion_at_half_size_comes_before_source_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(
        monkeypatch, "plain", ratio=TWICE, cost=1.3 * PERIOD, shares={Variant(0.5): 0.5}
    )
    simulation.run(55)
    assert simulation.executor.chosen == Variant(0.5)
    assert simulation.statistics.standing.given_up == ["motion estimated at 1/2 size"]
    assert simulation.kinds(20, 50).keys() == {Kind.COPY, Kind.SYNTHETIC}
    assert num_changes(simulation.levels) == 1


def test_a_variant_that_comes_late_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(monkeypatch, "plain", ratio=TWICE, cost=1.3 * PERIOD)
    simulation.run(30)
    assert simulation.executor.chosen == FULL
    faster = SlowExecutor(simulation.clock, 1.3 * PERIOD, {Variant(0.5): 0.5})
    faster.variants = frozenset()
    simulation.compute.use(faster)
    frames = simulation._get

    def get(epoch: int) -> Any:
        if len(simulation.levels) == 1000:
            faster.variants = frozenset({Variant(0.5)})
        return frames(epoch)

    monkeypatch.setattr(simulation.compute._sources, "get", get)
    simulation.run(60)
    assert faster.chosen == Variant(0.5)


def test_fewer_pictures_are_each_shown_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 a second give way to 48 shown on the same grid: one in five is shown twice."""
    simulation = Simulation(monkeypatch, "plain", ratio=Fraction(5, 2), cost=0.7 * PERIOD)
    simulation.run(55)
    assert simulation.statistics.standing.given_up == ["2 pictures per source frame instead of 2.5"]
    shown = [f for f in simulation.shown if 20 <= f.pts < 50]
    repeats = [a.payload is b.payload for a, b in pairwise(shown)]
    assert sum(repeats) == pytest.approx(len(shown) / 5, abs=2)
    assert not any(a and b for a, b in pairwise(repeats))
    assert [f.index for f in simulation.shown] == list(range(len(simulation.shown)))


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_playback_speed_counts(monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    simulation = Simulation(
        monkeypatch, "plain", ratio=TWICE, cost=0.65 * PERIOD, shares={Variant(0.5): 0.5}
    )
    simulation.playhead.set_speed(speed)
    simulation.run(100)
    assert (simulation.executor.chosen == FULL) is (speed < 1)
    assert simulation.statistics.standing.level == (speed > 1)
    assert Kind.CHEAP not in simulation.kinds(30, 95)
    assert num_changes(simulation.levels) <= 1


RIFE = Variant(1.0, is_lite=True, share=0.025, network="rife-4.25")
CEL = Variant(0.5, is_lite=True, share=0.01, network="cel")


def rendering_network(
    monkeypatch: pytest.MonkeyPatch, shares: dict[Variant, float], style: Style = "plain"
) -> Simulation:
    """One that takes 20 s a picture."""
    simulation = Simulation(monkeypatch, style, ratio=TWICE, cost=20.0, shares=shares)
    simulation.executor.try_out()
    return simulation


@pytest.mark.parametrize(
    ("shares", "chosen"),
    [({RIFE: 0.001, CEL: 0.0005}, RIFE), ({RIFE: 0.006, CEL: 0.001}, CEL)],
    ids=["rife", "where rife is too slow as well, the embedded one"],
)
def test_a_network_for_rendering_gives_way_to_a_lighter_one_before_its_first_call(
    monkeypatch: pytest.MonkeyPatch, shares: dict[Variant, float], chosen: Variant
) -> None:
    simulation = rendering_network(monkeypatch, shares)
    simulation.run(55)
    assert simulation.executor.chosen == chosen
    assert f"a lighter network ({chosen.network})" in simulation.statistics.standing.given_up
    assert min(simulation.margins) > 0  # it would have been -19
    assert simulation.kinds(20, 50).keys() == {Kind.COPY, Kind.SYNTHETIC}


def test_a_network_for_rendering_alone_leaves_source_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulation = rendering_network(monkeypatch, {}, "smooth")
    simulation.run(55, hold=2)
    assert simulation.statistics.standing.given_up == ["source frames only"]
    assert min(simulation.margins) > 0
    assert Kind.SYNTHETIC not in simulation.kinds(0, 50)


def test_networks_that_come_late_are_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = rendering_network(monkeypatch, {RIFE: 0.001, CEL: 0.0005})
    executor, get = simulation.executor, simulation._get
    variants, executor.variants = executor.variants, frozenset()

    def late(epoch: int) -> Any:
        if len(simulation.levels) == 300:
            assert simulation.statistics.standing.given_up == ["source frames only"]
            executor.variants = variants
        return get(epoch)

    monkeypatch.setattr(simulation.compute._sources, "get", late)
    simulation.run(30)
    assert num_changes(simulation.levels[301:]) <= 1
    assert executor.chosen == RIFE
    assert min(simulation.margins) > 0


def test_what_is_rendered_is_made_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = Simulation(monkeypatch, "smooth", ratio=TWICE, cost=20.0, is_governed=False)
    simulation.executor.try_out()
    simulation.run(5, hold=2)
    assert Kind.CHEAP not in simulation.kinds(0, 5)
    assert simulation.kinds(1, 4)[Kind.SYNTHETIC] > 50
