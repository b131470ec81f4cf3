"""Measures models on scenes whose objects have different cadences.

A method is a model with a number of passes (docs/architecture.md, "Retiming"). Its output at a
higher rate is compared with pictures in which every object is on its smooth path, as a whole and in
the pixels of objects drawn on ones, twos, threes and fours.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from rtvfi.core.rates import Grid
from rtvfi.core.stamp import Stamp
from rtvfi.quality.measure import Example, Scores, SetResult, finite_psnr, over_triplets
from rtvfi.quality.measures.blocks import in_blocks
from rtvfi.quality.measures.lines import line_distance, line_points
from rtvfi.quality.measures.motion import BLOCK, deviation, textured
from rtvfi.quality.methods import payload_of
from rtvfi.quality.triplets import Picture, Triplet
from rtvfi.stream.plan.batch import batches
from rtvfi.stream.plan.planner import Copy, Mid, Planner, PlanOptions, Retime
from rtvfi.stream.run.executors.executor import carry_out
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from rtvfi.core.stamp import ImageId
    from rtvfi.quality.methods import ModelMethod
    from rtvfi.stream.plan.planner import Action

CADENCES: Final = {"ones": 1, "twos": 2, "threes": 3, "fours": 4}
RATE: Final = Fraction(24)
RATIO: Final = Fraction(5, 2)
"""Target / source rate: with 60 frames a second, four of five pictures fall between frames."""
MARGIN: Final = 8
"""Frames at both ends of a scene that are not measured, because the retiming ramps up there."""
_FEWEST_PIXELS: Final = 256
"""Fewer pixels of a cadence are not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The truth at one time."""

    picture: Picture
    cadence: NDArray[np.int64]
    """(H, W): cadence of the object visible in each pixel, 1 to 4; background 1, held objects 0."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownScene:
    """A scene: source frames at 24 frames a second from time 0, and the truth at any time."""

    name: str
    sources: list[Picture]
    truth: Callable[[Fraction], Moment]
    """The truth at a time, measured in source frames."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A method's output for a scene, and its cost."""

    pictures: dict[Fraction, Picture]
    """Pictures by time, measured in source frames."""
    wall: float
    """Wall seconds per picture."""
    cpu: float
    """CPU seconds per picture."""


class Shower(Protocol):
    """A method that plays scenes at a higher rate."""

    name: str

    def show(self, sources: Sequence[Picture]) -> Shown:
        """Compute all outputs except within ``MARGIN`` frames of the start and the end."""
        ...


class Passes:
    """A two-frame model with a number of midpoint passes; a ``Shower``."""

    def __init__(self, method: ModelMethod, passes: int) -> None:
        self.name = f"{method.name} {_words(passes)}"
        self._method = method
        self._options = PlanOptions(passes=passes)

    def show(self, sources: Sequence[Picture]) -> Shown:
        """Compute all outputs except within ``MARGIN`` frames of the start and the end."""
        lead, timed = split(plan_of(len(sources), self._options), len(sources))
        executor = self._method.executor(sources[0].y.shape)
        executor.reset()
        pictures = Pictures({(0, n): payload_of(picture) for n, picture in enumerate(sources)})
        height, width = sources[0].y.shape
        for batch in batches(lead):
            carry_out(executor, batch, pictures)
        wall, cpu = time.perf_counter(), time.process_time()
        made: dict[int, NDArray[np.uint8]] = {}
        for batch in batches(timed):
            made |= carry_out(executor, batch, pictures)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        shown = {
            index / RATIO: Picture.from_bytes(payload.tobytes(), width, height)
            for index, payload in made.items()
        }
        return Shown(shown, wall / len(made), cpu / len(made))


def _words(passes: int) -> str:
    return "plain" if passes == 0 else f"{passes} pass{'es' * (passes > 1)}"


def plan_of(num_frames: int, options: PlanOptions) -> list[Action]:
    """The planned actions for one scene of that many different frames."""
    planner = Planner(Grid(Fraction(0), 1 / (RATE * RATIO)), options)
    actions: list[Action] = []
    for n in range(num_frames):
        actions += planner.push(Stamp(n, n / RATE, (n + 1) / RATE, cut=n == 0))
    return actions + planner.flush()


