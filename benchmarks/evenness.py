"""How evenly drawings move: python -m benchmarks.evenness [--scenes 40] [--model cel]

Each scene has one to three characters on smooth paths, drawn on ones, twos or threes with phases of
their own, before a pan on ones. A figure is the deviation of an object's way from output to output
from its smooth path, root mean square, in pixels of a 320x180 picture; ``worst`` is the largest.

Without a model positions themselves are interpolated, which shows what scheduling alone does: the
best that any model could reach. With one, pictures are, and characters are found by their colours.
``auto`` sees pictures only, whatever is measured. ``rhythm`` means to keep holds; of it a small
figure is not wanted.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, pi
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from rtvfi.core.frame import PIXEL_FORMATS, SourceFrame
from rtvfi.core.rates import Grid
from rtvfi.quality.methods import picture_info
from rtvfi.stream.plan.batch import batches, outputs_of
from rtvfi.stream.plan.planner import Copy, Mid, Planner, PlanOptions, Retime, Retime3
from rtvfi.stream.plan.steering import Retiming, Steering
from rtvfi.stream.run.executors.executor import carry_out
from rtvfi.stream.run.executors.pictures import Pictures
from rtvfi.stream.see.cuts import CutDetector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.planner import Action
    from rtvfi.stream.run.executors.interpolate import Interpolation
    from rtvfi.stream.see.cuts import Seen

    Doubles = NDArray[np.float64]
    Payload = NDArray[np.uint8]

WIDTH, HEIGHT = 320, 180
NUM_FRAMES: Final = 84
MEASURED: Final = (Fraction(44, 24), Fraction(70, 24))
"""Seconds: after ``auto`` has settled, before the ramp at the scene's end."""
INFO: Final = replace(picture_info(HEIGHT, WIDTH), format=PIXEL_FORMATS["yuv444p"])
COLOURS: Final = ((90, 240), (54, 34), (240, 110))
"""U, V of the characters; the scenery is grey."""
STYLES: Final = ("off", "plain", "rhythm", "smooth L=1", "smooth L=2", "smooth L=3", "auto")


@dataclass(frozen=True)
class Character:
    """A disc with marks on it."""

    hold: int
    phase: int
    centre: Doubles
    swing: Doubles
    """Amplitude, pixels."""
    turn: Doubles
    """Radians at frame 0."""
    period: float
    """Frames of a swing."""
    radius: float
    marks: Doubles
    """(n, 2) centres of dark spots, in radii."""

    def path(self, frame: Doubles) -> Doubles:
        """Where it is on its smooth path: (n, 2) x, y for n times in frames."""
        return self.centre + self.swing * np.sin(2 * pi * frame[:, None] / self.period + self.turn)

    def drawn(self, frame: int) -> Doubles:
        """Where frame ``frame`` shows it: as it was in the first frame of the drawing."""
        first = (frame - self.phase) // self.hold * self.hold + self.phase
        place: Doubles = self.path(np.array([float(first)]))[0]
        return place

    @property
    def lag(self) -> float:
        """Mean age of a drawing, frames."""
        return (self.hold - 1) / 2


class Scene:
    """One shot; depends on its seed alone."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.characters = [self._character(rng, n) for n in range(rng.integers(1, 4))]
        coarse = rng.uniform(60, 200, (20, 140))
        self._scenery = np.kron(coarse, np.ones((9, 9)))
        self._speed = int(rng.choice([0, 1, 3, 6]))
        self._grain = float(rng.choice([0.0, 0.5]))
        """As film grain is at this size."""
        self._noise = rng
        self._longest = max(c.hold for c in self.characters)

    @staticmethod
    def _character(rng: np.random.Generator, number: int) -> Character:
        hold = int(rng.integers(1, 4))
        radius = rng.uniform(24, 34)
        swing = rng.uniform([10, 4], [30, 20])
        return Character(
            hold=hold,
            phase=int(rng.integers(0, hold)),
            centre=np.array([55 + 105 * number, 90]) + rng.uniform(-8, 8, 2),
            swing=np.minimum(swing, [50 - radius / 2, 80 - radius]),
            turn=rng.uniform(0, 2 * pi, 2),
            period=rng.uniform(26, 60),
            radius=radius,
            marks=rng.uniform(-0.7, 0.7, (9, 2)),
        )

    def is_right(self, plan: PlanOptions) -> bool:
        """Whether it takes out the longest hold and does no more: passes, or nothing but whole
        frames that repeat.
        """
        if plan.thin:
            is_still = not self._speed and not self._grain
            is_one = len({(c.hold, c.phase) for c in self.characters}) == 1
            return (is_still and is_one) or self._longest == 1
        return plan.passes == self._longest - 1

    def draw(self, frame: int) -> Payload:
        """A frame's payload."""
        pan = self._speed * frame
        y = self._scenery[:HEIGHT, pan : pan + WIDTH].copy()
        u, v = np.full_like(y, 128), np.full_like(y, 128)
        for character, colour in zip(self.characters, COLOURS, strict=False):
            _paint(character, character.drawn(frame), colour, (y, u, v))
        y += self._grain * self._noise.standard_normal(y.shape)
        return np.stack([y, u, v]).round().clip(0, 255).astype(np.uint8).ravel()


