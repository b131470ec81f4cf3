"""The quality ladder: what is given up when the device is too slow, and what each step costs. Pure.

Every step is cheaper than the one before. The phrases that tell the user what was given up are
here, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection


class Variant(NamedTuple):
    """A way to run a model."""

    flow_scale: float = 1.0
    """Factor on the wanted flow scale."""
    is_lite: bool = False
    """A lighter network replaces the full one."""
    share: float = 0.35
    """Work of the lighter network divided by that of the full one, at the same size."""
    network: str = ""
    """Name of the lighter network."""


FULL: Final = Variant()
_FAR_LIGHTER: Final = 0.1
"""If a lighter network needs less than this fraction of the work, it is used before the number of
pictures is reduced: after a network made for rendering it is the better choice at full rate.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """A step of the ladder."""

    num_frames: Literal[2, 3] = 2
    variant: Variant = FULL
    passes: int = 0
    ratio: Fraction = Fraction(2)
    """Different pictures per source frame; further outputs repeat them."""
    is_sparse: bool = False
    """Nothing is inserted between every second pair of pictures."""
    is_bypass: bool = False
    """Source frames only."""

    @property
    def num_calls(self) -> float:
        """Network calls per source frame: passes, and outputs that are not on a knot."""
        if self.is_bypass:
            return 0.0
        between = self.ratio - Fraction(1, self.ratio.denominator)
        return float(self.passes + between / (2 if self.is_sparse else 1))

    @property
    def relative_cost(self) -> float:
        """Cost of a call divided by that of a two-frame call of the full model, before measuring.

        These are guesses: a third frame adds a flow and more warping; half the size means a quarter
        of the pixels, but not of the overhead.
        """
        cost = 1.7 if self.num_frames == 3 else 1.0
        scale = self.variant.flow_scale
        if scale < 1:
            cost *= 0.6 if scale >= 0.5 else 0.45
        return cost * (self.variant.share if self.variant.is_lite else 1.0)

    @property
    def cost(self) -> float:
        """Guessed cost of a source frame, in two-frame calls of the full model."""
        return self.num_calls * self.relative_cost


class Standing(NamedTuple):
    """The current step and its ladder."""

    level: int = 0
    """Index of the current step: how many steps were given up."""
    steps: tuple[Quality, ...] = ()
    """The ladder, from full quality to source frames; empty if quality is never lowered."""

    @property
    def quality(self) -> Quality | None:
        """The current step."""
        return self.steps[self.level] if self.steps else None

    @property
    def given_up(self) -> list[str]:
        """What was given up, one phrase each."""
        return given_up(self.steps[0], self.steps[self.level]) if self.steps else []


def ladder(full: Quality, variants: Collection[Variant] = ()) -> list[Quality]:
    """Steps from ``full`` down to source frames.

    Args:
        full: the quality that the user chose.
        variants: cheaper ways to run the model that are available.
    """
    steps = [full]

    def give_up(cheaper: Quality, *, is_wanted: bool = True) -> None:
        if is_wanted and cheaper.cost < steps[-1].cost:
            steps.append(cheaper)

    give_up(replace(full, num_frames=2), is_wanted=full.num_frames == 3)
    halves = [v for v in sorted(variants, reverse=True) if not v.is_lite]
    for variant in halves[:1]:
        give_up(replace(steps[-1], variant=variant))
    lighter = sorted((v for v in variants if v.is_lite), key=_work, reverse=True)
    far = [variant for variant in lighter[:1] if variant.share <= _FAR_LIGHTER]
    for variant in far:
        give_up(replace(steps[-1], variant=variant))
    give_up(replace(steps[-1], passes=full.passes - 1), is_wanted=full.passes > 1)
    give_up(replace(steps[-1], ratio=full.ratio / 2), is_wanted=full.ratio >= 4)
    give_up(replace(steps[-1], ratio=Fraction(2)), is_wanted=full.ratio > 2)
    give_up(replace(steps[-1], passes=0), is_wanted=full.passes > 0)
    for variant in halves[1:]:
        give_up(replace(steps[-1], variant=variant))
    for variant in lighter[len(far) :]:
        give_up(replace(steps[-1], variant=variant))
    give_up(replace(steps[-1], is_sparse=True))
    give_up(replace(steps[-1], is_bypass=True))
    return steps


def given_up(full: Quality, now: Quality) -> list[str]:
    """What a step gives up, one phrase each; empty at full quality."""
    if now.is_bypass:
        return ["source frames only"]
    phrases = []
    if now.num_frames < full.num_frames:
        phrases.append("2 pictures a call instead of 3")
    if now.variant.is_lite:
        named = f" ({now.variant.network})" if now.variant.network else ""
        phrases.append(f"a lighter network{named}")
    if now.variant.flow_scale < full.variant.flow_scale:
        share = Fraction(now.variant.flow_scale / full.variant.flow_scale)
        phrases.append(f"motion estimated at {share} size")
    if now.passes < full.passes:
        passes = f"{now.passes or 'no'} pass{'' if now.passes == 1 else 'es'}"
        phrases.append(f"{passes} instead of {full.passes}")
    if now.ratio < full.ratio:
        phrases.append(
            f"{_decimal(now.ratio)} pictures per source frame instead of {_decimal(full.ratio)}"
        )
    if now.is_sparse:
        phrases.append("nothing between every second pair of frames")
    return phrases


def _work(variant: Variant) -> float:
    return variant.share * variant.flow_scale


def _decimal(ratio: Fraction) -> str:
    return f"{float(ratio):.3g}"
