"""Network calls per second of film that the planner asks for, by material, passes and output rate.

    python benchmarks/retiming.py

Material is at 24 frames/s, drawn on ones, twos and threes: every drawing is held for that many
frames, and nothing else moves. No network runs; what a call costs, benchmarks/models.py measures.
A star marks what the style "smooth" takes by itself: the passes where parts of the picture are held
while others move, "thin" where whole frames repeat and nothing else does, as here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from rtvfi.core.rates import Grid
from rtvfi.core.stamp import Stamp
from rtvfi.stream.plan.planner import Mid, Planner, PlanOptions, Retime
from rtvfi.stream.see.cadence import passes_for

SOURCE_RATE: Final = 24
HOLDS: Final = {"ones": 1, "twos": 2, "threes": 3}
RATES: Final = (48, 60, 120)
PASSES: Final = range(4)


def calls(hold: int, passes: int | None, rate: int, num_frames: int) -> int:
    """Calls for one scene from its first frame to its last.

    Args:
        hold: frames a drawing is held.
        passes: midpoint passes; None = none, repeats are thinned out.
        rate: outputs per second.
        num_frames: length of the scene.
    """
    period = Fraction(1, SOURCE_RATE)
    options = PlanOptions(thin=True) if passes is None else PlanOptions(passes=passes)
    planner = Planner(Grid(Fraction(0), Fraction(1, rate)), options)
    actions = []
    for i in range(num_frames):
        stamp = Stamp(i, i * period, (i + 1) * period, cut=i == 0, same=i % hold > 0)
        actions += planner.push(stamp)
    actions += planner.flush()
    return sum(isinstance(action, Mid | Retime) for action in actions)


def calls_per_second(hold: int, passes: int | None, rate: int) -> Fraction:
    """The same per second of a scene without ends: what a second more costs."""
    seconds = 10
    longer, shorter = (
        calls(hold, passes, rate, 2 * num * SOURCE_RATE) for num in (seconds, seconds // 2)
    )
    return Fraction(longer - shorter, seconds)


def main() -> None:
    """Print the table."""
    print(f"calls per second of {SOURCE_RATE} fps material")
    print(f"{'':8}{'passes':>8}" + "".join(f"{f'{rate} fps':>10}" for rate in RATES))
    for name, hold in HOLDS.items():
        for passes in (*PASSES, None):
            is_taken = passes == passes_for(hold) if passes is not None else hold > 1
            star = "*" if is_taken else " "
            row = (float(calls_per_second(hold, passes, rate)) for rate in RATES)
            label = "thin" if passes is None else passes
            print(f"{name:8}{label:>7}{star}" + "".join(f"{value:>10.1f}" for value in row))


if __name__ == "__main__":
    main()