def _paint(
    character: Character, at: Doubles, colour: tuple[int, int], planes: tuple[NDArray[Any], ...]
) -> None:
    reach = int(character.radius) + 2
    left, top = (max(int(place) - reach, 0) for place in at)
    part = np.s_[top : top + 2 * reach + 2, left : left + 2 * reach + 2]
    y, u, v = (plane[part] for plane in planes)
    dx = np.arange(left, left + y.shape[1]) - at[0]
    dy = np.arange(top, top + y.shape[0])[:, None] - at[1]
    cover = (character.radius - np.hypot(dx, dy) + 0.5).clip(0, 1)
    for plane, code in zip((y, u, v), (150, *colour), strict=True):
        plane += (code - plane) * cover
    for mx, my in character.marks * character.radius:
        y += (40 - y) * (4.5 - np.hypot(dx - mx, dy - my)).clip(0, 1) * cover


def found_at(payload: Payload) -> Doubles:
    """Where the characters are in a picture: (3, 2) x, y by their colours."""
    _, u, v = payload.reshape(3, HEIGHT, WIDTH).astype(float)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    found = []
    for blue, red in COLOURS:
        towards = np.array([blue - 128, red - 128])
        share = ((u - 128) * towards[0] + (v - 128) * towards[1]) / (towards @ towards)
        share = share.clip(0, 1) * (share > 0.4)
        total = share.sum() or np.nan
        found.append([(columns * share).sum() / total, (rows * share).sum() / total])
    return np.array(found)


def look(scene: Scene) -> list[Seen]:
    """What is found out about a scene's frames."""
    detector = CutDetector(INFO)
    seen = []
    for number in range(NUM_FRAMES):
        frame = SourceFrame(scene.draw(number), Fraction(number, 24), Fraction(1, 24))
        seen += detector.push(frame)
    return seen + detector.flush()


def plan_of(
    seen: Sequence[Seen], style: str, ratio: Fraction
) -> tuple[list[Action], list[PlanOptions]]:
    """What a scene's frames are made into.

    Returns:
        The actions, and per source frame how it was planned.
    """
    passes = int(style[-1]) if style[-1].isdigit() else 0
    steering = Steering(PlanOptions(), Retiming(style="smooth"))
    grid = Grid(Fraction(0), 1 / (24 * ratio))
    num_frames: Literal[2, 3] = 3 if style == "rhythm" else 2
    planner = Planner(grid, PlanOptions(passes=passes, num_frames=num_frames))
    actions: list[Action] = []
    used = []
    for stamp, _, change in seen:
        plan = steering.push(stamp, change, 2)
        if style == "auto":
            planner.adjust(plan)
        used.append(planner.options)
        actions += planner.push(stamp)
    actions += planner.flush()
    if style == "off":
        outputs = [a for a in actions if not isinstance(a, Mid)]
        actions = [Copy(a.index, a.pts, (0, int(a.pts * 24))) for a in outputs]
    return actions, used


def positions(scene: Scene, actions: list[Action]) -> dict[Fraction, Doubles]:
    """Carry out a plan on positions: per output time (n, 2)."""
    at: dict[ImageId, Doubles] = {
        (0, n): np.array([c.drawn(n) for c in scene.characters]) for n in range(NUM_FRAMES)
    }
    shown = {}
    for action in actions:
        if isinstance(action, Mid):
            at[action.image] = (at[action.left] + at[action.right]) / 2
        elif isinstance(action, Copy):
            shown[action.pts] = at[action.image]
        elif isinstance(action, Retime):
            t = float(action.t)
            shown[action.pts] = (1 - t) * at[action.left] + t * at[action.right]
        elif isinstance(action, Retime3):
            places = at[action.left], at[action.centre], at[action.right]
            shown[action.pts] = _among_three(*places, float(action.t))
    return shown