def split(actions: Sequence[Action], num_frames: int) -> tuple[list[Action], list[Action]]:
    """Split actions into the passes needed beforehand and those that are measured.

    Args:
        actions: all actions of a scene, from ``plan_of``.
        num_frames: source frames of the scene.

    Returns:
        Midpoint actions before the first measured output that later ones depend on; the actions
        from the first to the last measured output.
    """
    begin, end = MARGIN / RATE, (num_frames - MARGIN) / RATE
    shown = [
        place
        for place, action in enumerate(actions)
        if not isinstance(action, Mid) and begin <= action.pts < end
    ]
    first, last = shown[0], shown[-1]
    timed = [*actions[first : last + 1]]
    needed: set[ImageId] = set()
    for action in reversed(timed):
        needed |= _used(action)
    lead: list[Action] = []
    for action in reversed(actions[:first]):
        if isinstance(action, Mid) and action.image in needed:
            needed |= _used(action)
            lead.append(action)
    return lead[::-1], timed


def _used(action: Action) -> set[ImageId]:
    if isinstance(action, Copy):
        return {action.image}
    if isinstance(action, (Mid, Retime)):
        return {action.left, action.right}
    raise TypeError(f"{action} is not planned for a model of two frames")


def measure_mixed(
    scenes: Iterable[KnownScene],
    showers: Sequence[Shower],
    shown_one: Callable[[], None] = lambda: None,
) -> SetResult:
    """Measure methods on scenes with the metrics of ``score``.

    Args:
        scenes: read one by one.
        showers: the methods; must have different names.
        shown_one: called after each method has finished a scene.
    """
    rows: dict[str, list[Scores]] = {shower.name: [] for shower in showers}
    result = SetResult("mixed scenes", (0, 0), 0, "", {}, unit="picture")
    worst = float("inf")
    for scene in scenes:
        height, width = scene.sources[0].y.shape
        result.size = (width, height)
        moments: dict[Fraction, Moment] = {}
        made: dict[str, dict[Fraction, Picture]] = {}
        for shower in showers:
            shown = shower.show(scene.sources)
            made[shower.name] = shown.pictures
            for at, picture in shown.pictures.items():
                if at not in moments:
                    moments[at] = scene.truth(at)
                scores = score(picture, moments[at])
                scores.values |= {"ms": shown.wall * 1e3, "cpu_ms": shown.cpu * 1e3}
                rows[shower.name].append(scores)
            shown_one()
        for example in _examples(scene, moments, made):
            mean = _mean_psnr(example)
            if mean < worst:
                worst, result.hardest = mean, example
        result.num_triplets += len(moments)
    result.scores = {name: over_triplets(found) for name, found in rows.items()}
    return result


def score(made: Picture, moment: Moment) -> Scores:
    """Compare one picture with the truth: PSNR in total and by cadence, line distance, evenness of
    objects on twos to fours, sharpness.
    """
    truth = moment.picture.y
    found = Scores({"psnr": finite_psnr(made.y, truth)})
    put = found.put
    for name, cadence in CADENCES.items():
        of_it = moment.cadence == cadence
        there = int(of_it.sum()) >= _FEWEST_PIXELS
        value = finite_psnr(made.y[of_it], truth[of_it]) if there else None
        put(name, value, f"nothing is drawn on {name}")
    lines = line_distance(line_points(made.y), line_points(truth))
    put("line", lines, "the truth has no lines")
    held = textured(truth) & _mostly(moment.cadence >= 2)
    put("evenness", deviation(made.y, truth, held), "nothing with texture is held")
    put("sharpness", sharpness(made.y, truth), "the truth is flat")
    return found


def sharpness(made: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float | None:
    """Mean absolute horizontal gradient relative to the truth's: below 1 is blurred; None if the
    truth has no gradient.
    """
    steps = [float(np.abs(np.diff(p.astype(np.int16), axis=1)).mean()) for p in (made, truth)]
    return steps[0] / steps[1] if steps[1] else None


def _mostly(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The blocks in which at least half of the pixels are True."""
    mostly: NDArray[np.bool_] = in_blocks(pixels, BLOCK).mean(axis=(1, 3)) >= 0.5
    return mostly


def _examples(
    scene: KnownScene,
    moments: dict[Fraction, Moment],
    made: dict[str, dict[Fraction, Picture]],
) -> Iterator[Example]:
    """Examples at the times nearest to half way between two frames."""
    for at, moment in moments.items():
        if at % 1 == Fraction(2, 5):
            left, right = scene.sources[int(at)], scene.sources[int(at) + 1]
            around = Triplet(f"{scene.name} at {float(at):g}", left, moment.picture, right)
            pictures = {name: shown[at] for name, shown in made.items()}
            yield Example("mixed scenes", around, pictures)


def _mean_psnr(example: Example) -> float:
    truth = example.triplet.middle.y
    return fmean(finite_psnr(p.y, truth) for p in example.made.values())
