"""Measures methods on sets of triplets.

A value that cannot be computed is None, and its reason is kept beside it. A set's mean is over the
triplets that have the value; the overall mean is over the sets that have it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.quality.measures.lines import line_distance, line_points
from rtvfi.quality.measures.metrics import psnr, ripple, ssim
from rtvfi.quality.measures.motion import BLOCK, deviation, follow, textured, warping_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from rtvfi.quality.gather import TripletSet
    from rtvfi.quality.methods import Method
    from rtvfi.quality.triplets import Picture, Triplet

BEST_PSNR: Final = 100.0
"""The PSNR of equal pictures in dB; infinity would make means useless."""
COSTS: Final = ("ms", "cpu_ms")
"""Metrics that are costs; of these the minimum is reported instead of the mean."""
_SSIM_SIDE: Final = 11

Row = dict[str, float | None]
"""Values by name of the metric."""


@dataclass(slots=True)
class Scores:
    """The values of one method on a triplet, a set, or all sets."""

    values: Row
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a value is None, by metric."""

    def put(self, name: str, value: float | None, reason: str) -> None:
        """Set a value; if it is None, ``reason`` says why."""
        self.values[name] = value
        if value is None:
            self.reasons[name] = reason


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A triplet and the pictures that the methods computed for it."""

    set_name: str
    triplet: Triplet
    made: dict[str, Picture]
    """The computed picture by method."""


@dataclass(slots=True)
class SetResult:
    """The results on one set."""

    name: str
    size: tuple[int, int]
    """(width, height) of its first picture."""
    num_triplets: int
    remark: str
    """A note on what was left out, for the report."""
    scores: dict[str, Scores]
    """The values by method."""
    unit: str = "triplet"
    """The unit of ``num_triplets``, in the singular."""
    hardest: Example | None = None
    """The triplet with the lowest mean PSNR over all methods."""

    @property
    def metrics(self) -> list[str]:
        """Names of the measured metrics."""
        return list(next(iter(self.scores.values())).values)


def finite_psnr(made: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """PSNR in dB, see ``metrics.psnr``, limited to BEST_PSNR."""
    return min(BEST_PSNR, psnr(made, truth))


class _Truth:
    """A triplet, and what is computed once about its truth for all methods."""

    def __init__(self, triplet: Triplet) -> None:
        self.triplet = triplet
        luma = triplet.middle.y
        self.lines = line_points(luma)
        self.has_blocks = min(luma.shape) >= 2 * BLOCK
        self.textured: NDArray[np.bool_] = np.zeros((0, 0), bool)
        self.followed: tuple[tuple[NDArray[np.uint8], NDArray[np.bool_]], ...] = ()
        if self.has_blocks:
            self.textured = textured(luma)
            self.followed = tuple(follow(luma, e.y) for e in (triplet.left, triplet.right))

    def score(self, made: Picture) -> Scores:
        """All metrics of a computed picture except the costs."""
        truth, ends = self.triplet.middle.y, (self.triplet.left.y, self.triplet.right.y)
        scores = Scores({"psnr": finite_psnr(made.y, truth)})
        put = scores.put
        is_large = min(truth.shape) >= _SSIM_SIDE
        small = f"the pictures are smaller than {2 * BLOCK} x {2 * BLOCK}"
        put("ssim", ssim(made.y, truth) if is_large else None, "pictures smaller than 11 x 11")
        put("line", line_distance(line_points(made.y), self.lines), "the truth has no lines")
        even = deviation(made.y, truth, self.textured) if self.has_blocks else None
        put("evenness", even, "no texture in the truth" if self.has_blocks else small)
        warp = warping_error(made.y, self.followed) if self.has_blocks else None
        put("warp", warp, "hardly any motion could be matched" if self.has_blocks else small)
        put("ripple", ripple(made.y, *ends), "nothing stands still")
        return scores


def measure(
    triplet_set: TripletSet,
    methods: Sequence[Method],
    made_one: Callable[[], None] = lambda: None,
) -> SetResult:
    """Measure all methods on one set.

    Args:
        triplet_set: the set, which is read once.
        methods: must have different names.
        made_one: called after every computed picture.
    """
    rows: dict[str, list[Scores]] = {method.name: [] for method in methods}
    result = SetResult(triplet_set.name, (0, 0), 0, triplet_set.remark, {})
    timed = {0, triplet_set.num_triplets // 2, triplet_set.num_triplets - 1}
    worst = float("inf")
    for number, triplet in enumerate(triplet_set.read()):
        if number == 0:
            height, width = triplet.middle.y.shape
            result.size = (width, height)
        truth, made = _Truth(triplet), {}
        for method in methods:
            made[method.name] = method.between(triplet.left, triplet.right)
            scores = truth.score(made[method.name])
            if number in timed:
                wall, cpu = method.cost(triplet)
                scores.values |= {"ms": wall * 1e3, "cpu_ms": cpu * 1e3}
            rows[method.name].append(scores)
            made_one()
        mean = sum(row[-1].values["psnr"] or 0.0 for row in rows.values()) / len(rows)
        if mean < worst:
            worst = mean
            result.hardest = Example(triplet_set.name, triplet, made)
        result.num_triplets += 1
    result.scores = {name: over_triplets(found) for name, found in rows.items()}
    return result


def over_triplets(rows: Sequence[Scores]) -> Scores:
    """The means of all values; of costs the minimum, which other programs disturb least."""
    total = Scores({})
    for name in dict.fromkeys(name for row in rows for name in row.values):
        known = [v for row in rows if (v := row.values.get(name)) is not None]
        if not known:
            reasons = [row.reasons[name] for row in rows if name in row.reasons]
            total.put(name, None, reasons[0])
        else:
            total.values[name] = min(known) if name in COSTS else sum(known) / len(known)
    return total


def over_sets(results: Sequence[SetResult]) -> dict[str, Scores]:
    """The mean over sets by method, all sets having the same weight; sets without a value are left
    out. Costs have no mean, because the sets differ in picture size.
    """
    means = {}
    for method in results[0].scores:
        total = Scores({})
        for name in results[0].metrics:
            known = [v for r in results if (v := r.scores[method].values[name]) is not None]
            if name in COSTS:
                total.put(name, None, "sets differ in size")
            else:
                total.put(name, sum(known) / len(known) if known else None, "no set has it")
        means[method] = total
    return means


def as_json(results: Sequence[SetResult]) -> dict[str, dict[str, dict[str, object]]]:
    """{set: {method: {metric: value or None}}}; "absent" says why a value is None."""
    sets: list[tuple[str, int, Mapping[str, Scores]]] = [
        (r.name, r.num_triplets, r.scores) for r in results
    ]
    if len(results) > 1:
        sets.append(("mean", sum(r.num_triplets for r in results), over_sets(results)))
    out: dict[str, dict[str, dict[str, object]]] = {}
    for name, num, scores in sets:
        out[name] = {}
        for method, found in scores.items():
            row: dict[str, object] = {"triplets": num}
            row |= {k: None if v is None else _rounded(v) for k, v in found.values.items()}
            if found.reasons:
                row["absent"] = found.reasons
            out[name][method] = row
    return out


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