def _among_three(left: Doubles, centre: Doubles, right: Doubles, t: float) -> Doubles:
    """As far towards a neighbour as DRBA goes: by the ratio of the distances to both."""
    before, after = (np.hypot(*(place - centre).T)[:, None] for place in (left, right))
    other, ahead = (after, left) if t < 1 else (before, right)
    both = before + after
    ratio = np.divide(2 * other, both, out=np.ones_like(both), where=both > 0)
    place: Doubles = centre + (ahead - centre) * (abs(t - 1) * ratio).clip(max=1)
    return place


def pictured(
    scene: Scene, actions: list[Action], seen: list[Seen], executor: Interpolation
) -> dict[Fraction, Doubles]:
    """Carry out a plan on pictures and find the characters in them."""
    executor.reset()
    pictures = Pictures({(0, n): s.payload for n, s in enumerate(seen)})
    shown = {}
    begin, end = MEASURED
    for batch in batches(actions):
        # Only what is measured, and the passes it may be made of: of frames first to first + level.
        if isinstance(batch, Mid):
            level, first = batch.image
            if begin * 24 - 6 < first and first + level < end * 24 + 6:
                carry_out(executor, batch, pictures)
            continue
        outputs = {o.index: o.pts for o in outputs_of(batch) if begin <= o.pts < end}
        payloads = carry_out(executor, batch, pictures) if outputs else {}
        for index, pts in outputs.items():
            shown[pts] = found_at(payloads[index])[: len(scene.characters)]
    return shown


def deviations(scene: Scene, shown: dict[Fraction, Doubles]) -> Doubles:
    """Per character and output: difference of its way since the last output to that of its path,
    pixels.
    """
    begin, end = MEASURED
    times = [pts for pts in sorted(shown) if begin <= pts < end]
    out = []
    for number, character in enumerate(scene.characters):
        ways = np.diff([shown[pts][number] for pts in times], axis=0)
        frames = np.array([float(pts * 24) for pts in times]) - character.lag
        out.append(np.hypot(*(ways - np.diff(character.path(frames), axis=0)).T))
    return np.concatenate(out)


def executor_of(model: str) -> Interpolation:
    """The model on the processor."""
    import torch

    from rtvfi.models.load import load_model
    from rtvfi.stream.run.executors.interpolate import Interpolation

    device = torch.device("cpu")
    return Interpolation(load_model(model, device, torch.float32), INFO, device, torch.float32)


def measure(
    num_scenes: int,
    ratio: Fraction,
    show: Callable[[Scene, list[Action], list[Seen]], dict[Fraction, Doubles]],
    styles: Sequence[str] = STYLES,
) -> None:
    """Print a row per style."""
    found: dict[str, list[Doubles]] = {style: [] for style in styles}
    right = 0
    for seed in range(num_scenes):
        scene = Scene(seed)
        seen = look(scene)
        for style in styles:
            actions, used = plan_of(seen, style, ratio)
            found[style].append(deviations(scene, show(scene, actions, seen)))
            if style == "auto":
                right += scene.is_right(used[ceil(MEASURED[0] * 24) - 1])
    print(f"{num_scenes} scenes, {float(24 * ratio):g} frames/s; RMS and worst deviation, px")
    for style in styles:
        every = np.concatenate(found[style])
        rms = float(np.sqrt(np.nanmean(every**2)))
        extra = f"   the right L in {right} of {num_scenes}" if style == "auto" else ""
        print(f"{style:<12} {rms:6.2f} {np.nanmax(every):7.2f}{extra}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="how evenly drawings move")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--ratio", type=Fraction, default=Fraction(5, 2))
    parser.add_argument("--model", help="measure pictures it makes; without it, positions")
    arguments = parser.parse_args()
    if arguments.model:
        executor = executor_of(arguments.model)
        measure(
            arguments.scenes,
            arguments.ratio,
            lambda scene, actions, seen: pictured(scene, actions, seen, executor),
            [style for style in STYLES if style != "rhythm" or executor.num_frames == 3],
        )
    else:
        measure(arguments.scenes, arguments.ratio, lambda s, actions, _: positions(s, actions))


if __name__ == "__main__":
    main()
